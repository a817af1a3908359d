import { FIRST_FORMAT, formatProblem, SPEAKS } from "../core/format.ts";
import { isDeployError, type DeployError } from "../core/errors.ts";
import { treeRecordSchema } from "../schema/znodes.ts";
import { Bell } from "../support/bell.ts";
import type { Clock } from "../support/clock.ts";
import type { ZooKeeper } from "../zookeeper/client.ts";
import { isZooKeeperError } from "../zookeeper/errors.ts";
import type { Session } from "../zookeeper/session.ts";
import { attempting } from "./errors.ts";
import { rootPath, servicesPath } from "./paths.ts";
import { childrenOf, encode, readRecord, readSlot, type ReadOptions } from "./records.ts";

/**
 * The format of the tree. Where its root says none it is the first one, or there is no service in it yet: then it is to
 * have the format of whoever makes the first service.
 */
async function readFormat(zk: ZooKeeper, options: ReadOptions = {}): Promise<number> {
  const said = await saidFormat(zk, options);
  if (said !== null) return said;
  if ((await servicesIn(zk, options)).length === 0) return SPEAKS;
  // The format is written before the first service is made: both may have happened since the root was read.
  return (await saidFormat(zk, options)) ?? FIRST_FORMAT;
}

async function saidFormat(zk: ZooKeeper, options: ReadOptions): Promise<number | null> {
  return (await readRecord(zk, rootPath, treeRecordSchema, options))?.value.format ?? null;
}

async function servicesIn(zk: ZooKeeper, { signal }: ReadOptions = {}): Promise<string[]> {
  return childrenOf(zk, servicesPath, signal === undefined ? {} : { signal });
}

/**
 * For a caller that uses the tree once: refuses a tree of another format.
 *
 * @throws DeployError `format-unknown`
 */
export async function assertFormat(zk: ZooKeeper, version: string): Promise<void> {
  const problem = await attempting("Cannot read the format of the tree", async () =>
    formatProblem(await readFormat(zk), version),
  );
  if (problem !== null) throw problem;
}

/** Writes the format at the root of a tree that says none, and has no service yet. */
export async function stampFormat(zk: ZooKeeper): Promise<void> {
  const root = await readSlot(zk, rootPath, treeRecordSchema);
  if (root === null || root.value !== null || (await servicesIn(zk)).length > 0) return;
  try {
    await zk.set(rootPath, encode({ format: SPEAKS }), root.version);
  } catch (error) {
    // Somebody else was faster; what they wrote stands.
    if (!isZooKeeperError(error, "BAD_VERSION")) throw error;
  }
}

const LOOK_AGAIN_MS = 1_000;

type FormatState =
  | { readonly kind: "unread" }
  | { readonly kind: "known"; readonly epoch: number }
  | { readonly kind: "refused"; readonly problem: DeployError };

/** Whether a long-running user of the tree may work with it now. */
export interface FormatGate {
  /** False also until the format was read in this session: somebody may have replaced the tree. */
  readonly isKnown: boolean;
  /** Why the tree is left alone; null where nothing is wrong, or where it was not read yet. */
  readonly problem: DeployError | null;
  /** Calls `listener` when either may have changed; returns a function that unsubscribes it. */
  onChange(listener: () => void): () => void;
  /** Returns when the format is known, or when the signal is aborted. */
  known(signal: AbortSignal): Promise<void>;
}

/**
 * Follows the tree's format until it is disposed of, with one read and one watch for each session (and one more read in a
 * tree whose root says none). While the format is another than this deployd understands, or cannot be read, everything
 * that waits for this gate reads and writes nothing in the tree.
 */
export class TreeFormat implements FormatGate, AsyncDisposable {
  readonly #session: Session;
  readonly #version: string;
  readonly #clock: Clock;
  readonly #onProblem: (problem: DeployError | null) => void;
  readonly #onUnread: (error: unknown) => void;
  readonly #listeners = new Set<() => void>();
  readonly #stop = new AbortController();
  readonly #following: Promise<void>;
  #state: FormatState = { kind: "unread" };

  /**
   * @param onProblem called with the reason why the tree is left alone, and with null once it is not any more
   * @param onUnread called with the reason why the format cannot be read, and with null once it is
   */
  constructor(
    session: Session,
    version: string,
    clock: Clock,
    onProblem: (problem: DeployError | null) => void,
    onUnread: (error: unknown) => void = () => {},
  ) {
    this.#onUnread = onUnread;
    this.#session = session;
    this.#version = version;
    this.#clock = clock;
    this.#onProblem = onProblem;
    this.#following = this.#follow(this.#stop.signal);
  }

  get isKnown(): boolean {
    return this.#state.kind === "known" && this.#state.epoch === this.#session.epoch;
  }

  get problem(): DeployError | null {
    return this.#state.kind === "refused" ? this.#state.problem : null;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async known(signal: AbortSignal): Promise<void> {
    const bell = new Bell(this.#clock);
    const stop = this.onChange(bell.ring);
    try {
      while (!this.isKnown && !signal.aborted) await bell.wait(2 ** 30, signal);
    } finally {
      stop();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#following;
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const session = this.#session;
    const bell = new Bell(this.#clock);
    const stops = [session.onEpoch(bell.ring), session.onState(bell.ring)];
    let readIn = 0;
    const watch = (): void => {
      readIn = 0;
      bell.ring();
    };
    try {
      while (!signal.aborted) {
        const { epoch } = session;
        let waitMs = 2 ** 30;
        if (session.state.kind === "connected" && readIn !== epoch) {
          readIn = epoch;
          const state = await this.#read(epoch, watch, signal);
          if (state === null) [readIn, waitMs] = [0, LOOK_AGAIN_MS];
          else this.#enter(state);
        }
        await bell.wait(waitMs, signal);
      }
    } finally {
      for (const stop of stops) stop();
    }
  }

  /** Null when ZooKeeper did not answer. */
  async #read(epoch: number, watch: () => void, signal: AbortSignal): Promise<FormatState | null> {
    try {
      const zk = this.#session.client;
      // Another server may answer the new session and lag behind; it must not show an older state of the tree.
      await zk.sync(rootPath, { signal });
      const problem = formatProblem(await readFormat(zk, { watch, signal }), this.#version);
      this.#onUnread(null);
      return problem === null ? { kind: "known", epoch } : { kind: "refused", problem };
    } catch (error) {
      if (isDeployError(error)) return { kind: "refused", problem: error };
      if (!signal.aborted) this.#onUnread(error);
      return null;
    }
  }

  #enter(state: FormatState): void {
    const before = this.problem;
    this.#state = state;
    if (before?.message !== this.problem?.message) this.#onProblem(this.problem);
    for (const listener of this.#listeners) listener();
  }
}
