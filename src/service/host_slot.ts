import { buildWanted, grantsSlots } from "../core/deploy_state.ts";
import { nothingToProtect } from "../core/restart_need.ts";
import type { Actual, Permission } from "../core/situation.ts";
import { deployRecordSchema } from "../schema/deploy_record.ts";
import { slotSchema, type HostStatus, type Slot } from "../schema/znodes.ts";
import type { FormatGate } from "../store/format.ts";
import { deployPath, slotPath, statusPath } from "../store/paths.ts";
import { fit, type StatusPublisher } from "../store/publish.ts";
import type { Node } from "../store/read_nodes.ts";
import { encode, isDamaged, readRecord, recordIn } from "../store/records.ts";
import { WatchedNodes } from "../store/watched_nodes.ts";
import type { Clock } from "../support/clock.ts";
import { op } from "../zookeeper/client.ts";
import { isZooKeeperError } from "../zookeeper/errors.ts";
import type { Session } from "../zookeeper/session.ts";
import { lookAtService } from "./health.ts";
import type { Observation } from "./observe.ts";
import type { ServiceHost } from "./service_host.ts";
import type { ServiceState } from "./service_state.ts";

/** How long a slot is left alone by which the host may not begin: whoever conducts takes it back, or allows it again. */
const REFUSED_MS = 5_000;
/** How many times in a row the deploy's record may change while the host begins. */
const MOST_TRIES = 5;

/** One host's dealings with the slots of a service: it sees the one that it is granted, and begins by it. */
export class HostSlot {
  readonly #session: Session;
  readonly #service: string;
  readonly #host: string;
  readonly #publisher: StatusPublisher;
  readonly #format: FormatGate;
  readonly #clock: Clock;
  readonly #nodes: WatchedNodes;
  #onChange: () => void = () => {};
  #refusedUntilMs = 0;
  /** The version of the slot's node that was read last; whoever conducts creates it, and changes it for a hold alone. */
  #version = 0;

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
    this.#nodes = new WatchedNodes(session, () => this.#onChange());
  }

  /** The slot that this attempt was granted, or null; `onChange` is called when that may have changed. */
  async granted(deploy: string, attempt: number, onChange: () => void, signal: AbortSignal): Promise<Slot | null> {
    this.#onChange = onChange;
    if (this.#session.state.kind !== "connected" || !this.#format.isKnown) return null;
    if (this.#clock.monotonicMs() < this.#refusedUntilMs) return null;
    const path = slotPath(this.#service, this.#host);
    const node = await this.#nodes.read(path, signal);
    const slot = node === null ? null : readable(node, path);
    this.#version = node?.stat.version ?? 0;
    return slot?.deploy === deploy && slot.attempt === attempt ? slot : null;
  }

  /**
   * Begins by a slot: in one `multi` the slot is still there, the deploy's record still allows it, and the status says
   * that this host has begun. A deploy that is halted, paused or turned round changes its record, so whoever has not begun
   * by then never begins.
   *
   * @param status as it is from then on
   * @param begun records it for this host, before anything else is said to ZooKeeper
   * @returns whether the host may go on
   */
  async begin(slot: Slot, status: HostStatus, begun: () => Promise<void>, signal: AbortSignal): Promise<boolean> {
    using _hold = this.#publisher.hold();
    if (!(await this.#mayBegin(slot, status, signal))) {
      this.#refusedUntilMs = this.#clock.monotonicMs() + REFUSED_MS;
      // What is known of the slot may be out of date in a way that no event will tell.
      this.#nodes.doubt();
      return false;
    }
    this.#publisher.wasWritten(status);
    await begun();
    return true;
  }

  async #mayBegin(slot: Slot, status: HostStatus, signal: AbortSignal): Promise<boolean> {
    const { client } = this.#session;
    const path = deployPath(this.#service, slot.deploy);
    let version = slot.record;
    for (let tries = 1; tries <= MOST_TRIES; tries += 1) {
      try {
        await client.multi(
          [
            op.check(slotPath(this.#service, this.#host), this.#version),
            op.check(path, version),
            op.set(statusPath(this.#service, this.#host), encode(fit(status))),
          ],
          { signal },
        );
        return true;
      } catch (error) {
        if (!isZooKeeperError(error, "BAD_VERSION", "NO_NODE")) {
          // It may be written or not; what this host really does is written again.
          this.#publisher.doubt();
          throw error;
        }
        // Somebody has taken the slot back.
        if (error.index !== 1) return false;
      }
      // The record was changed since the grant: to the deploy's next stage, or to its end.
      const found = await readRecord(client, path, deployRecordSchema, { signal });
      if (found === null || !grantsSlots(found.value) || buildWanted(found.value) !== slot.build) return false;
      ({ version } = found);
    }
    return false;
  }
}

/** What cannot be read grants nothing; whoever conducts tells of it, and takes it away. */
function readable(node: Node, path: string): Slot | null {
  try {
    return recordIn(node, path, slotSchema).value;
  } catch (error) {
    if (isDamaged(error)) return null;
    throw error;
  }
}

export interface PermissionEffects {
  readonly state: ServiceState;
  readonly host: ServiceHost;
  readonly slot: Pick<HostSlot, "granted">;
}

/** Whether this host may be taken out of service now. @param onChange called when that may have changed */
export async function permissionToBegin(
  { state, host, slot }: PermissionEffects,
  { actual }: Observation,
  onChange: () => void,
  signal: AbortSignal,
): Promise<Permission> {
  const { target, deploy, held, build } = state.snapshot;
  if (state.journal.now.activation !== null || target.kind !== "build" || actual.release !== "installed")
    return { kind: "none" };
  // While the wish is held there may be no deploy to request a slot from. Starting again what is down takes nothing out
  // of service.
  if (held !== null) return startsAgain(actual, target.build) ? { kind: "free" } : { kind: "none" };
  const settled = deploy !== null && (deploy.state === "done" || deploy.state === "rolled back");
  // A host that does not have a barred build does not begin it; a host that has it keeps it in service.
  const isNew = actual.current.kind !== "link" || actual.current.build !== target.build;
  const isBarred = isNew && build?.barred !== undefined;
  if (settled && !isBarred && nothingToProtect(actual, target.build)) return { kind: "free" };
  const granted = await slot.granted(target.deploy, state.journal.now.attempt?.number ?? -1, onChange, signal);
  if (granted?.build !== target.build) return { kind: "none" };
  if (granted.wasOut !== true) return { kind: "granted", slot: granted };
  // The slot was granted because the host was out of service already: that must still be so. Otherwise its status says
  // that it is healthy, and whoever conducts takes the slot back.
  await lookAtService(host, state);
  if (state.status().health !== "healthy") return { kind: "granted", slot: granted };
  state.illAt = null;
  return { kind: "none" };
}

function startsAgain(actual: Actual, build: string): boolean {
  return actual.current.kind === "link" && actual.current.build === build && nothingToProtect(actual, build);
}
