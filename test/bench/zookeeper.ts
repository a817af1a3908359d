import { tempDir } from "../harness/tempdir.ts";
import type { Bench, BenchRun } from "./figure.ts";
import { measureBurst } from "./zookeeper/burst.ts";
import { measureFanout } from "./zookeeper/fanout.ts";
import { measureIdleMemory } from "./zookeeper/idle_memory.ts";
import { measurePipeline } from "./zookeeper/pipeline.ts";
import { findPrograms } from "./zookeeper/programs.ts";
import { startServer } from "./zookeeper/server.ts";

const parts = { fanout: measureFanout, memory: measureIdleMemory, pipeline: measurePipeline, burst: measureBurst };

export const zookeeperBench: Bench = {
  summary: "the ZooKeeper client against Apache's Java client and kazoo, on one real server, taking turns",
  parts: Object.keys(parts),
  run: async (run: BenchRun) => {
    await using scratch = await tempDir();
    const programs = await findPrograms(run, scratch.path);
    if (!(await Bun.file("/usr/share/java/zookeeper.jar").exists())) {
      run.missing("everything", "Install the Debian package zookeeper: the bench runs a real server.");
      return;
    }
    await using server = await startServer();
    for (const [part, measure] of Object.entries(parts)) {
      if (!run.wants(part)) continue;
      try {
        await measure(run, server.connectString, programs);
      } catch (error) {
        run.missing(`the rest of "${part}"`, error instanceof Error ? (error.stack ?? error.message) : String(error));
      }
    }
  },
};
