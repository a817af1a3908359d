import { targetFor, wishFor } from "../../src/core/targets.ts";
import { hostRecordSchema, wishSchema } from "../../src/schema/znodes.ts";
import { canaryPath, enabledPath, hostPath } from "../../src/store/paths.ts";
import { readRecord } from "../../src/store/records.ts";
import type { ZooKeeper } from "../../src/zookeeper/client.ts";

/** What a host is wished to serve now, read afresh. */
export async function readWish(
  zk: ZooKeeper,
  service: string,
  host: string,
): Promise<{ build: string; deploy: string; again: number } | null> {
  const { role = "fleet", zone } = (await readRecord(zk, hostPath(service, host), hostRecordSchema))?.value ?? {};
  const enabled = (await readRecord(zk, enabledPath(service), wishSchema))?.value ?? null;
  const canary = (await readRecord(zk, canaryPath(service), wishSchema))?.value ?? null;
  const target = targetFor({ host, role, zone }, { enabled, canary });
  const again = wishFor(role, { enabled, canary })?.again ?? 0;
  return target.kind === "build" ? { build: target.build, deploy: target.deploy, again } : null;
}
