import type { z } from "zod";
import { DeployError, isDeployError } from "../core/errors.ts";
import { parseOrThrow } from "../core/parse.ts";
import type { Call, Stat, WatchHandler, ZooKeeper } from "../zookeeper/client.ts";
import { isZooKeeperError } from "../zookeeper/errors.ts";
import { readNodes, type Node } from "./read_nodes.ts";

/** A record and the version at which it was read, for compare-and-set. */
export interface Versioned<T> {
  readonly value: T;
  readonly version: number;
  /** The transaction that created the node: of two nodes, the older one has the smaller number, whatever any clock said. */
  readonly czxid: bigint;
  /** When the node was created and when it was last written, by ZooKeeper's clock, in epoch milliseconds. */
  readonly madeAtMs: number;
  readonly writtenAtMs: number;
}

export interface ReadOptions extends Call {
  readonly watch?: WatchHandler;
}

/**
 * The record at `path`, or null where the node does not exist or is empty. A watch is set in either case, so that a
 * record that is created later is noticed as well.
 *
 * @throws DeployError `zookeeper-data-invalid` naming the path and what is wrong with the record
 */
export async function readRecord<S extends z.ZodType>(
  zk: ZooKeeper,
  path: string,
  schema: S,
  options: ReadOptions = {},
): Promise<Versioned<z.output<S>> | null> {
  for (;;) {
    try {
      const { data, stat } = await zk.get(path, options);
      const text = new TextDecoder().decode(data);
      return text.trim() === "" ? null : { value: decode(text, path, schema), ...statOf(stat) };
    } catch (error) {
      if (!isZooKeeperError(error, "NO_NODE")) throw error;
      // `get` sets no watch on a node that does not exist; `exists` does.
      if (options.watch === undefined || (await zk.exists(path, options)) === null) return null;
    }
  }
}

/** Like `readRecord`, but an empty node is returned with its version; null only where the node does not exist. */
export async function readSlot<S extends z.ZodType>(
  zk: ZooKeeper,
  path: string,
  schema: S,
): Promise<Versioned<z.output<S> | null> | null> {
  const [node = null] = await readNodes(zk, [path]);
  return node === null ? null : recordIn(node, path, schema);
}

/**
 * The record in a node; null where the node is empty.
 *
 * @throws DeployError `zookeeper-data-invalid` naming the path and what is wrong with the record
 */
export function recordIn<S extends z.ZodType>(
  { data, stat }: Node,
  path: string,
  schema: S,
): Versioned<z.output<S> | null> {
  const text = new TextDecoder().decode(data);
  return { value: text.trim() === "" ? null : decode(text, path, schema), ...statOf(stat) };
}

/** The record alone, for callers that need nothing else; null also where the node does not exist. */
export function valueIn<S extends z.ZodType>(node: Node | null, path: string, schema: S): z.output<S> | null {
  return node === null ? null : recordIn(node, path, schema).value;
}

/** A record that may be damaged: one that cannot be read counts as empty, and `problem` says what is wrong. */
type Damaged<T> = Versioned<T | null> & { readonly problem?: string };

/** Like `readSlot`, but what cannot be read counts as empty; for callers that replace it. */
export async function readDamaged<S extends z.ZodType>(
  zk: ZooKeeper,
  path: string,
  schema: S,
): Promise<Damaged<z.output<S>> | null> {
  const [node = null] = await readNodes(zk, [path]);
  return node === null ? null : damagedIn(node, path, schema);
}

export function damagedIn<S extends z.ZodType>(node: Node, path: string, schema: S): Damaged<z.output<S>> {
  try {
    return recordIn(node, path, schema);
  } catch (error) {
    if (!isDamaged(error)) throw error;
    return { value: null, ...statOf(node.stat), problem: error.message };
  }
}

/** Whether the error says that a record exists that cannot be read. */
export function isDamaged(error: unknown): error is DeployError {
  return isDeployError(error) && error.code === "zookeeper-data-invalid";
}

function statOf({ version, czxid, ctime, mtime }: Stat): Omit<Versioned<never>, "value"> {
  return { version, czxid, madeAtMs: ctime, writtenAtMs: mtime };
}

function decode<S extends z.ZodType>(text: string, path: string, schema: S): z.output<S> {
  return parseOrThrow(schema, meant(text), `the record at ${path} in ZooKeeper`, {
    code: "zookeeper-data-invalid",
    hint: WRITTEN_BY_HAND,
  });
}

/**
 * Every record is an object, so any text that JSON would read as something else (4711, true, 12e4567) is taken as bare
 * text that somebody typed. The schema decides whether it is valid, as it is for a wish, and says what is wrong if not.
 */
function meant(text: string): unknown {
  try {
    const json: unknown = JSON.parse(text);
    if ((typeof json === "object" && json !== null) || typeof json === "string") return json;
  } catch {
    // This is bare text as well.
  }
  return text.trim();
}

const WRITTEN_BY_HAND = "It was written by hand or by another program; set it again with deployd ctl, or remove it.";

/** The error for a record that must not be empty and is. */
export function emptyRecord(path: string): DeployError {
  return new DeployError(`Cannot use the record at ${path} in ZooKeeper: there is nothing in it.`, {
    code: "zookeeper-data-invalid",
    hint: WRITTEN_BY_HAND,
  });
}

export function encode(record: object): string {
  return JSON.stringify(record);
}

/** The children of `path`, sorted; empty where the node does not exist. */
export async function childrenOf(zk: ZooKeeper, path: string, options: ReadOptions = {}): Promise<string[]> {
  try {
    return (await zk.children(path, options)).children.toSorted();
  } catch (error) {
    if (isZooKeeperError(error, "NO_NODE")) return [];
    throw error;
  }
}

/**
 * Creates `path` and its parents with empty data where they do not exist. It asks first, and for no parent that is there: a
 * change that is refused is the whole ensemble's work as well, and every host of a fleet comes here.
 *
 * @throws ZooKeeperError `NO_NODE` where the client's chroot does not exist
 */
export async function ensurePath(zk: ZooKeeper, path: string): Promise<void> {
  if ((await zk.exists(path)) !== null) return;
  try {
    await createMissing(zk, path);
  } catch (error) {
    const parent = path.slice(0, path.lastIndexOf("/"));
    if (parent === "" || !isZooKeeperError(error, "NO_NODE")) throw error;
    await ensurePath(zk, parent);
    await createMissing(zk, path);
  }
}

/** Creates the node; one that is there is left as it is. */
export async function createMissing(zk: ZooKeeper, path: string, data = ""): Promise<void> {
  try {
    await zk.create(path, data);
  } catch (error) {
    if (!isZooKeeperError(error, "NODE_EXISTS")) throw error;
  }
}

/**
 * The records of all children that are not empty. One that cannot be read must not hide the others: it is left out and
 * passed to `onProblem`.
 */
export async function readChildren<S extends z.ZodType>(
  zk: ZooKeeper,
  path: string,
  schema: S,
  onProblem: (problem: string) => void,
): Promise<Map<string, Versioned<z.output<S>>>> {
  const names = await childrenOf(zk, path);
  const nodes = await readNodes(
    zk,
    names.map((name) => `${path}/${name}`),
  );
  const records = new Map<string, Versioned<z.output<S>>>();
  for (const [index, name] of names.entries()) {
    const node = nodes[index] ?? null;
    try {
      const found = node === null ? null : recordIn(node, `${path}/${name}`, schema);
      if (found !== null && found.value !== null) records.set(name, { ...found, value: found.value });
    } catch (error) {
      if (!isDamaged(error)) throw error;
      onProblem(error.message);
    }
  }
  return records;
}
