import { lstatSync, readdirSync, realpathSync } from "node:fs";
import { DeployError } from "../../core/errors.ts";
import type { Owner } from "../../support/command.ts";
import type { Clock } from "../../support/clock.ts";
import { tarBytes } from "../tar/archive_stream.ts";
import { Pace } from "../../support/pace.ts";
import { printable } from "../../support/printable.ts";
import { hostileArchive } from "../tar/fields.ts";
import { type TarSink, TarReader } from "../tar/reader.ts";
import type { UnpackLimits, Top } from "./rules.ts";
import { TreeWriter } from "./writer.ts";

// Bytes for headers, padding and long names of one entry. It limits the archive's own overhead, so that endless padding
// or extended headers are stopped too.
const OVERHEAD_BYTES_PER_ENTRY = 16 * 1024;
const OVERHEAD_BYTES = 1024 * 1024;

/**
 * Unpacks a tar, tar.gz or tar.zst (told apart by its first bytes) into an existing, empty directory. Only files,
 * directories, symlinks inside the tree and hard links to files of the same archive are accepted; for anything else the
 * whole archive is refused. Modes lose setuid, setgid, sticky and the write bits of group and others; files keep their
 * mtime.
 *
 * Memory does not grow with the archive, and the event loop gets a turn about every 10 ms. Nothing is flushed to the
 * disk: see `syncTree`. After an error the directory contains a part of the tree: delete it.
 *
 * @param request `owner` is applied when running as root; the directory `into` itself keeps its owner and mode
 * @returns how many entries the archive has, the sum of its files' sizes in bytes, and the directory that everything in
 *   it lies in
 * @throws DeployError `archive-hostile`, `archive-invalid`, `disk-full`, `aborted`; `internal` if `into` is not an empty
 *   directory or the system refuses
 */
export async function unpackArchive(request: {
  archive: string;
  into: string;
  limits: UnpackLimits;
  owner?: Owner;
  signal: AbortSignal;
  clock: Clock;
}): Promise<{ entries: number; bytes: number; top: Top | null }> {
  const { archive, into, limits, signal } = request;
  const attempted = `unpack ${printable(archive)}`;
  const pace = new Pace(attempted, signal, request.clock);
  pace.check();
  const root = emptyDirectory(into, attempted);
  const owner = process.geteuid?.() === 0 ? request.owner : undefined;
  using writer = new TreeWriter(root, limits, owner);
  await readArchive(archive, writer, limits, pace);
  await writer.requireLinksInside(pace);
  return { entries: writer.entries, bytes: writer.bytes, top: writer.top };
}

/** Reads a whole archive into a sink, and refuses endless padding and headers by the limits for the unpacked tree. */
export async function readArchive(archive: string, sink: TarSink, limits: UnpackLimits, pace: Pace): Promise<void> {
  const reader = new TarReader(sink);
  let budget = limits.maxBytes + limits.maxEntries * OVERHEAD_BYTES_PER_ENTRY + OVERHEAD_BYTES;
  for await (const chunk of tarBytes(archive)) {
    budget -= chunk.length;
    if (budget < 0) throw hostileArchive(archive, "it unpacks to far more than was announced");
    for (let at = 0; at < chunk.length;) {
      at += reader.step(chunk, at);
      if (pace.isDue) await pace.breathe();
    }
  }
  reader.end();
}

/** The directory's real path, once it is known to be empty, so that nothing in it could redirect a write. */
function emptyDirectory(into: string, attempted: string): string {
  const found = lstatSync(into, { throwIfNoEntry: false });
  const problem =
    found === undefined
      ? "does not exist"
      : !found.isDirectory()
        ? "is not a directory"
        : readdirSync(into).length > 0
          ? "is not empty"
          : undefined;
  if (problem === undefined) return realpathSync(into);
  throw new DeployError(`Cannot ${attempted}: the directory ${printable(into)} ${problem}.`, {
    code: "internal",
    hint: "Archives are only unpacked into a fresh directory.",
  });
}
