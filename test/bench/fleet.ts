import type { Bench, BenchRun } from "./figure.ts";
import { measureDeploys } from "./fleet/deploys.ts";
import { measureHolders } from "./fleet/holders.ts";
import { startFleetServer } from "./fleet/server.ts";
import { measureSessions } from "./fleet/sessions.ts";

/** What each measurement covers: deploys that go well and that fail are measured on the same fleets. */
const measurements: readonly {
  readonly parts: readonly string[];
  readonly measure: (run: BenchRun) => Promise<void>;
}[] = [
  { parts: ["holders"], measure: (run) => onServer((servers) => measureHolders(run, servers)) },
  { parts: ["deploy", "failing"], measure: (run) => onServer((servers) => measureDeploys(run, servers)) },
  { parts: ["sessions"], measure: measureEnsemble },
];

async function onServer(measure: (servers: string) => Promise<void>): Promise<void> {
  await using server = await startFleetServer();
  await measure(server.connectString);
}

/** On three servers of one ensemble. */
async function measureEnsemble(run: BenchRun): Promise<void> {
  const figures = await measureSessions({ hosts: run.hosts ?? 5_000, note: (text) => run.note(text) });
  for (const figure of figures) run.figure(figure);
}

export const fleetBench: Bench = {
  summary:
    "whole fleets with real sessions on real ZooKeeper servers, how their figures grow with the number of hosts, and what they live through; --hosts N for another size of the sessions",
  parts: measurements.flatMap(({ parts }) => parts),
  run: async (run: BenchRun) => {
    if (!(await Bun.file("/usr/share/java/zookeeper.jar").exists())) {
      run.missing("everything", "Install the Debian package zookeeper: the bench runs real servers.");
      return;
    }
    for (const { parts, measure } of measurements) {
      if (!parts.some((part) => run.wants(part))) continue;
      try {
        await measure(run);
      } catch (error) {
        run.missing(
          `the rest of ${parts.join(", ")}`,
          error instanceof Error ? (error.stack ?? error.message) : String(error),
        );
      }
    }
  },
};
