import { addBuild } from "../../../src/store/builds.ts";
import { deployPath, agentsPath } from "../../../src/store/paths.ts";
import { ensurePath, readRecord } from "../../../src/store/records.ts";
import { setService } from "../../../src/store/services.ts";
import { deployRecordSchema, type DeployRecord } from "../../../src/schema/deploy_record.ts";
import { Bell } from "../../../src/support/bell.ts";
import { systemClock } from "../../../src/support/clock.ts";
import { ZooKeeper } from "../../../src/zookeeper/client.ts";
import type { SimBuild } from "../../sim/host/builds.ts";
import { ARTEFACTS } from "../../sim/host/artefacts.ts";
import { SERVICE } from "./bench_host.ts";
import { wallMs } from "./program.ts";

const timeoutMs = 60_000;
const LOOK_AGAIN_MS = 1_000;
let trees = 0;

/** A client of the bench's own. */
export function clientOf(servers: string): ZooKeeper {
  return new ZooKeeper({
    clock: systemClock,
    servers,
    sessionTimeoutMs: timeoutMs,
    operationTimeoutMs: 2 * timeoutMs,
  });
}

/** Makes a tree of its own with the service. @returns the servers with its chroot */
export async function makeTree(server: string, builds: readonly SimBuild[]): Promise<string> {
  await using root = clientOf(server);
  trees += 1;
  const chroot = `/fleet-${trees}`;
  await root.create(chroot);
  const servers = `${server}${chroot}`;
  await using zk = clientOf(servers);
  await setService(zk, SERVICE, { max: 1, budget: 0, soakMs: 0 });
  await ensurePath(zk, agentsPath);
  for (const build of builds) await addBuild(zk, SERVICE, build.id, build.record(`${ARTEFACTS}${build.id}`));
  return servers;
}

/** Waits until the deploy's record is as it should be. @returns since when it is seen to be so, on the clock of `wallMs` */
export async function untilDeploy(
  zk: ZooKeeper,
  id: string,
  isSo: (record: DeployRecord) => boolean,
  deadlineMs: number,
): Promise<{ readonly atMs: number; readonly record: DeployRecord }> {
  const path = deployPath(SERVICE, id);
  const bell = new Bell(systemClock);
  const signal = AbortSignal.timeout(deadlineMs);
  const watch = await zk.addWatch(path, "persistent", bell.ring);
  try {
    for (;;) {
      const found = await readRecord(zk, path, deployRecordSchema);
      const atMs = wallMs();
      if (found !== null && isSo(found.value)) return { atMs, record: found.value };
      if (signal.aborted) throw new Error(`after ${deadlineMs} ms deploy ${id} is ${found?.value.state ?? "gone"}`);
      await bell.wait(LOOK_AGAIN_MS, signal);
    }
  } finally {
    await watch.remove();
  }
}
