import type { HostState } from "../schema/host_state.ts";
import type { DeployRecord } from "../schema/deploy_record.ts";
import type { HostRecord, HostStatus } from "../schema/znodes.ts";
import { buildWanted } from "./deploy_state.ts";
import type { Progress } from "./progress.ts";

/** The state of a host, coarser than its step: it decides the host's glyph, colour and place in a list. */
export type HostPhase = "failed" | "unreachable" | "restarting" | "ready" | "preparing" | "serving" | "idle";

export function phaseOf(status: HostStatus | null, connected: boolean): HostPhase {
  if (!connected) return "unreachable";
  switch (status?.step) {
    case undefined:
    case "idle":
      return "idle";
    case "fetch":
    case "verify":
    case "extract":
    case "install":
      return "preparing";
    case "ready":
      return "ready";
    case "begun":
    case "flip":
    case "restart":
    case "check":
    case "soak":
      return "restarting";
    case "serving":
      return status?.health === "unhealthy" ? "failed" : "serving";
    case "failed":
      return "failed";
  }
}

/** How many hosts are in each state; a state that nobody is in may be missing. */
export type StateCounts = Readonly<Partial<Record<HostState, number>>>;

/** Tells of each host of a service what it is to one deploy. */
export class HostStates {
  readonly #record: DeployRecord | null;
  readonly #failed: ReadonlySet<string>;
  readonly #done: ReadonlySet<string>;
  /** The deploy is to come to these, or has. */
  readonly #of: ReadonlySet<string>;

  /** @param deploy null where nothing was ever deployed; @param progress null where a newer deploy has its hosts */
  constructor(record: DeployRecord | null, progress: Pick<Progress, "failed" | "serving" | "hosts"> | null) {
    this.#record = record;
    this.#failed = new Set(progress?.failed);
    this.#done = new Set(progress?.serving);
    this.#of = new Set(progress?.hosts);
  }

  of(host: string, { hold }: Pick<HostRecord, "hold">, status: HostStatus | null, connected: boolean): HostState {
    if (connected && isLeaving(hold, status)) return "leaving";
    if (hold !== undefined && connected) return "held";
    if (this.#failed.has(host)) return status?.begun === true && status.rollingBack ? "going back" : "failed";
    const phase = phaseOf(status, connected);
    switch (phase) {
      case "failed":
      case "unreachable":
      case "ready":
      case "preparing":
        return phase;
      case "restarting":
        if (status?.rollingBack === true) return "going back";
        return status?.step === "soak" ? "soaking" : "restarting";
      case "serving":
        if (this.#record === null || this.#done.has(host)) return "done";
        return this.#of.has(host) || status?.build !== buildWanted(this.#record) ? "waiting" : "done";
      case "idle":
        return this.#of.has(host) ? "waiting" : "idle";
    }
  }
}

/** Somebody has said that it shall, or it has not come back yet. */
function isLeaving(hold: HostRecord["hold"], status: HostStatus | null): boolean {
  return hold?.stop === true || (status?.leaving !== undefined && status.leaving.phase !== "refused");
}
