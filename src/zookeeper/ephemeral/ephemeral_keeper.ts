import type { Stat, ZooKeeper } from "../client.ts";
import type { Clock } from "../clock.ts";
import { isZooKeeperError, ZooKeeperError, type ZooKeeperErrorCode } from "../errors.ts";
import { removeEphemeral, type OwnSessions } from "./removal.ts";
import { isTerminal, sessionName, sessionOver } from "../state.ts";

/** An ephemeral node that is kept across sessions. */
export interface EphemeralHandle {
  readonly path: string;
  /** True while the node is known to exist and to be ours. */
  readonly held: boolean;
  /**
   * Changes the data, now and for later sessions. Resolves when it is written. Rejects with the reason if it was not, and
   * then the node keeps the data that it had: NODE_EXISTS while another node has the path, NO_AUTH, TOO_LARGE, NO_NODE
   * for the parent, CLOSED if removed first.
   */
  set(data: string | Uint8Array): Promise<void>;
  /**
   * Stops keeping the node and deletes it; resolves when no node of ours is left. Rejects with the reason if it could not
   * be deleted (NO_AUTH …), and may then be called again.
   */
  remove(): Promise<void>;
}

export interface EphemeralOptions extends OwnSessions {
  readonly clock: Clock;
  readonly path: string;
  readonly data: string | Uint8Array;
  readonly onConflict: (stat: Stat) => void;
  /**
   * Called with the reason why the node cannot be created again, whenever that changes; creation is retried now and then.
   * Called with null when the trouble is over.
   */
  readonly onTrouble: (error: ZooKeeperError | null) => void;
  readonly onRemoved: () => void;
}

interface QueuedSet {
  readonly data: string | Uint8Array;
  readonly done: PromiseWithResolvers<void>;
}

const retryMs = 1_000;
/** Errors that may be transient and are retried. All others are final. */
const passing: readonly ZooKeeperErrorCode[] = [
  "CONNECTION_LOSS",
  "OPERATION_TIMEOUT",
  "REQUEST_TIMEOUT",
  "SESSION_MOVED",
  "THROTTLED",
];

/** Creates one ephemeral node and keeps it in existence. `use` starts it, and starts it again for each new session. */
export class EphemeralKeeper implements EphemeralHandle {
  readonly path: string;
  readonly #options: EphemeralOptions;
  readonly #settled = Promise.withResolvers<void>();
  /** The data that the node has, or is to be created with: the last that was not refused. */
  #data: string | Uint8Array;
  #writes: QueuedSet[] = [];
  #client: ZooKeeper | null = null;
  #stage: "kept" | "removed" | "over" = "kept";
  #held = false;
  /** Whether `#data` is known to be what is in the node. */
  #written = false;
  /** Something has happened at the path since it was last read. */
  #stale = true;
  /** The stat of another's node at the path, once it has been reported. */
  #obstacle: Stat | undefined;
  /** Whether `settled` has reported that the node is ours, or another's: from then on it is kept whatever happens. */
  #answered = false;
  #trouble = "";
  #wake: () => void = () => undefined;
  #rung = false;

  constructor(options: EphemeralOptions) {
    this.path = options.path;
    this.#options = options;
    this.#data = options.data;
    // Whoever awaits it sees the rejection; if the session is closed early, nobody may.
    this.#settled.promise.catch(() => undefined);
  }

  get held(): boolean {
    return this.#held;
  }

  /** Resolves when the node is ours or a conflict has been reported. */
  get settled(): Promise<void> {
    return this.#settled.promise;
  }

  use(client: ZooKeeper): void {
    this.#client = client;
    this.#held = false;
    this.#written = false;
    this.#stale = true;
    this.#obstacle = undefined;
    this.#ring();
    void this.#keep(client);
  }

