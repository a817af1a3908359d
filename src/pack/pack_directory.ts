import { closeSync, constants as fsConstants, fstatSync, openSync, readSync } from "node:fs";
import { type FileHandle, open, realpath, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { Readable } from "node:stream";
import { constants, createZstdCompress } from "node:zlib";
import { DeployError } from "../core/errors.ts";
import type { Clock } from "../support/clock.ts";
import { RunningDigest } from "../fetch/digest.ts";
import { hostDisk } from "../host/disk.ts";
import type { Digest } from "../schema/names.ts";
import { writeError } from "../support/file_error.ts";
import { Pace } from "../support/pace.ts";
import { printable } from "../support/printable.ts";
import { endOfArchive, headerBlocks, padding, type PackedEntry } from "./tar_header.ts";
import { type LeavesOut, scanTree, unreadable } from "./tree_scan.ts";

const BATCH_BYTES = 256 * 1024;
const COMPRESSION_LEVEL = 3;

export interface PackedBuild {
  path: string;
  digest: Digest;
  /** Size of the archive, in bytes. */
  size: number;
  entries: number;
  /** Sum of the sizes of all files, in bytes: with `entries`, the exact limits for unpacking it. */
  unpackedBytes: number;
}

/**
 * Packs a directory into a tar.zst. The same tree gives the same bytes: names are sorted, owners are dropped, modes
 * reduced to 0755 and 0644; files keep their mtime. `out` appears once it is complete and on the disk, or not at all.
 *
 * @throws DeployError `archive-hostile` for what no host would unpack (a device, a link that leads out, a reserved name),
 *   `usage` for what cannot be read, `conflict` if a file changes meanwhile, `disk-full`, `aborted`
 */
export async function packDirectory(request: {
  dir: string;
  out: string;
  leavesOut?: LeavesOut;
  /** Checks the archive before it gets its name; if it throws, nothing is left behind. */
  check?: (archive: string, digest: Digest) => Promise<void>;
  clock: Clock;
  signal?: AbortSignal;
}): Promise<PackedBuild> {
  const { clock, leavesOut = () => false } = request;
  const { root, out } = await locations(request.dir, request.out);
  const pace = new Pace(`pack ${printable(request.dir)}`, request.signal, clock);
  pace.check();
  const temporary = join(dirname(out), `.${basename(out)}.${Buffer.from(clock.randomBytes(4)).toString("hex")}.tmp`);
  const tally = { entries: 0, unpackedBytes: 0 };
  try {
    const written = await writeArchive(temporary, tarBatches({ root, leavesOut }, tally, pace));
    await request.check?.(temporary, written.digest);
    await rename(temporary, out);
    await hostDisk.syncDirectory(dirname(out));
    return { path: request.out, ...written, ...tally };
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

async function locations(dir: string, out: string): Promise<{ root: string; out: string }> {
  try {
    const root = await realpath(dir);
    if (!(await stat(root)).isDirectory()) throw new Error("it is not a directory");
    const parent = await realpath(dirname(out));
    if (parent === root || parent.startsWith(`${root}/`)) {
      throw new DeployError(`Cannot pack ${printable(dir)} into ${printable(out)}: it lies inside the directory.`, {
        code: "usage",
        hint: "Write the archive somewhere else, or it would become a part of itself.",
      });
    }
    return { root, out: join(parent, basename(out)) };
  } catch (error) {
    if (error instanceof DeployError) throw error;
    const text = error instanceof Error ? error.message : String(error);
    throw new DeployError(`Cannot pack ${printable(dir)} into ${printable(out)}: ${printable(text)}.`, {
      code: "usage",
      hint: "Name a directory that exists, and a place for the archive in one that exists.",
      cause: error,
    });
  }
}

async function writeArchive(
  path: string,
  batches: AsyncGenerator<Uint8Array, void, void>,
): Promise<{ digest: Digest; size: number }> {
  const compressor = createZstdCompress({
    chunkSize: BATCH_BYTES,
    params: {
      [constants.ZSTD_c_compressionLevel]: COMPRESSION_LEVEL,
      [constants.ZSTD_c_checksumFlag]: 1,
    },
  });
  const source = Readable.from(batches, { objectMode: false, highWaterMark: BATCH_BYTES });
  let failure: unknown;
  source.on("error", (error) => {
    failure = error;
    compressor.destroy(error);
  });
  const digest = new RunningDigest();
  let size = 0;
  try {
    await using file = await open(path, "wx", 0o644);
    for await (const chunk of source.pipe(compressor)) {
      const bytes: Uint8Array = chunk;
      digest.update(bytes);
      await writeAll(file, bytes);
      size += bytes.length;
    }
    await file.sync();
    return { digest: digest.finish(), size };
  } catch (error) {
    throw writeError("Cannot write the archive", path, size, failure ?? error);
  } finally {
    source.destroy();
    compressor.destroy();
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  let at = 0;
  while (at < bytes.length) at += (await file.write(bytes, at, bytes.length - at)).bytesWritten;
}

interface Packed {
  readonly root: string;
  readonly leavesOut: LeavesOut;
}

/** The tar in pieces of about 256 KiB, because the compressor is slow on many small ones. */
async function* tarBatches(
  from: Packed,
  tally: { entries: number; unpackedBytes: number },
  pace: Pace,
): AsyncGenerator<Uint8Array, void, void> {
  let batch: Uint8Array[] = [];
  let batched = 0;
  for (const piece of tarPieces(from, tally)) {
    batch.push(piece);
    batched += piece.length;
    if (batched >= BATCH_BYTES) {
      yield Buffer.concat(batch);
      batch = [];
      batched = 0;
    }
    await pace.breathe();
  }
  yield Buffer.concat(batch);
}

function* tarPieces(
  { root, leavesOut }: Packed,
  tally: { entries: number; unpackedBytes: number },
): Generator<Uint8Array, void, void> {
  for (const entry of scanTree(root, leavesOut)) {
    yield* headerBlocks(entry);
    tally.entries += 1;
    if (entry.kind !== "file") continue;
    yield* fileBytes(root, entry);
    yield padding(entry.size);
    tally.unpackedBytes += entry.size;
  }
  yield endOfArchive();
}

function* fileBytes(root: string, entry: PackedEntry & { kind: "file" }): Generator<Uint8Array, void, void> {
  let fd: number;
  try {
    fd = openSync(`${root}/${entry.path}`, fsConstants.O_RDONLY | fsConstants.O_NOFOLLOW | fsConstants.O_NONBLOCK);
  } catch (error) {
    throw unreadable(entry.path, error);
  }
  try {
    let at = 0;
    while (at < entry.size) {
      // A new buffer each time: the compressor may still hold the previous one.
      const buffer = Buffer.allocUnsafe(Math.min(BATCH_BYTES, entry.size - at));
      const read = readSync(fd, buffer, 0, buffer.length, at);
      if (read === 0) throw changed(entry.path);
      yield buffer.subarray(0, read);
      at += read;
    }
    const after = fstatSync(fd);
    if (after.size !== entry.size || after.mtimeMs / 1000 !== entry.mtimeSeconds) throw changed(entry.path);
  } finally {
    closeSync(fd);
  }
}

function changed(path: string): DeployError {
  return new DeployError(`Cannot pack "${printable(path)}": it changed while it was read.`, {
    code: "conflict",
    hint: "Pack a directory that nothing writes to.",
    retry: true,
  });
}
