/** A format other than tar, recognized by its first bytes. */
export interface Foreign {
  readonly what: string;
  /** What to do about it; undefined for the usual advice. */
  readonly hint?: string;
}

const FORMATS = [
  ["xz", "fd377a585a00"],
  ["bzip2", "425a68"],
  ["zip", "504b0304"],
  ["7z", "377abcaf271c"],
  ["lz4", "04224d18"],
  ["lzip", "4c5a4950"],
  ["lzma", "5d0000"],
  ["lzop", "894c5a4f"],
  ["compress", "1f9d"],
  ["cpio", "303730373031"],
  ["cpio", "303730373037"],
  ["cpio", "c771"],
  ["an archive of ar", "213c61726368"],
  ["xar", "78617221"],
] as const;

const TEXTS = [
  [/^\s*</, "a web page or XML, as a server sends in the place of a file", "Look at what was downloaded or uploaded."],
  [/^version https:\/\/git-lfs/, "a pointer of Git LFS to the file", "Fetch the file itself with git lfs pull."],
] as const;

/**
 * Says what an archive is if its first block is not a tar header. It is called only then: a tar begins with the name of a
 * file, which may begin with the magic bytes of another format.
 */
export function noTar(bytes: Uint8Array): Foreign {
  const magic = Buffer.from(bytes.subarray(0, 6)).toString("hex");
  if (magic.startsWith("1f8b") || magic.startsWith("28b52ffd")) {
    return { what: "it is compressed twice", hint: "Compress the tar once; tar -z and tar --zstd do it themselves." };
  }
  const format = FORMATS.find(([, prefix]) => magic.startsWith(prefix));
  if (format !== undefined) {
    const hint = "Make it with deployd pack, tar -czf, or tar --zstd -cf.";
    return { what: `it is ${format[0]}, but only tar, tar.gz and tar.zst can be unpacked`, hint };
  }
  const beginning = Buffer.from(bytes.subarray(0, 100)).toString("latin1");
  const text = TEXTS.find(([pattern]) => pattern.test(beginning));
  return text === undefined ? { what: "it is not a tar archive" } : { what: `it is ${text[1]}`, hint: text[2] };
}
