/** Tar archives made by hand, so that tests can make those that no tool makes. */

export interface HeaderFields {
  name?: string | Uint8Array;
  type?: string;
  size?: number;
  /** The size field as it stands in the header, when no number can say it. */
  rawSize?: string | Uint8Array;
  mode?: number;
  uid?: number;
  gid?: number;
  mtime?: number;
  target?: string;
  prefix?: string;
  /** `ustar` unless told: `gnu` has another magic, `v7` none. */
  format?: "ustar" | "gnu" | "v7";
  checksum?: string;
}

export function header(fields: HeaderFields): Buffer {
  const block = Buffer.alloc(512);
  Buffer.from(fields.name ?? "file").copy(block, 0, 0, 100);
  const octal = (value: number, at: number, length: number): void => {
    block.write(`${value.toString(8).padStart(length - 1, "0")}\0`, at, "latin1");
  };
  octal(fields.mode ?? 0o644, 100, 8);
  octal(fields.uid ?? 0, 108, 8);
  octal(fields.gid ?? 0, 116, 8);
  if (fields.rawSize === undefined) octal(fields.size ?? 0, 124, 12);
  else Buffer.from(fields.rawSize).copy(block, 124, 0, 12);
  octal(fields.mtime ?? 1_700_000_000, 136, 12);
  block.write(fields.type ?? "0", 156, "latin1");
  Buffer.from(fields.target ?? "").copy(block, 157, 0, 100);
  const format = fields.format ?? "ustar";
  if (format !== "v7") block.write(format === "ustar" ? "ustar\u000000" : "ustar  \0", 257, "latin1");
  Buffer.from(fields.prefix ?? "").copy(block, 345, 0, 155);
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(fields.checksum ?? `${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}

/** Content with the zeros that fill its last block. */
export function content(bytes: string | Uint8Array): Buffer {
  const body = Buffer.from(bytes);
  return Buffer.concat([body, Buffer.alloc((512 - (body.length % 512)) % 512)]);
}

export function file(name: string | Uint8Array, bytes: string | Uint8Array = "", more: HeaderFields = {}): Buffer {
  return Buffer.concat([header({ name, size: Buffer.byteLength(bytes), ...more }), content(bytes)]);
}

export function directory(name: string, more: HeaderFields = {}): Buffer {
  return header({ name, type: "5", mode: 0o755, ...more });
}

export function symlink(name: string, target: string): Buffer {
  return header({ name, type: "2", mode: 0o777, target });
}

export function hardlink(name: string, target: string): Buffer {
  return header({ name, type: "1", target });
}

export function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = Buffer.byteLength(rest) + 1;
  while (String(length).length + Buffer.byteLength(rest) !== length) length += 1;
  return `${length}${rest}`;
}

export function pax(records: string | Uint8Array, type: "x" | "g" = "x"): Buffer {
  return file("pax", records, { type });
}

/** GNU's long name (`L`) or long link target (`K`) for the entry that follows. */
export function gnuLong(type: "L" | "K", text: string): Buffer {
  return file("././@LongLink", `${text}\0`, { type, format: "gnu" });
}

export const END = Buffer.alloc(1024);

export function archive(...parts: Uint8Array[]): Buffer {
  return Buffer.concat([...parts, END]);
}
