import { ZooKeeper, type Stat, type ZooKeeperOptions } from "./client.ts";
import { EphemeralKeeper, type EphemeralHandle } from "./ephemeral/ephemeral_keeper.ts";
import type { ZooKeeperError } from "./errors.ts";
import { isolate } from "./session/isolate.ts";
import type { SessionState } from "./state.ts";

/** `reason`: why the previous session is over. */
export type EpochListener = (epoch: number, reason: string) => void;

/**
 * A ZooKeeper client that outlives its sessions. When a session expires, or no server could be reached for 1.5 times its
 * timeout, the next one is created at once, the registered ephemeral nodes are created again, and a new epoch is
 * announced: whatever was read or watched in the old epoch must be read again. A refused identity is final: the state
 * stays `auth-failed` and nothing is retried.
 */
export class Session implements AsyncDisposable {
  readonly #options: ZooKeeperOptions;
  #client: ZooKeeper;
  #epoch = 1;
  /** Ids of our former sessions. A server that was out of reach may keep them and their nodes for a while. */
  readonly #former = new Set<bigint>();
  /** Why the last session is over. */
  #lost: string | undefined;
  #closed = false;
  readonly #epochListeners = new Set<EpochListener>();
  readonly #stateListeners = new Set<(state: SessionState) => void>();
  readonly #ephemerals = new Set<EphemeralKeeper>();

  /** @throws TypeError when `servers` cannot be parsed */
  constructor(options: ZooKeeperOptions) {
    this.#options = options;
    this.#client = this.#newClient(options);
  }

  /** The client of the current epoch. Get it again after every wait. */
  get client(): ZooKeeper {
    return this.#client;
  }

  /** 1 for the first session, one more for each that follows. */
  get epoch(): number {
    return this.#epoch;
  }

  /** If there is no session yet and no attempt has failed yet, the reason is why the previous session is over. */
  get state(): SessionState {
    const { state } = this.#client;
    if (state.kind !== "connecting" || state.reason !== undefined || this.#lost === undefined) return state;
    return { kind: "connecting", reason: this.#lost };
  }

  /** Calls `listener` on each later epoch; returns a function that unsubscribes it. */
  onEpoch(listener: EpochListener): () => void {
    this.#epochListeners.add(listener);
    return () => this.#epochListeners.delete(listener);
  }

  /** Calls `listener` on each change of state; an expired session shows as `connecting` in a new epoch. */
  onState(listener: (state: SessionState) => void): () => void {
    this.#stateListeners.add(listener);
    return () => this.#stateListeners.delete(listener);
  }

  /**
   * Keeps an ephemeral node at `path` until the handle is removed: it is created again in every new session, and when
   * somebody deletes it. Its parent must exist. If the path is taken, by another live session or by a node that is not
   * ephemeral (its owner is 0), `onConflict` gets that node's stat, once for each such node, and ours is created when the
   * other is gone. `onTrouble` gets the error that keeps the node from being created again, once for as long as it is the
   * same, and null when that is over; without `onTrouble`, `onError` of the client's options gets the error.
   *
   * Resolves when the node is created, or when the first conflict has been reported. Otherwise rejects with the
   * `ZooKeeperError` of the first attempt (NO_NODE for the parent, NO_AUTH, TOO_LARGE, AUTH_FAILED, CLOSED …); only a
   * missing connection is waited for.
   */
  async ephemeral(
    path: string,
    data: string | Uint8Array,
    onConflict: (owner: Stat) => void = () => undefined,
    onTrouble?: (error: ZooKeeperError | null) => void,
  ): Promise<EphemeralHandle> {
    const { clock, onError } = this.#options;
    const keeper = new EphemeralKeeper({
      clock,
      path,
      data,
      client: () => this.#client,
      isOurs: (id) => id !== 0n && (id === this.#client.sessionId || this.#former.has(id)),
      onConflict: (stat) => isolate(onConflict, stat, onError),
      onTrouble: (error) => {
        if (onTrouble !== undefined) isolate(onTrouble, error, onError);
        else if (error !== null && onError !== undefined) isolate(onError, error);
      },
      onRemoved: () => this.#ephemerals.delete(keeper),
    });
    this.#ephemerals.add(keeper);
    keeper.use(this.#client);
    try {
      await keeper.settled;
    } catch (error) {
      keeper.stop();
      this.#ephemerals.delete(keeper);
      throw error;
    }
    return keeper;
  }

  /** Ends the session, and with it its ephemeral nodes. Never rejects. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const keeper of this.#ephemerals) keeper.stop();
    this.#ephemerals.clear();
    await this.#client.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #newClient(options: ZooKeeperOptions): ZooKeeper {
    const client = new ZooKeeper(options);
    client.onState((state) => {
      if (client !== this.#client) return;
      // A session that expires after `close` has no successor.
      if (state.kind === "expired" && this.#closed) return;
      if (state.kind === "expired") this.#renew(state.reason);
      else this.#tell(state);
    });
    return client;
  }

  #renew(reason: string): void {
    this.#former.add(this.#client.sessionId);
    this.#lost = `the session before is over: ${reason}`;
    this.#client = this.#newClient({ ...this.#options, afterLoss: true });
    this.#epoch += 1;
    const epoch = this.#epoch;
    for (const keeper of this.#ephemerals) keeper.use(this.#client);
    for (const listener of this.#epochListeners)
      isolate(() => listener(epoch, reason), undefined, this.#options.onError);
    this.#tell(this.state);
  }

  #tell(state: SessionState): void {
    for (const listener of this.#stateListeners) isolate(listener, state, this.#options.onError);
  }
}
