import { BLOCK_BYTES, headerChecksum } from "../fetch/tar/fields.ts";

/** An entry that deployd writes into an archive: POSIX ustar, with a pax header if ustar's fields are too small. */
export type PackedEntry = { readonly path: string } & (
  | { readonly kind: "file"; readonly size: number; readonly executable: boolean; readonly mtimeSeconds: number }
  | { readonly kind: "directory" }
  | { readonly kind: "symlink"; readonly target: string }
);

const NAME_BYTES = 100;
const MAX_OCTAL_SIZE = 0o77777777777;
const MAX_OCTAL_MTIME = 0o77777777777;

/**
 * The header blocks of an entry. Everything that depends on the machine and not on the tree is constant: owner 0 without
 * a name, modes 0755 or 0644, no mtime for directories and links (which changes with every copy).
 */
export function headerBlocks(entry: PackedEntry): Uint8Array[] {
  const name = entry.kind === "directory" ? `${entry.path}/` : entry.path;
  const target = entry.kind === "symlink" ? entry.target : "";
  const size = entry.kind === "file" ? entry.size : 0;
  const records: string[] = [];
  if (Buffer.byteLength(name) > NAME_BYTES) records.push(paxRecord("path", name));
  if (Buffer.byteLength(target) > NAME_BYTES) records.push(paxRecord("linkpath", target));
  if (size > MAX_OCTAL_SIZE) records.push(paxRecord("size", String(size)));
  const mtime = entry.kind === "file" ? Math.min(Math.max(Math.floor(entry.mtimeSeconds), 0), MAX_OCTAL_MTIME) : 0;
  const header = block({
    name,
    target,
    size: size > MAX_OCTAL_SIZE ? 0 : size,
    type: entry.kind === "file" ? "0" : entry.kind === "directory" ? "5" : "2",
    mode: entry.kind === "symlink" ? 0o777 : entry.kind === "directory" || entry.executable ? 0o755 : 0o644,
    mtime,
  });
  if (records.length === 0) return [header];
  const body = Buffer.from(records.join(""));
  const extended = block({ name: "pax", target: "", size: body.length, type: "x", mode: 0o644, mtime: 0 });
  return [extended, body, padding(body.length), header];
}

/** Zeros that fill the last block after this many bytes. */
export function padding(size: number): Uint8Array {
  return new Uint8Array((BLOCK_BYTES - (size % BLOCK_BYTES)) % BLOCK_BYTES);
}

export function endOfArchive(): Uint8Array {
  return new Uint8Array(2 * BLOCK_BYTES);
}

interface Fields {
  name: string;
  target: string;
  size: number;
  type: string;
  mode: number;
  mtime: number;
}

function block(fields: Fields): Uint8Array {
  const bytes = Buffer.alloc(BLOCK_BYTES);
  text(bytes, 0, NAME_BYTES, fields.name);
  octal(bytes, 100, 8, fields.mode);
  octal(bytes, 108, 8, 0);
  octal(bytes, 116, 8, 0);
  octal(bytes, 124, 12, fields.size);
  octal(bytes, 136, 12, fields.mtime);
  bytes.write(fields.type, 156, "latin1");
  text(bytes, 157, NAME_BYTES, fields.target);
  bytes.write("ustar\u000000", 257, "latin1");
  octal(bytes, 329, 8, 0);
  octal(bytes, 337, 8, 0);
  bytes.write(`${headerChecksum(bytes).toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return bytes;
}

function text(bytes: Buffer, at: number, length: number, value: string): void {
  Buffer.from(value).copy(bytes, at, 0, length);
}

function octal(bytes: Buffer, at: number, length: number, value: number): void {
  bytes.write(value.toString(8).padStart(length - 1, "0"), at, "latin1");
}

/** `<length> <key>=<value>\n`, where the length includes itself. */
function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  const restBytes = Buffer.byteLength(rest);
  let length = restBytes + 1;
  while (String(length).length + restBytes !== length) length += 1;
  return `${length}${rest}`;
}
