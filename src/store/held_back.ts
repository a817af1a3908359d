import { heededBy, nothingHeldBack, type HeldBack } from "../core/between_services.ts";
import { isRunning } from "../core/deploy_state.ts";
import type { ZooKeeper } from "../zookeeper/client.ts";
import { ServiceMirror } from "./mirror.ts";
import { readAllSettings } from "./services.ts";
import { heldBackIn } from "./services_now.ts";

type Looked = Pick<ServiceMirror, "service" | "settings" | "deploys" | "newest" | "unreadable" | "gate">;

/**
 * What other services forbid this one, for people: it is read only while hosts of it wait for a slot, and of the others only
 * those that a rule looks at.
 */
export async function readHeldBack(zk: ZooKeeper, looked: Looked & Pick<ServiceMirror, "statuses">): Promise<HeldBack> {
  const { deploys, newest, statuses, gate } = looked;
  const record = deploys.get(newest.id ?? "")?.record;
  const waits = [...statuses].some(([host, { step }]) => step === "ready" && gate?.gate.slots.has(host) !== true);
  return waits && record !== undefined && isRunning(record) ? readRules(zk, looked) : nothingHeldBack;
}

/** The same whether or not a deploy is under way. */
export async function readRules(zk: ZooKeeper, looked: Looked): Promise<HeldBack> {
  const { service } = looked;
  const settings = await readAllSettings(zk, () => {});
  const rules = new Map([...settings].map(([name, { between = {} }]) => [name, between]));
  const heeded = heededBy(service, rules);
  if (heeded.length === 0) return nothingHeldBack;
  const others = await Promise.all(
    heeded.map((name) => ServiceMirror.look(zk, name, ["settings", "gate", "deploys"]).catch(() => null)),
  );
  // One that was removed meanwhile holds nobody back.
  return heldBackIn(service, [looked, ...others.filter((other) => other !== null)]);
}
