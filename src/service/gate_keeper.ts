import type { Journal, RestartCost } from "../schema/journal.ts";
import { hostStatusSchema, type Grant, type HostStatus } from "../schema/znodes.ts";
import { releaseSlot, reportFailure, type GateOutcome } from "../store/gate.ts";
import { readGrant } from "../store/grants.ts";
import { statusPath } from "../store/paths.ts";
import { readRecord } from "../store/records.ts";
import type { FormatGate } from "../store/format.ts";
import type { Clock } from "../support/clock.ts";
import type { StatusPublisher } from "../store/publish.ts";
import type { Session } from "../zookeeper/session.ts";

/** One host's dealings with the gate of a service. */
export class GateKeeper {
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

  /** The grant of this attempt, or null; `onChange` is called when that may have changed. */
  async grant(deploy: string, attempt: number, onChange: () => void): Promise<Grant | null> {
    if (this.#session.state.kind !== "connected" || !this.#format.isKnown) return null;
    const grant = await readGrant(this.#session.client, this.#service, deploy, this.#host, onChange);
    return grant?.attempt === attempt ? grant : null;
  }

  /**
   * The number of the last wish that this host is known to have taken up: what a host that has lost its journal counts on
   * from, so that a slot it held before is seen to be an older attempt's.
   */
  async lastAttempt(): Promise<number> {
    const said = await readRecord(this.#session.client, statusPath(this.#service, this.#host), hostStatusSchema);
    return said?.value.attempt ?? 0;
  }

  /** Gives the slot back, together with the status where there is one to give. Waits for ZooKeeper as long as it takes. */
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

  /** @param lastRestart counted where it is that of the failed build */
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

  /** A session that expires in the middle is followed by another; what was to be said is still to be said. */
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
