/** What happened in a rehearsal, in order. The same seed tells the same story, to the letter. */
export class Story {
  readonly #nowMs: () => number;
  readonly #lines: string[] = [];
  readonly #hash = new Bun.CryptoHasher("sha256");

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  tell(who: string, what: string): void {
    const line = `${clockFace(this.#nowMs())}  ${who.padEnd(WHO_WIDTH)}  ${what}`;
    this.#lines.push(line);
    this.#hash.update(line);
    this.#hash.update("\n");
  }

  get lines(): readonly string[] {
    return this.#lines;
  }

  /** Of everything told so far. */
  get hash(): string {
    return this.#hash.copy().digest("hex").slice(0, HASH_DIGITS);
  }
}

const WHO_WIDTH = 10;
const HASH_DIGITS = 16;

/** `03:07.250` for 187,250 ms. */
function clockFace(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  const seconds = Math.floor((ms % 60_000) / 1000);
  const rest = Math.floor(ms % 1000);
  return `${pad(minutes, 2)}:${pad(seconds, 2)}.${pad(rest, 3)}`;
}

function pad(value: number, digits: number): string {
  return String(value).padStart(digits, "0");
}
