import { writeError } from "../../../src/support/file_error.ts";
import { hostileArchive, invalidArchive } from "../../../src/fetch/tar/fields.ts";
import { TreeRules } from "../../../src/fetch/tree/rules.ts";
import type { Archive } from "../../../src/machine/archive.ts";
import { abortedError } from "../../../src/support/abort.ts";
import { textOf } from "./disk_port.ts";
import type { Life } from "./life.ts";
import type { SimDisk } from "./sim_disk.ts";
import { systemError } from "./system_error.ts";

/** An archive is a text that names its files, so that a byte that was changed in it stays in one of them. */
export function packTree(files: ReadonlyMap<string, string>): Uint8Array {
  return Buffer.from(JSON.stringify({ files: [...files] }));
}

/** @returns null for what is no archive */
function unpackTree(bytes: Uint8Array): [string, string][] | null {
  try {
    const parsed: unknown = JSON.parse(textOf(bytes));
    if (typeof parsed !== "object" || parsed === null || !("files" in parsed) || !Array.isArray(parsed.files))
      return null;
    const entries: unknown[] = parsed.files;
    return entries.every(isEntry) ? entries : null;
  } catch {
    return null;
  }
}

function isEntry(entry: unknown): entry is [string, string] {
  return Array.isArray(entry) && entry.length === 2 && entry.every((word) => typeof word === "string");
}

export function archiveOf(life: Life, disk: SimDisk): Archive {
  const open = (path: string) =>
    life.look(() => {
      const found = disk.readWorn(path, true);
      if (found === null) throw systemError("ENOENT", "open", path);
      return found.bytes;
    });
  return {
    digest: async (path, signal) => {
      if (signal.aborted) throw abortedError(`compute the digest of ${path}`, signal);
      const bytes = await open(path);
      return { digest: `sha256:${new Bun.CryptoHasher("sha256").update(bytes).digest("hex")}`, bytes: bytes.length };
    },
    unpack: async ({ archive, into, limits, signal }) => {
      // A packed archive has a sum over its text, so that a disk's own damage shows; somebody else's text has a sum as well.
      if (disk.damages(archive)) throw invalidArchive("its checksum is wrong");
      const files = unpackTree(await open(archive));
      if (files === null) throw invalidArchive("it is no list of files");
      const sum = files.reduce((sum, [, text]) => sum + Buffer.byteLength(text), 0);
      if (sum > limits.maxBytes) throw hostileArchive(archive, `it has ${sum} bytes`);
      if (files.length > limits.maxEntries) throw hostileArchive(archive, `it has ${files.length} entries`);
      const rules = new TreeRules(limits);
      for (const [name, text] of files) {
        rules.admit({ kind: "file", path: name, mode: 0o644, mtimeSeconds: 0, size: Buffer.byteLength(text) });
        if (signal.aborted) throw abortedError(`unpack ${archive}`, signal);
        await unpackFile(life, disk, `${into}/${name}`, Buffer.from(text));
      }
      return { top: rules.top };
    },
  };
}

async function unpackFile(life: Life, disk: SimDisk, path: string, bytes: Uint8Array): Promise<void> {
  const write = (part: Uint8Array): void => {
    const parent = path.slice(0, path.lastIndexOf("/"));
    disk.makeDirectory(parent);
    disk.append(disk.create(path), part);
  };
  try {
    await life.effect(
      "write",
      `unpack ${path}`,
      () => write(bytes),
      () => write(bytes.subarray(0, bytes.length >> 1)),
    );
  } catch (error) {
    throw writeError("Cannot unpack the archive", path, 0, error);
  }
}
