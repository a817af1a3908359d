import { isDeployError } from "../core/errors.ts";
import { throwIfAborted } from "../support/abort.ts";
import type { Clock } from "../support/clock.ts";
import type { ZooKeeper } from "../zookeeper/client.ts";
import { isZooKeeperError } from "../zookeeper/errors.ts";
import { isTerminal } from "../zookeeper/state.ts";

const RETRY_MS = 250;

/** A client for commands that outlive a ZooKeeper session: it is opened again when its session expires. */
export class LastingConnection implements AsyncDisposable {
  /** The clock of the machine that this command runs on. */
  readonly clock: Clock;
  readonly #open: (signal: AbortSignal) => Promise<ZooKeeper>;
  readonly #ending = new AbortController();
  readonly #signal: AbortSignal;
  readonly #listeners = new Set<() => void>();
  #zk: ZooKeeper | null = null;
  #opening: Promise<ZooKeeper> | null = null;
  #failure: Error | null = null;

  /** @param open makes a client that is closed when the signal it is given is aborted */
  constructor(open: (signal: AbortSignal) => Promise<ZooKeeper>, signal: AbortSignal, clock: Clock) {
    this.clock = clock;
    this.#open = open;
    this.#signal = AbortSignal.any([signal, this.#ending.signal]);
  }

  /** Returns the client, and connects first if necessary. @throws DeployError `zookeeper-unreachable` */
  async client(): Promise<ZooKeeper> {
    if (this.#zk !== null && !isTerminal(this.#zk.state)) return this.#zk;
    throwIfAborted(this.#signal, "connect to ZooKeeper");
    this.#opening ??= this.#reopen();
    return this.#opening;
  }

  /**
   * The client if it is connected now; otherwise null, and a try to connect is under way.
   *
   * @throws what the last try threw, if another try would fail in the same way
   */
  connected(): ZooKeeper | null {
    if (this.#zk?.state.kind === "connected") return this.#zk;
    if (this.#failure !== null && !mayPass(this.#failure) && !this.#signal.aborted) throw this.#failure;
    if ((this.#zk === null || isTerminal(this.#zk.state)) && this.#opening === null && !this.#signal.aborted) {
      // The cause of the failure is kept in `reason`; the next call retries.
      this.client().catch(() => {});
    }
    return null;
  }

  /** It was tried, and there is none; not only that it is still tried for the first time. */
  get hasFailed(): boolean {
    return this.#failure !== null || this.#zk !== null;
  }

  /** Why there is no connection, for people. */
  get reason(): string {
    const state = this.#zk?.state;
    if (state?.kind === "suspended") return state.reason;
    if (state?.kind === "expired") return `the session is over: ${state.reason}`;
    return this.#failure?.message ?? "connecting";
  }

  /** Calls `listener` on every change of the connection. Returns a function that unsubscribes it. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#zk?.close();
    // A client that is just being opened must be closed too.
    this.#ending.abort();
    await this.#opening?.catch(() => {});
  }

  async #reopen(): Promise<ZooKeeper> {
    try {
      const zk = await this.#open(this.#signal);
      zk.onState(() => this.#tell());
      this.#zk = zk;
      this.#failure = null;
      return zk;
    } catch (error) {
      this.#failure = error instanceof Error ? error : new Error(String(error));
      throw error;
    } finally {
      this.#opening = null;
      this.#tell();
    }
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}

/** True for failures that may be transient, and are worth a retry. */
export function mayPass(error: unknown): boolean {
  return isZooKeeperError(error) || (isDeployError(error) && error.retry && error.code !== "aborted");
}

/**
 * Retries an idempotent change until it is answered, for at most `forMs` milliseconds.
 *
 * @param change is told how many of them are left
 * @throws what the last try threw
 */
export async function insist<T>(
  connection: LastingConnection,
  signal: AbortSignal,
  forMs: number,
  change: (zk: ZooKeeper, leftMs: number) => Promise<T>,
): Promise<T> {
  const endsAt = connection.clock.monotonicMs() + forMs;
  for (;;) {
    try {
      const zk = await connection.client();
      return await change(zk, endsAt - connection.clock.monotonicMs());
    } catch (error) {
      // Who is refused by name is refused again, and hears why at once; a picture that is refused only grows stale.
      const isRefused = isZooKeeperError(error, "NO_AUTH", "AUTH_FAILED");
      if (signal.aborted || isRefused || !mayPass(error) || connection.clock.monotonicMs() >= endsAt) throw error;
      await connection.clock.sleep(RETRY_MS, signal);
    }
  }
}
