import { hostRecordSchema, holdSchema, type HostRecord, type HostStatus } from "../schema/znodes.ts";
import type { FormatGate } from "../store/format.ts";
import { hostPath, slotPath, statusPath } from "../store/paths.ts";
import { fit, type StatusPublisher } from "../store/publish.ts";
import { encode, isDamaged, readRecord, recordIn } from "../store/records.ts";
import { WatchedNodes } from "../store/watched_nodes.ts";
import { op, type Op } from "../zookeeper/client.ts";
import { isZooKeeperError } from "../zookeeper/errors.ts";
import type { Session } from "../zookeeper/session.ts";

export interface HoldSlotOptions {
  readonly session: Session;
  readonly service: string;
  readonly host: string;
  readonly publisher: StatusPublisher;
  readonly format: FormatGate;
}

/** The slot of a person, by which a host leaves: it sees that it is held, and begins to stop by it. */
export class HoldSlot {
  readonly #options: HoldSlotOptions;
  readonly #nodes: WatchedNodes;
  #onChange: () => void = () => {};
  /** The version of the slot's node that was read last. */
  #version = 0;

  constructor(options: HoldSlotOptions) {
    this.#options = options;
    this.#nodes = new WatchedNodes(options.session, () => this.#onChange());
  }

  /** Whether its turn has come; `onChange` is called when that may have changed. */
  async isHeld(onChange: () => void, signal: AbortSignal): Promise<boolean> {
    const { session, service, host, format } = this.#options;
    this.#onChange = onChange;
    if (session.state.kind !== "connected" || !format.isKnown) return false;
    const path = slotPath(service, host);
    const node = await this.#nodes.read(path, signal);
    if (node === null) return false;
    this.#version = node.stat.version;
    try {
      return recordIn(node, path, holdSchema) !== null;
    } catch (error) {
      // It is the slot of a deploy, or cannot be read.
      if (isDamaged(error)) return false;
      throw error;
    }
  }

  /**
   * Begins: in one `multi` the hold is still there, a person still wants the host to leave, and its status says that it has
   * begun. Whoever gives the host back before that keeps it in service.
   *
   * @param status as it is from then on
   * @param begun records it for this host, before anything else is said to ZooKeeper
   * @returns whether the host may go on
   */
  async begin(status: HostStatus, begun: () => Promise<void>, signal: AbortSignal): Promise<boolean> {
    const { service, host } = this.#options;
    const held = op.check(slotPath(service, host), this.#version);
    return this.#says(status, begun, { where: (record) => record.hold?.stop === true, and: [held] }, signal);
  }

  /**
   * Comes back: in one `multi` nobody wants the host to leave, and its status says that it is not stopped any more. Whoever
   * asks again before that finds it stopped, and may forget it; whoever asks later waits until it is stopped anew.
   *
   * @param status as it is from then on
   * @param begun records it for this host, before anything else is said to ZooKeeper
   * @returns whether the host may go on
   */
  async comeBack(status: HostStatus, begun: () => Promise<void>, signal: AbortSignal): Promise<boolean> {
    const { session, format } = this.#options;
    if (session.state.kind !== "connected" || !format.isKnown) return false;
    return this.#says(status, begun, { where: (record) => record.hold?.stop !== true, and: [] }, signal);
  }

  async #says(status: HostStatus, begun: () => Promise<void>, only: OnlyIf, signal: AbortSignal): Promise<boolean> {
    const { session, service, host, publisher } = this.#options;
    using _hold = publisher.hold();
    const record = await readRecord(session.client, hostPath(service, host), hostRecordSchema, { signal });
    if (record === null || !only.where(record.value)) return false;
    try {
      await session.client.multi(
        [
          ...only.and,
          op.check(hostPath(service, host), record.version),
          op.set(statusPath(service, host), encode(fit(status))),
        ],
        { signal },
      );
    } catch (error) {
      this.#nodes.doubt();
      // It may be written or not; what this host really does is written again.
      publisher.doubt();
      if (isZooKeeperError(error, "BAD_VERSION", "NO_NODE")) return false;
      throw error;
    }
    publisher.wasWritten(status);
    await begun();
    return true;
  }
}

/** What has to be so for a word of the host to be written. */
interface OnlyIf {
  readonly where: (record: HostRecord) => boolean;
  readonly and: readonly Op[];
}
