import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface TreeShape {
  readonly files: number;
  /** Sizes spread evenly from nothing to twice this. */
  readonly meanBytes: number;
  /** The share of bytes that cannot be compressed, from 0 to 1. */
  readonly noise: number;
  readonly links: number;
}

const perDirectory = 100;
const blockBytes = 1_024;
const text = Buffer.from("the quick brown fox jumps over the lazy dog and reads return const await export ".repeat(13));

/** Makes a tree whose names, sizes and bytes are the same in every run. */
export function plantTree(root: string, shape: TreeShape): void {
  const random = generator(1);
  for (let index = 0; index < shape.files; index += 1) {
    const directory = join(root, `d${Math.floor(index / perDirectory)}`);
    if (index % perDirectory === 0) mkdirSync(directory, { recursive: true });
    const size = Math.floor((random() / 2 ** 32) * 2 * shape.meanBytes);
    writeFileSync(join(directory, `file-${index}.bin`), content(size, shape.noise, random));
    if (index < shape.links) symlinkSync(`file-${index}.bin`, join(directory, `link-${index}`));
  }
}

function content(size: number, noise: number, random: () => number): Buffer {
  const bytes = Buffer.alloc(size);
  for (let at = 0; at < size; at += blockBytes) {
    const end = Math.min(size, at + blockBytes);
    if (random() / 2 ** 32 >= noise) text.copy(bytes, at, 0, end - at);
    else for (let byte = at; byte + 4 <= end; byte += 4) bytes.writeUInt32LE(random(), byte);
  }
  return bytes;
}

/** Marsaglia's xorshift with 32 bits of state: numbers from 1 to 2^32 - 1. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state;
  };
}
