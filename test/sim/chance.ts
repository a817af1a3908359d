/** Numbers that look random and follow from a seed. */
export interface Chance {
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** True with this probability. */
  happens(probability: number): boolean;
  /** A whole number from `least` to `most`, both included. */
  between(least: number, most: number): number;
  pick<T>(options: readonly T[]): T;
  readonly bytes: (count: number) => Uint8Array;
  /**
   * A source of its own that follows from this one's seed and the name alone, however much was drawn meanwhile: what one
   * part of a world draws must not change what another does.
   */
  fork(name: string): Chance;
}

/** The generator sfc32 of Chris Doty-Humphrey's PractRand, 128 bits of state, seeded by a hash of the text. */
export function chanceOf(seed: string): Chance {
  let [a, b, c] = words(seed);
  let counter = 1;
  const next = (): number => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    return sum >>> 0;
  };
  for (let warm = 0; warm < 12; warm += 1) next();
  const random = (): number => next() / 2 ** 32;
  const between = (least: number, most: number): number => least + Math.floor(random() * (most - least + 1));
  return {
    random,
    between,
    happens: (probability) => random() < probability,
    pick: (options) => {
      const found = options[between(0, options.length - 1)];
      if (found === undefined) throw new Error("there is nothing to pick from");
      return found;
    },
    bytes: (count) => Uint8Array.from({ length: count }, () => next() & 0xff),
    fork: (name) => chanceOf(`${seed}/${name}`),
  };
}

function words(seed: string): [number, number, number] {
  const digest = new Bun.CryptoHasher("sha256").update(seed).digest();
  return [digest.readInt32LE(0), digest.readInt32LE(4), digest.readInt32LE(8)];
}
