import type { Stat, ZooKeeper } from "./client.ts";
import type { Clock } from "./clock.ts";
import { isZooKeeperError, ZooKeeperError, type ZooKeeperErrorCode } from "./errors.ts";

/** An ephemeral node that is kept over sessions. */
export interface EphemeralHandle {
  readonly path: string;
  /** True while the node is known to be ours. */
  readonly held: boolean;
  /** Changes the data, now and for later sessions; resolves when it is written, rejects with CLOSED when removed first. */
  set(data: string | Uint8Array): Promise<void>;
  /** Deletes the node and stops keeping it; resolves when it is deleted or its session is over. */
  remove(): Promise<void>;
}

export interface EphemeralOptions {
  readonly clock: Clock;
  readonly path: string;
  readonly data: string | Uint8Array;
  readonly onConflict: (stat: Stat) => void;
  /** A later try failed in a way that only a person can mend; it is tried again now and then. */
  readonly onFailure: (error: unknown) => void;
  readonly onRemoved: () => void;
}

// Between tries that a person must help (parent missing, not allowed), and after a try whose answer was lost.
const retryMs = 1_000;
const hopeless: readonly ZooKeeperErrorCode[] = ["NO_NODE", "NO_AUTH", "INVALID_ACL", "BAD_ARGUMENTS", "TOO_LARGE"];
const sessionOver: readonly ZooKeeperErrorCode[] = ["SESSION_EXPIRED", "CLOSED", "AUTH_FAILED"];

/** Makes one ephemeral node and sees to it that it stays. `use` starts it, and starts it anew for each new session. */
export class EphemeralKeeper implements EphemeralHandle {
  readonly path: string;
  readonly #options: EphemeralOptions;
  readonly #settled = Promise.withResolvers<void>();
  #data: string | Uint8Array;
  #client: ZooKeeper | null = null;
  #stopped = false;
  #held = false;
  /** What is known to be in the node; undefined when it must be written. */
  #written: string | Uint8Array | undefined;
  #wake: () => void = () => undefined;
  #rung = false;
  #reportedOwner = 0n;
  #writes: PromiseWithResolvers<void>[] = [];

  constructor(options: EphemeralOptions) {
    this.path = options.path;
    this.#options = options;
    this.#data = options.data;
    // Whoever awaits it sees the rejection; nobody may, when the session is closed early.
    this.#settled.promise.catch(() => undefined);
  }

  get held(): boolean {
    return this.#held;
  }

  /** Resolves when the node is ours or a conflict has been reported. */
  get settled(): Promise<void> {
    return this.#settled.promise;
  }

  /** @param formerSessionId of our own last session: its node is on its way out and no conflict */
  use(client: ZooKeeper, formerSessionId: bigint): void {
    this.#client = client;
    this.#held = false;
    this.#written = undefined;
    this.#ring();
    void this.#keep(client, formerSessionId);
  }

  async set(data: string | Uint8Array): Promise<void> {
    if (this.#stopped) throw closed(this.path);
    this.#data = data;
    const written = Promise.withResolvers<void>();
    this.#writes.push(written);
    this.#ring();
    await written.promise;
  }

  async remove(): Promise<void> {
    if (this.#stopped) return;
    this.stop();
    this.#options.onRemoved();
    const client = this.#client;
    if (client === null) return;
    for (;;) {
      try {
        const stat = await client.exists(this.path);
        if (stat !== null && stat.ephemeralOwner === client.sessionId) await client.delete(this.path);
        return;
      } catch (error) {
        // A delete whose answer was lost is looked at again; everything else leaves nothing to delete.
        if (!isZooKeeperError(error, "CONNECTION_LOSS", "OPERATION_TIMEOUT")) return;
      }
    }
  }

  /** Stops keeping it without touching the node. */
  stop(): void {
    this.#stopped = true;
    this.#held = false;
    const error = closed(this.path);
    this.#settled.reject(error);
    for (const write of this.#writes) write.reject(error);
    this.#writes = [];
    this.#ring();
  }

  async #keep(client: ZooKeeper, formerSessionId: bigint): Promise<void> {
    while (!this.#stopped && this.#client === client) {
      try {
        if (await this.#round(client, formerSessionId)) await this.#event();
      } catch (error) {
        if (isZooKeeperError(error, ...sessionOver)) {
          if (isZooKeeperError(error, "AUTH_FAILED", "CLOSED")) this.#settled.reject(error);
          return;
        }
        this.#held = false;
        if (isZooKeeperError(error, ...hopeless)) {
          this.#settled.reject(error);
          this.#options.onFailure(error);
        }
        this.#options.clock.afterIdly(retryMs, () => this.#ring());
        await this.#event();
      }
    }
  }

  /** One look at the node and one step towards having it; true when there is nothing to do until something happens. */
  async #round(client: ZooKeeper, formerSessionId: bigint): Promise<boolean> {
    const data = this.#data;
    if (!this.#held && this.#reportedOwner === 0n) {
      try {
        await client.create(this.path, data, { mode: "ephemeral" });
        this.#written = data;
      } catch (error) {
        if (!isZooKeeperError(error, "NODE_EXISTS")) throw error;
      }
    }
    const stat = await client.exists(this.path, { watch: this.#ring });
    if (this.#stopped || this.#client !== client) return false;
    if (stat === null) {
      this.#held = false;
      this.#reportedOwner = 0n;
      return false;
    }
    if (stat.ephemeralOwner !== client.sessionId) {
      this.#held = false;
      this.#conflict(stat, formerSessionId);
      return true;
    }
    if (this.#written !== data) {
      await client.set(this.path, data);
      this.#written = data;
    }
    this.#reportedOwner = 0n;
    if (this.#client !== client) return false;
    this.#held = true;
    this.#settled.resolve();
    if (this.#data !== data) return false;
    for (const write of this.#writes) write.resolve();
    this.#writes = [];
    return true;
  }

  #conflict(stat: Stat, formerSessionId: bigint): void {
    if (stat.ephemeralOwner === this.#reportedOwner) return;
    this.#reportedOwner = stat.ephemeralOwner;
    if (stat.ephemeralOwner === formerSessionId && formerSessionId !== 0n) return;
    this.#options.onConflict(stat);
    this.#settled.resolve();
  }

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
}

function closed(path: string): ZooKeeperError {
  return new ZooKeeperError({ code: "CLOSED", operation: "ephemeral", path, outcome: "not-sent" });
}
