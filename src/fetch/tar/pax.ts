import { decodeText, hostileArchive, invalidArchive, SPARSE_HINT } from "./fields.ts";

/** What a pax extended header says about the entry that follows it. */
export interface Overrides {
  path?: string;
  linkTarget?: string;
  size?: number;
  mtimeSeconds?: number;
}

const SPACE = 0x20;
const NEWLINE = 0x0a;
const EQUALS = 0x3d;
const MAX_LENGTH_DIGITS = 8;

/**
 * Reads the records `<length> <key>=<value>\n` of a pax header (POSIX.1-2017, "pax Header Block"). Lengths count bytes,
 * so a value may contain a newline. A record that does not have exactly this form makes the whole archive refused:
 * readers that skip it would unpack other names than readers that do not.
 */
export function readPax(bytes: Uint8Array, scope: "entry" | "global"): Overrides {
  const overrides: Overrides = {};
  let sparse: string | null = null;
  let at = 0;
  while (at < bytes.length) {
    const record = recordAt(bytes, at);
    const equals = record.indexOf(EQUALS);
    if (equals < 1) throw invalidArchive("a pax record has no key");
    const key = Buffer.from(record.subarray(0, equals)).toString("latin1");
    const value = record.subarray(equals + 1);
    if (key.startsWith("GNU.sparse.")) sparse = key.endsWith(".name") ? decodeText(value) : (sparse ?? key);
    else apply(overrides, key, value, scope);
    at += digitsOf(bytes, at).length + 1 + record.length + 1;
  }
  if (sparse !== null) throw hostileArchive(sparse, "sparse files are not supported", SPARSE_HINT);
  return overrides;
}

function digitsOf(bytes: Uint8Array, at: number): string {
  let digits = "";
  for (let i = at; i < bytes.length && digits.length <= MAX_LENGTH_DIGITS; i += 1) {
    const byte = bytes[i] ?? 0;
    if (byte === SPACE) break;
    digits += String.fromCharCode(byte);
  }
  if (!/^[1-9][0-9]{0,7}$/.test(digits)) throw invalidArchive("a pax record has no length");
  return digits;
}

/** `key=value`, without the length before and the newline after it. */
function recordAt(bytes: Uint8Array, at: number): Uint8Array {
  const digits = digitsOf(bytes, at);
  const end = at + Number(digits);
  const start = at + digits.length + 1;
  if (end > bytes.length || end <= start || bytes[end - 1] !== NEWLINE) {
    throw invalidArchive("a pax record has a wrong length");
  }
  return bytes.subarray(start, end - 1);
}

function apply(overrides: Overrides, key: string, value: Uint8Array, scope: "entry" | "global"): void {
  switch (key) {
    case "path":
    case "linkpath": {
      const field = key === "path" ? "path" : "linkTarget";
      const text = decodeText(value);
      // One name for all entries, or two names for one entry, are ways to make one archive read as two different trees.
      if (scope === "global") throw hostileArchive(text, `a global pax header sets "${key}"`);
      if (overrides[field] !== undefined) throw hostileArchive(text, `a pax header sets "${key}" twice`);
      if (text === "") throw hostileArchive(text, `a pax header sets "${key}" to nothing`);
      if (text.includes("\0")) throw hostileArchive(text, "the name holds a NUL");
      overrides[field] = text;
      return;
    }
    case "size": {
      const text = Buffer.from(value).toString("latin1");
      if (scope === "global") throw hostileArchive(text, 'a global pax header sets "size"');
      if (overrides.size !== undefined) throw hostileArchive(text, 'a pax header sets "size" twice');
      if (!/^[0-9]{1,15}$/.test(text)) throw invalidArchive("a pax header has a size that is not a number");
      overrides.size = Number(text);
      return;
    }
    case "mtime": {
      const seconds = Number(Buffer.from(value).toString("latin1"));
      if (scope === "entry" && Number.isFinite(seconds)) overrides.mtimeSeconds = seconds;
      return;
    }
    default:
    // Owners, access times, comments and extended attributes (capabilities among them) are deliberately not unpacked.
  }
}
