import { readdir } from "node:fs/promises";
import { join } from "node:path";

/*
 * The transaction logs of Apache ZooKeeper (org.apache.zookeeper.server.persistence.FileTxnLog and
 * org.apache.zookeeper.txn of 3.8): every change that was ever made, in the order in which it was made, with nothing in
 * between that nobody has seen. A file begins with its header; each transaction is a checksum, a length, that many bytes, and
 * a "B"; the rest is zeros.
 */

/** A change to a node, or the end of a session. */
type LoggedChange =
  | { readonly kind: "create"; readonly path: string; readonly data: string; readonly isEphemeral: boolean }
  | { readonly kind: "set"; readonly path: string; readonly data: string }
  | { readonly kind: "delete"; readonly path: string }
  | { readonly kind: "close" };

export interface LoggedTransaction {
  readonly zxid: bigint;
  readonly sessionId: bigint;
  /** By the clock of the server that led, in milliseconds since 1970. */
  readonly atMs: number;
  readonly changes: readonly LoggedChange[];
}

const FILE_HEADER_BYTES = 16;
const CHECKSUM_BYTES = 8;
const LENGTH_BYTES = 4;

const TYPE = {
  create: 1,
  delete: 2,
  setData: 5,
  multi: 14,
  create2: 15,
  createContainer: 19,
  deleteContainer: 20,
  createTtl: 21,
  closeSession: -11,
  error: -1,
} as const;

/**
 * What was committed, in order: a transaction that a majority of the logs has. One that a leader has written before it was
 * killed, and that nobody else has, was never made.
 *
 * @param directories of the servers, which have a `version-2` in them
 */
export async function committedTransactions(directories: readonly string[]): Promise<LoggedTransaction[]> {
  const found = new Map<bigint, { readonly transaction: LoggedTransaction; copies: number }>();
  for (const directory of directories) {
    for (const [zxid, transaction] of await transactionsIn(join(directory, "version-2"))) {
      const known = found.get(zxid);
      if (known === undefined) found.set(zxid, { transaction, copies: 1 });
      else known.copies += 1;
    }
  }
  return [...found.values()]
    .filter(({ copies }) => copies * 2 > directories.length)
    .map(({ transaction }) => transaction)
    .toSorted((a, b) => (a.zxid < b.zxid ? -1 : 1));
}

async function transactionsIn(directory: string): Promise<Map<bigint, LoggedTransaction>> {
  const found = new Map<bigint, LoggedTransaction>();
  for (const name of await readdir(directory)) {
    if (!name.startsWith("log.")) continue;
    const bytes = Buffer.from(await Bun.file(join(directory, name)).arrayBuffer());
    for (const transaction of transactionsOf(bytes)) found.set(transaction.zxid, transaction);
  }
  return found;
}

/** @param bytes of a whole log file, whose end may be cut */
export function transactionsOf(bytes: Buffer): LoggedTransaction[] {
  const found: LoggedTransaction[] = [];
  let at = FILE_HEADER_BYTES;
  while (at + CHECKSUM_BYTES + LENGTH_BYTES <= bytes.length) {
    const start = at + CHECKSUM_BYTES + LENGTH_BYTES;
    const length = bytes.readInt32BE(at + CHECKSUM_BYTES);
    if (length <= 0 || start + length > bytes.length) break;
    found.push(transactionIn(new RecordReader(bytes.subarray(start, start + length))));
    at = start + length + 1;
  }
  return found;
}

function transactionIn(reader: RecordReader): LoggedTransaction {
  const sessionId = reader.long();
  reader.int();
  const zxid = reader.long();
  const atMs = Number(reader.long());
  const type = reader.int();
  return { zxid, sessionId, atMs, changes: changesIn(type, reader) };
}

function changesIn(type: number, reader: RecordReader): LoggedChange[] {
  switch (type) {
    case TYPE.create:
    case TYPE.create2:
    case TYPE.createContainer:
    case TYPE.createTtl:
      return [createIn(type, reader)];
    case TYPE.delete:
    case TYPE.deleteContainer:
      return [{ kind: "delete", path: reader.text() }];
    case TYPE.setData:
      return [{ kind: "set", path: reader.text(), data: reader.text() }];
    case TYPE.closeSession:
      return [{ kind: "close" }];
    case TYPE.multi:
      return changesInMulti(reader);
    default:
      return [];
  }
}

/** Of one that has failed, those parts are logged as well that would have succeeded. */
function changesInMulti(reader: RecordReader): LoggedChange[] {
  const changes: LoggedChange[] = [];
  let hasFailed = false;
  for (let left = reader.int(); left > 0; left -= 1) {
    const type = reader.int();
    hasFailed ||= type === TYPE.error;
    changes.push(...changesIn(type, new RecordReader(reader.buffer())));
  }
  return hasFailed ? [] : changes;
}

function createIn(type: number, reader: RecordReader): LoggedChange {
  const path = reader.text();
  const data = reader.text();
  for (let left = reader.int(); left > 0; left -= 1) {
    reader.int();
    reader.text();
    reader.text();
  }
  const isEphemeral = type !== TYPE.createContainer && type !== TYPE.createTtl && reader.bool();
  return { kind: "create", path, data, isEphemeral };
}

/** Hadoop's jute encoding: big-endian, texts and buffers behind their length, of which -1 stands for none. */
class RecordReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  int(): number {
    this.#at += 4;
    return this.#bytes.readInt32BE(this.#at - 4);
  }

  long(): bigint {
    this.#at += 8;
    return this.#bytes.readBigInt64BE(this.#at - 8);
  }

  bool(): boolean {
    this.#at += 1;
    return this.#bytes[this.#at - 1] !== 0;
  }

  buffer(): Buffer {
    const length = Math.max(0, this.int());
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  text(): string {
    return this.buffer().toString("utf8");
  }
}
