/** How many simulated hosts the parts measure, one fleet after the other, so that it shows how a figure grows. */
const HOSTS = [100, 1_000, 5_000];
const HOLDERS = [100, 1_000, 10_000];

/** For a quick look: `BENCH_FLEET_HOSTS=100,1000`. */
const VARIABLE = "BENCH_FLEET_HOSTS";

export function hostSizes(): readonly number[] {
  return asked() ?? HOSTS;
}

export function holderSizes(): readonly number[] {
  return asked() ?? HOLDERS;
}

function asked(): readonly number[] | null {
  const text = process.env[VARIABLE];
  if (text === undefined) return null;
  const sizes = text.split(",").map(Number);
  if (sizes.some((size) => !Number.isSafeInteger(size) || size < 1)) {
    throw new Error(`${VARIABLE} must be numbers of hosts, as in 100,1000, and is "${text}"`);
  }
  return sizes;
}
