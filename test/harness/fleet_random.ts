/** Numbers from 0 to 1 that are the same for the same seed (mulberry32 of Tommy Ettinger, public domain). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * Runs `body` with random numbers of its own. A failure names the seed, and DEPLOYD_TEST_SEED set to that repeats it as
 * far as time allows.
 */
export async function withSeed(body: (random: () => number) => Promise<void>): Promise<void> {
  const given = process.env["DEPLOYD_TEST_SEED"];
  const seed = given === undefined ? Math.floor(Math.random() * 2 ** 32) : Number(given);
  try {
    await body(seeded(seed));
  } catch (error) {
    throw new Error(`DEPLOYD_TEST_SEED=${seed}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}
