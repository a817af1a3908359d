import { nothingToProtect } from "../core/restart_need.ts";
import type { Actual, Permission } from "../core/situation.ts";
import type { Journal, RestartCost } from "../schema/journal.ts";
import { hostStatusSchema, type Grant, type HostStatus } from "../schema/znodes.ts";
import type { FormatGate } from "../store/format.ts";
import { releaseSlot, reportFailure, type GateOutcome } from "../store/gate.ts";
import { readGrant } from "../store/grants.ts";
import { statusPath } from "../store/paths.ts";
import type { StatusPublisher } from "../store/publish.ts";
import { readRecord } from "../store/records.ts";
import type { Clock } from "../support/clock.ts";
import type { Session } from "../zookeeper/session.ts";
import { lookAtService } from "./health.ts";
import type { Observation } from "./observe.ts";
import type { ServiceHost } from "./service_host.ts";
import type { ServiceState } from "./service_state.ts";

/** One host's dealings with the slots of a service: the grants it gets, and the slots it gives back. */
export class HostSlot {
  readonly #session: Session;
  readonly #service: string;
  readonly #host: string;
  readonly #publisher: StatusPublisher;
  readonly #format: FormatGate;
  readonly #clock: Clock;

  constructor(
    session: Session,
    service: string,
    host: string,
    publisher: StatusPublisher,
    format: FormatGate,
    clock: Clock,
  ) {
    this.#clock = clock;
    this.#session = session;
    this.#service = service;
    this.#host = host;
    this.#publisher = publisher;
    this.#format = format;
  }

  /** The grant for this attempt, or null; `onChange` is called when that may have changed. */
  async grant(deploy: string, attempt: number, onChange: () => void): Promise<Grant | null> {
    if (this.#session.state.kind !== "connected" || !this.#format.isKnown) return null;
    const grant = await readGrant(this.#session.client, this.#service, deploy, this.#host, onChange);
    return grant?.attempt === attempt ? grant : null;
  }

  /**
   * The number of the last wish that this host is known to have taken up. A host that has lost its journal counts on from
   * it, so that a slot it held before is seen to belong to an older attempt.
   */
  async lastAttempt(): Promise<number> {
    const said = await readRecord(this.#session.client, statusPath(this.#service, this.#host), hostStatusSchema);
    return said?.value.attempt ?? 0;
  }

  /**
   * Gives the slot back, in one write with the status where there is one to write. Waits for ZooKeeper as long as it
   * takes.
   */
  async release(
    deploy: string,
    status: HostStatus | null,
    signal: AbortSignal,
    cost: RestartCost | null = null,
  ): Promise<void> {
    using _hold = status === null ? null : this.#publisher.hold();
    const outcome = await this.#again(signal, () =>
      releaseSlot(this.#session.client, { service: this.#service, deploy, host: this.#host, signal }, status, cost),
    );
    if (status !== null) this.#said(outcome, status);
  }

  /** @param lastRestart its cost is counted where it restarted the failed build */
  async fail(
    failed: NonNullable<Journal["failed"]>,
    status: HostStatus,
    signal: AbortSignal,
    lastRestart: Journal["lastRestart"],
  ): Promise<void> {
    const { failure, deploy, build, healthy, attempt } = failed;
    const reason = failure.message;
    const since = new Date(failure.atMs).toISOString();
    using _hold = this.#publisher.hold();
    const outcome = await this.#again(signal, () =>
      reportFailure(
        this.#session.client,
        { service: this.#service, deploy, host: this.#host, signal },
        { reason, build, healthy, since, attempt },
        status,
        new Date(this.#clock.now()),
        lastRestart?.deploy === deploy && lastRestart.build === build ? lastRestart : null,
      ),
    );
    this.#said(outcome, status);
  }

  #said(outcome: GateOutcome, status: HostStatus): void {
    if (outcome === "changed") this.#publisher.wasWritten(status);
    else this.#publisher.publish(status);
  }

  /**
   * When the session expires in the middle, the work is repeated in the next one: what was to be written has still to be
   * written.
   */
  async #again(signal: AbortSignal, work: () => Promise<GateOutcome>): Promise<GateOutcome> {
    for (;;) {
      await this.#format.known(signal);
      const { epoch } = this.#session;
      try {
        return await work();
      } catch (error) {
        if (signal.aborted || this.#session.epoch === epoch) throw error;
      }
    }
  }
}

export interface PermissionEffects {
  readonly state: ServiceState;
  readonly host: ServiceHost;
  readonly slot: Pick<HostSlot, "grant">;
}

/** Whether this host may be taken out of service now. @param onChange called when that may have changed */
export async function permissionToBegin(
  { state, host, slot }: PermissionEffects,
  { actual }: Observation,
  onChange: () => void,
): Promise<Permission> {
  const { target, deploy, held, build } = state.snapshot;
  if (state.journal.now.activation !== null) return { kind: "granted" };
  if (target.kind !== "build" || actual.release !== "installed") return { kind: "none" };
  // While the wish is held there may be no deploy to request a slot from. Starting again what is down takes nothing out
  // of service.
  if (held !== null) return startsAgain(actual, target.build) ? { kind: "free" } : { kind: "none" };
  const settled = deploy !== null && (deploy.state === "done" || deploy.state === "rolled back");
  // A host that does not have a barred build does not begin it; a host that has it keeps it in service.
  const isNew = actual.current.kind !== "link" || actual.current.build !== target.build;
  const isBarred = isNew && build?.barred !== undefined;
  if (settled && !isBarred && nothingToProtect(actual, target.build)) return { kind: "free" };
  const grant = await slot.grant(target.deploy, state.journal.now.attempt?.number ?? -1, onChange);
  if (grant === null) return { kind: "none" };
  if (grant.wasOut !== true) return { kind: "granted" };
  // The slot was granted because the host was out of service already: that must still be so.
  await lookAtService(host, state);
  return state.status().health === "healthy" ? { kind: "void" } : { kind: "granted" };
}

function startsAgain(actual: Actual, build: string): boolean {
  return actual.current.kind === "link" && actual.current.build === build && nothingToProtect(actual, build);
}
