import type { Actual, Permission } from "../core/situation.ts";
import { nothingToProtect } from "../core/restart_need.ts";
import type { GateKeeper } from "./gate_keeper.ts";
import { lookAtService } from "./health.ts";
import type { Observation } from "./observe.ts";
import type { ServiceHost } from "./service_host.ts";
import type { ServiceState } from "./service_state.ts";

export interface PermissionEffects {
  readonly state: ServiceState;
  readonly host: ServiceHost;
  readonly gate: Pick<GateKeeper, "grant">;
}

/** Whether this host may be taken out of service now. @param onChange called when that may have changed */
export async function permissionToBegin(
  { state, host, gate }: PermissionEffects,
  { actual }: Observation,
  onChange: () => void,
): Promise<Permission> {
  const { target, deploy, held, build } = state.snapshot;
  if (state.journal.now.activation !== null) return { kind: "granted" };
  if (target.kind !== "build" || actual.release !== "installed") return { kind: "none" };
  // Whose deploy ZooKeeper does not know cannot ask it for a slot; to start again what is down anyhow takes nothing from anybody.
  if (held !== null) return startsAgain(actual, target.build) ? { kind: "free" } : { kind: "none" };
  const settled = deploy !== null && (deploy.state === "done" || deploy.state === "rolled back");
  // A barred build is begun by nobody who does not have it: whoever has it is kept in service.
  const isNew = actual.current.kind !== "link" || actual.current.build !== target.build;
  const isBarred = isNew && build?.barred !== undefined;
  if (settled && !isBarred && nothingToProtect(actual, target.build)) return { kind: "free" };
  const grant = await gate.grant(target.deploy, state.journal.now.attempt?.number ?? -1, onChange);
  if (grant === null) return { kind: "none" };
  if (grant.wasOut !== true) return { kind: "granted" };
  // It was counted as nobody's loss: that must still be so.
  await lookAtService(host, state);
  return state.status().health === "healthy" ? { kind: "void" } : { kind: "granted" };
}

function startsAgain(actual: Actual, build: string): boolean {
  return actual.current.kind === "link" && actual.current.build === build && nothingToProtect(actual, build);
}
