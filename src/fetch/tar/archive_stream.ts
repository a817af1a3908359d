import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { printable } from "../../support/printable.ts";
import { invalidArchive } from "./fields.ts";
import { type Compression, Inflater, MAX_WINDOW_LOG } from "./inflater.ts";

const READ_BYTES = 256 * 1024;

/**
 * The bytes of the tar inside an archive: unchanged, or decompressed if the first bytes are those of gzip or zstd. Each
 * part is valid until the next one is asked for.
 */
export async function* tarBytes(archive: string): AsyncGenerator<Uint8Array, void, void> {
  await using file = await open(archive, "r");
  const { size } = await file.stat();
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  let at = 0;
  const read = async (): Promise<Uint8Array> => {
    const { bytesRead } = await file.read(buffer, 0, READ_BYTES, at);
    at += bytesRead;
    return buffer.subarray(0, bytesRead);
  };
  let part = await read();
  const format = formatOf(part);
  if (format === "tar") {
    for (; part.length > 0; part = await read()) yield part;
    return;
  }
  using inflater = new Inflater(format);
  for (; ; part = await read()) {
    yield* inflated(inflater, part, format);
    if (part.length === 0 || inflater.isOver) break;
  }
  // The decompressors stop silently at bytes that are not one of their frames. Zeros may follow: bsdtar fills the last
  // block of 10,240 bytes with them when it writes into a pipe.
  if (inflater.bytesRead !== size && !(await onlyZeros(archive, inflater.bytesRead))) {
    throw invalidArchive(`data follow the end of its ${format} stream`);
  }
}

function* inflated(inflater: Inflater, part: Uint8Array, format: Compression): Generator<Uint8Array, void, void> {
  try {
    yield* inflater.inflate(part);
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    throw invalidArchive(
      `its ${format} data are corrupt (${printable(text)})`,
      /memory/.test(text) ? `Compress it by zstd with --long=${MAX_WINDOW_LOG} at most.` : undefined,
    );
  }
}

async function onlyZeros(path: string, from: number): Promise<boolean> {
  for await (const chunk of createReadStream(path, { start: from, highWaterMark: READ_BYTES })) {
    const bytes: Uint8Array = chunk;
    if (bytes.some((byte) => byte !== 0)) return false;
  }
  return true;
}

/** Decides by the first bytes, because the archive's name proves nothing. */
function formatOf(bytes: Uint8Array): "tar" | Compression {
  const magic = Buffer.from(bytes.subarray(0, 4)).toString("hex");
  if (magic.startsWith("1f8b")) return "gzip";
  // A frame (RFC 8878, 3.1.1), or a skippable frame before it (3.1.2), which parallel compressors write first.
  if (magic.startsWith("28b52ffd") || /^5[0-9a-f]2a4d18/.test(magic)) return "zstd";
  return "tar";
}
