import { systemClock } from "../../../src/support/clock.ts";
import {
  ZooKeeper,
  type Stat,
  type WatchEvent,
  type WatchHandler,
  type ZooKeeperOptions,
} from "../../../src/zookeeper/client.ts";
import { isZooKeeperError } from "../../../src/zookeeper/errors.ts";
import type { Target } from "./targets.ts";

/** What a case may use: a subtree of its own on the server under test, and clients that are closed for it. */
interface Contract {
  /** A client that sees only the case's subtree. */
  readonly zk: ZooKeeper;
  /**
   * One more, with options of its own; `chroot` is appended to the case's subtree. Where there are several servers it talks
   * to another, so what it is to see of earlier writes by others needs a `sync`; of those before it was opened it does not.
   */
  readonly open: (options?: Partial<ZooKeeperOptions> & { chroot?: string }) => ZooKeeper;
  /** A client without chroot. */
  readonly openWhole: () => ZooKeeper;
}

export interface ContractCase {
  /** A sentence about the protocol. */
  readonly name: string;
  /** Does something and returns what was seen, free of times and transaction ids. */
  run(contract: Contract): Promise<unknown>;
  readonly expected: unknown;
}

export const text = (data: Uint8Array): string => Buffer.from(data).toString();

/** "ok", or the code of the error and what became of the operation. */
export async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return "ok";
  } catch (error) {
    if (isZooKeeperError(error)) return `${error.code} ${error.outcome}`;
    throw error;
  }
}

/** Code, index and path of the error of a multi. */
export async function culprit(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
    return "ok";
  } catch (error) {
    if (isZooKeeperError(error)) return [error.code, error.index, error.path];
    throw error;
  }
}

export const counters = (stat: Stat): Record<string, number> => ({
  version: stat.version,
  cversion: stat.cversion,
  aversion: stat.aversion,
  dataLength: stat.dataLength,
  numChildren: stat.numChildren,
});

/** A handler that notes events as "type path", and the notes. */
export function notes(): { seen: string[]; watch: WatchHandler } {
  const seen: string[] = [];
  return { seen, watch: (event: WatchEvent) => void seen.push(`${event.type} ${event.path}`) };
}

/**
 * Runs one case in a subtree of its own and closes every client it opened.
 * @param target whose servers the case's clients take turns among
 * @param turn which of them is first
 */
export async function observe(
  contractCase: ContractCase,
  { servers, dial }: Pick<Target, "servers" | "dial">,
  subtree: string,
  turn: number,
): Promise<unknown> {
  const clients: ZooKeeper[] = [];
  const client = (chroot: string, options: Partial<ZooKeeperOptions> = {}): ZooKeeper => {
    const server = servers[(turn + clients.length) % servers.length] ?? "";
    const made = new ZooKeeper({
      clock: systemClock,
      operationTimeoutMs: 10_000,
      ...(dial === undefined ? {} : { dial }),
      ...options,
      servers: server + chroot,
    });
    clients.push(made);
    // Goes before whatever the case asks; a client that is refused fails later, where the case looks.
    if (servers.length > 1) made.sync("/").catch(() => undefined);
    return made;
  };
  try {
    await client("").create(subtree);
    const contract: Contract = {
      zk: client(subtree),
      open: ({ chroot = "", ...options } = {}) => client(subtree + chroot, options),
      openWhole: () => client(""),
    };
    // A copy: closing the clients below would add to what the case noted.
    return structuredClone(await contractCase.run(contract));
  } finally {
    await Promise.all(clients.map((each) => each.close()));
  }
}