  async set(data: string | Uint8Array): Promise<void> {
    if (this.#stage !== "kept") throw this.#closed();
    const { state } = this.#options.client();
    if (isTerminal(state)) throw sessionOver(state, "ephemeral", this.path);
    const done = Promise.withResolvers<void>();
    this.#writes.push({ data, done });
    this.#ring();
    await done.promise;
  }

  async remove(): Promise<void> {
    if (this.#stage === "over") return;
    if (this.#stage === "kept") this.#end("removed", this.#closed());
    this.#options.onRemoved();
    await removeEphemeral(this.path, this.#options);
  }

  /** Stops keeping the node without deleting it, because its session ends anyway. */
  stop(): void {
    if (this.#stage === "kept") this.#end("over", this.#closed());
    this.#stage = "over";
  }

  #end(stage: "removed" | "over", error: unknown): void {
    this.#stage = stage;
    this.#held = false;
    this.#settled.reject(error);
    this.#refuseWrites(error);
    this.#ring();
  }

  #refuseWrites(error: unknown): void {
    for (const { done } of this.#writes) done.reject(error);
    this.#writes = [];
  }

  #current(client: ZooKeeper): boolean {
    return this.#stage === "kept" && this.#client === client;
  }

  async #keep(client: ZooKeeper): Promise<void> {
    while (this.#current(client)) {
      try {
        if (await this.#round(client)) await this.#event();
      } catch (error) {
        if (!this.#current(client)) return;
        const final = !isZooKeeperError(error) || isTerminal(client.state);
        // An expired session is followed by another one; every other end is final.
        if (final && client.state.kind === "expired") return;
        const passes = !final && isZooKeeperError(error, ...passing);
        if (!passes) this.#refuse(error);
        if (final || !(passes || this.#answered)) return;
        this.#stale = true;
        this.#options.clock.afterIdly(retryMs, () => this.#ring());
        await this.#event();
      }
    }
  }

  /** The node cannot be created, or not be written. */
  #refuse(error: unknown): void {
    this.#held = false;
    this.#settled.reject(error);
    this.#refuseWrites(error);
    if (this.#answered && isZooKeeperError(error)) this.#tell(error);
  }

  #tell(error: ZooKeeperError | null): void {
    const trouble = error?.message ?? "";
    if (trouble === this.#trouble) return;
    this.#trouble = trouble;
    this.#options.onTrouble(error);
  }

  #answer(): void {
    this.#answered = true;
    this.#settled.resolve();
  }

  /** One step towards the desired state of the node; true if there is nothing to do until something happens. */
  async #round(client: ZooKeeper): Promise<boolean> {
    if (this.#stale) await this.#look(client);
    if (!this.#current(client) || this.#stale) return false;
    if (!this.#held) {
      if (this.#obstacle !== undefined) this.#refuseWrites(this.#taken(this.#obstacle));
      return true;
    }
    if (!this.#written) await this.#write(client, this.#data);
    const [write] = this.#writes;
    if (this.#written && write !== undefined) await this.#carryOut(client, write);
    if (!this.#written || this.#stale || !this.#current(client)) return false;
    this.#tell(null);
    this.#answer();
    return this.#writes.length === 0;
  }

  /** Creates the node if there is none, and finds out whose it is. */
  async #look(client: ZooKeeper): Promise<void> {
    this.#stale = false;
    if (!this.#held && this.#obstacle === undefined) {
      this.#written = false;
      try {
        await client.create(this.path, this.#data, { mode: "ephemeral" });
        this.#written = true;
      } catch (error) {
        if (!isZooKeeperError(error, "NODE_EXISTS")) throw error;
      }
    }
    const stat = await client.exists(this.path, { watch: this.#changed });
    if (!this.#current(client)) return;
    this.#held = stat !== null && stat.ephemeralOwner === client.sessionId;
    if (stat === null) this.#stale = true;
    // A node of one of our own former sessions will soon expire on the servers as well.
    const foreign = stat !== null && !this.#options.isOurs(stat.ephemeralOwner) ? stat : undefined;
    const told = this.#obstacle?.czxid === foreign?.czxid;
    this.#obstacle = foreign;
    if (foreign === undefined || told) return;
    this.#options.onConflict(foreign);
    this.#answer();
  }

  async #carryOut(client: ZooKeeper, write: QueuedSet): Promise<void> {
    try {
      if (!(await this.#write(client, write.data))) return;
      this.#data = write.data;
      write.done.resolve();
    } catch (error) {
      // After a transient error, or the end of the session, the data will be written later; not after a timeout that the
      // client's owner has set.
      const waits = isZooKeeperError(error, ...passing) && !isZooKeeperError(error, "OPERATION_TIMEOUT");
      if (waits || isTerminal(client.state)) throw error;
      write.done.reject(error);
    }
    this.#writes = this.#writes.filter((each) => each !== write);
  }

  /** False if the node did not exist any more, or was not ours. */
  async #write(client: ZooKeeper, data: string | Uint8Array): Promise<boolean> {
    const before = this.#written;
    this.#written = false;
    try {
      const { ephemeralOwner } = await client.set(this.path, data);
      this.#written = ephemeralOwner === client.sessionId;
    } catch (error) {
      if (!isZooKeeperError(error, "NO_NODE")) {
        if (isZooKeeperError(error) && error.outcome !== "unknown") this.#written = before;
        throw error;
      }
    }
    if (this.#written) return true;
    this.#held = false;
    this.#stale = true;
    return false;
  }

  readonly #changed = (): void => {
    this.#stale = true;
    this.#ring();
  };

  readonly #ring = (): void => {
    this.#rung = true;
    this.#wake();
  };

  async #event(): Promise<void> {
    const woken = Promise.withResolvers<void>();
    this.#wake = woken.resolve;
    if (this.#rung) woken.resolve();
    await woken.promise;
    this.#rung = false;
  }

  #closed(): ZooKeeperError {
    return new ZooKeeperError({ code: "CLOSED", operation: "ephemeral", path: this.path, outcome: "not-sent" });
  }

  #taken({ ephemeralOwner }: Stat): ZooKeeperError {
    const detail =
      ephemeralOwner === 0n
        ? "a node that is not ephemeral has the path"
        : `session ${sessionName(ephemeralOwner)} has it`;
    return new ZooKeeperError({
      code: "NODE_EXISTS",
      operation: "ephemeral",
      path: this.path,
      outcome: "refused",
      detail,
    });
  }
}
