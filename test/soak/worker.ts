import { systemClock } from "../../src/support/clock.ts";
import { op, ZooKeeper, type Op } from "../../src/zookeeper/client.ts";
import { isZooKeeperError } from "../../src/zookeeper/errors.ts";
import { Model, same, shown, type Change, type Expected } from "./model.ts";

const KEYS = 20;
const SESSION_MS = 4_000;
/** A call that takes longer than any fault lasts has been forgotten. */
const CALL_MS = 60_000;

export interface Counts {
  operations: number;
  unknown: number;
  sessionsLost: number;
  events: number;
  differences: string[];
}

/**
 * Writes its own part of the tree at random and knows what must be there. A write whose answer was lost is looked up
 * behind a write that was answered: by then it has happened or never will.
 */
export class Worker {
  readonly #servers: string;
  readonly #root: string;
  readonly #random: () => number;
  readonly #counts: Counts;
  readonly #model = new Model();
  readonly #watched = (): void => void (this.#counts.events += 1);
  #zk: ZooKeeper;
  #serial = 0;

  constructor(name: string, servers: string, random: () => number, counts: Counts) {
    this.#root = `/${name}`;
    this.#servers = servers;
    this.#random = random;
    this.#counts = counts;
    this.#zk = this.#open();
  }

  async prepare(): Promise<void> {
    await this.#zk.create(this.#root);
    await this.#zk.create(`${this.#root}/barrier`);
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#one();
      } catch (error) {
        await this.#afterFailure(error);
      }
    }
  }

  /** Everything as the model has it, asked of the given server, after it has caught up. */
  async verify(server: string): Promise<void> {
    await this.#barrier();
    await using zk = new ZooKeeper({ clock: systemClock, servers: server, operationTimeoutMs: CALL_MS });
    await zk.sync("/");
    for (const path of this.#model.paths) this.#compare(path, this.#model.at(path), await stateOf(zk, path), server);
  }

  /** Takes back every watch; the server must then have none of this session. */
  async removeWatches(): Promise<void> {
    await this.#barrier();
    for (let key = 0; key < KEYS; key++) {
      const path = `${this.#root}/k${key}`;
      await this.#zk.removeWatches(path).catch((error: unknown) => {
        if (!isZooKeeperError(error, "NO_WATCHER")) throw error;
      });
    }
  }

  async close(): Promise<void> {
    await this.#zk.close();
  }

  #open(): ZooKeeper {
    return new ZooKeeper({
      clock: systemClock,
      servers: this.#servers,
      sessionTimeoutMs: SESSION_MS,
      operationTimeoutMs: CALL_MS,
    });
  }

  async #one(): Promise<void> {
    this.#counts.operations += 1;
    const path = `${this.#root}/k${Math.floor(this.#random() * KEYS)}`;
    const expected = this.#model.at(path);
    const choice = this.#random();
    if (choice < 0.3) {
      this.#compare(path, expected, await stateOf(this.#zk, path), "a read");
      return;
    }
    if (choice < 0.35) {
      await this.#zk.exists(path, { watch: this.#watched });
      return;
    }
    if (choice < 0.4) {
      // Somebody else's version: must be refused, and change nothing.
      await this.#zk.set(path, "wrong", 1_000_000).then(
        () => this.#differ(`${path} took a write for a version that it never had`),
        (error: unknown) => {
          if (!isZooKeeperError(error, "BAD_VERSION", "NO_NODE")) throw error;
        },
      );
      return;
    }
    if (choice < 0.55) return this.#both(path);
    return this.#write(this.#changeOf(path, expected));
  }

  #changeOf(path: string, before: Expected): Change {
    this.#serial += 1;
    const data = `${this.#serial}`;
    if (before === null) return { path, before, after: { data, version: 0 } };
    return { path, before, after: this.#random() < 0.2 ? null : { data, version: before.version + 1 } };
  }

  async #write(change: Change): Promise<void> {
    await this.#settle([change], async () => {
      const { path, before, after } = change;
      if (before === null) await this.#zk.create(path, after?.data ?? "");
      else if (after === null) await this.#zk.delete(path, before.version);
      else await this.#zk.set(path, after.data, before.version);
    });
  }

  /** Two nodes change together or not at all. */
  async #both(path: string): Promise<void> {
    const other = `${this.#root}/k${Math.floor(this.#random() * KEYS)}`;
    if (other === path) return;
    const changes = [path, other].map((each) => this.#changeOf(each, this.#model.at(each)));
    const ops = changes.map(({ path: at, before, after }): Op => {
      if (before === null) return op.create(at, after?.data ?? "");
      return after === null ? op.delete(at, before.version) : op.set(at, after.data, before.version);
    });
    await this.#settle(changes, async () => void (await this.#zk.multi(ops)));
  }

  async #settle(changes: readonly Change[], write: () => Promise<void>): Promise<void> {
    try {
      await write();
    } catch (error) {
      if (!isZooKeeperError(error) || error.outcome !== "unknown") {
        if (isZooKeeperError(error) && error.outcome === "refused" && !isTransient(error)) {
          this.#differ(`${changes.map(({ path }) => path).join(" and ")}: refused with ${error.code}`);
        }
        throw error;
      }
      this.#counts.unknown += 1;
      await this.#lookUp(changes);
      return;
    }
    for (const { path, after } of changes) this.#model.put(path, after);
  }

  async #lookUp(changes: readonly Change[]): Promise<void> {
    for (;;) {
      try {
        await this.#barrier();
        const found = await Promise.all(changes.map(async ({ path }) => stateOf(this.#zk, path)));
        const all = (which: "before" | "after") => changes.every((each, n) => same(each[which], found[n] ?? null));
        if (!all("before") && !all("after")) {
          const seen = changes.map(({ path }, n) => `${path} holds ${shown(found[n] ?? null)}`).join(", ");
          this.#differ(`a lost write was done in part or otherwise: ${seen}`);
        }
        for (const [n, { path }] of changes.entries()) this.#model.put(path, found[n] ?? null);
        return;
      } catch (error) {
        await this.#afterFailure(error);
      }
    }
  }

  /** Returns when a write of this session has been answered: all that went before is in order behind it. */
  async #barrier(): Promise<void> {
    for (;;) {
      try {
        await this.#zk.set(`${this.#root}/barrier`, "");
        return;
      } catch (error) {
        await this.#afterFailure(error);
      }
    }
  }

  async #afterFailure(error: unknown): Promise<void> {
    if (!isZooKeeperError(error)) throw error;
    if (error.code === "SESSION_EXPIRED") {
      this.#counts.sessionsLost += 1;
      await this.#zk.close();
      this.#zk = this.#open();
    } else if (error.code === "OPERATION_TIMEOUT") {
      this.#differ(`${error.operation} was not answered within ${CALL_MS} ms`);
    }
    await Bun.sleep(10);
  }

  #compare(path: string, expected: Expected, found: Expected, where: string): void {
    if (!same(expected, found)) this.#differ(`${path} at ${where}: expected ${shown(expected)}, found ${shown(found)}`);
  }

  #differ(text: string): void {
    this.#counts.differences.push(text);
  }
}

function isTransient(error: { code: string }): boolean {
  return ["CONNECTION_LOSS", "SESSION_MOVED", "THROTTLED", "SESSION_EXPIRED"].includes(error.code);
}

async function stateOf(zk: ZooKeeper, path: string): Promise<Expected> {
  try {
    const { data, stat } = await zk.get(path);
    return { data: new TextDecoder().decode(data), version: stat.version };
  } catch (error) {
    if (isZooKeeperError(error, "NO_NODE")) return null;
    throw error;
  }
}
