import { ZooKeeper, type Stat, type ZooKeeperOptions } from "./client.ts";
import { EphemeralKeeper, type EphemeralHandle } from "./ephemeral.ts";
import { isolate } from "./isolate.ts";
import type { SessionState } from "./state.ts";

/**
 * A ZooKeeper client that outlives its sessions. When one expires, the next is made at once, the registered ephemeral
 * nodes are made again, and a new epoch is announced: whatever was read or watched in the old one must be read again. A
 * refused identity is final: the state stays `auth-failed` and nothing is tried again.
 */
export class Session implements AsyncDisposable {
  readonly #options: ZooKeeperOptions;
  #client: ZooKeeper;
  #epoch = 1;
  #formerSessionId = 0n;
  #closed = false;
  readonly #epochListeners = new Set<(epoch: number) => void>();
  readonly #stateListeners = new Set<(state: SessionState) => void>();
  readonly #ephemerals = new Set<EphemeralKeeper>();

  /** @throws TypeError when `servers` cannot be parsed */
  constructor(options: ZooKeeperOptions) {
    this.#options = options;
    this.#client = this.#newClient();
  }

  /** The client of the current epoch. Ask for it anew after every wait. */
  get client(): ZooKeeper {
    return this.#client;
  }

  /** 1 for the first session, one more for each that follows. */
  get epoch(): number {
    return this.#epoch;
  }

  get state(): SessionState {
    return this.#client.state;
  }

  /** Calls `listener` on each epoch after the current one; returns what stops that. */
  onEpoch(listener: (epoch: number) => void): () => void {
    this.#epochListeners.add(listener);
    return () => this.#epochListeners.delete(listener);
  }

  /** Calls `listener` on each change of state; an expiry shows as `connecting` in a new epoch. */
  onState(listener: (state: SessionState) => void): () => void {
    this.#stateListeners.add(listener);
    return () => this.#stateListeners.delete(listener);
  }

  /**
   * Keeps an ephemeral node at `path` for as long as the handle is not removed: made again in every new session, and
   * when somebody deletes it. Its parent must exist. Where another live session holds the path, `onConflict` gets that
   * node's stat, once for each owner, and the node is made when the other is gone.
   *
   * Resolves when the node is made, or when the first conflict has been reported. Rejects with the `ZooKeeperError` of
   * the first try when that can never succeed (NO_NODE for the parent, NO_AUTH, AUTH_FAILED, CLOSED).
   */
  async ephemeral(
    path: string,
    data: string | Uint8Array,
    onConflict: (owner: Stat) => void = () => undefined,
  ): Promise<EphemeralHandle> {
    const keeper = new EphemeralKeeper({
      clock: this.#options.clock,
      path,
      data,
      onConflict: (stat) => isolate(() => onConflict(stat), this.#options.onError),
      onFailure: (error) => isolate(() => this.#options.onError?.(error)),
      onRemoved: () => this.#ephemerals.delete(keeper),
    });
    this.#ephemerals.add(keeper);
    keeper.use(this.#client, this.#formerSessionId);
    try {
      await keeper.settled;
    } catch (error) {
      keeper.stop();
      this.#ephemerals.delete(keeper);
      throw error;
    }
    return keeper;
  }

  /** Ends the session and with it its ephemeral nodes. Never rejects. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const keeper of this.#ephemerals) keeper.stop();
    this.#ephemerals.clear();
    await this.#client.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #newClient(): ZooKeeper {
    const client = new ZooKeeper(this.#options);
    client.onState((state) => {
      if (client !== this.#client) return;
      // An expiry that is heard of after `close` has no successor.
      if (state.kind === "expired" && this.#closed) return;
      if (state.kind === "expired") this.#renew();
      else this.#tell(state);
    });
    return client;
  }

  #renew(): void {
    this.#formerSessionId = this.#client.sessionId;
    this.#client = this.#newClient();
    this.#epoch += 1;
    const epoch = this.#epoch;
    for (const keeper of this.#ephemerals) keeper.use(this.#client, this.#formerSessionId);
    for (const listener of this.#epochListeners) isolate(() => listener(epoch), this.#options.onError);
    this.#tell(this.#client.state);
  }

  #tell(state: SessionState): void {
    for (const listener of this.#stateListeners) isolate(() => listener(state), this.#options.onError);
  }
}
