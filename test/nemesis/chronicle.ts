import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";

interface Line {
  readonly atMs: number;
  readonly text: string;
}

/** Everything that has happened in a run, with its time. */
export class Chronicle {
  readonly #lines: Line[] = [];
  readonly #beganMs = Date.now();

  /** @param atMs in milliseconds since 1970; now unless given */
  tell(text: string, atMs = Date.now()): void {
    this.#lines.push({ atMs, text });
  }

  /** The last so many lines up to a moment, oldest first. */
  last(count: number, untilMs = Number.POSITIVE_INFINITY): string[] {
    return this.#sorted()
      .filter(({ atMs }) => atMs <= untilMs)
      .slice(-count)
      .map((line) => this.#shown(line));
  }

  async write(path: string): Promise<void> {
    await mkdir(dirname(path), { recursive: true });
    await Bun.write(
      path,
      `${this.#sorted()
        .map((line) => this.#shown(line))
        .join("\n")}\n`,
    );
  }

  #sorted(): Line[] {
    return this.#lines.toSorted((a, b) => a.atMs - b.atMs);
  }

  #shown({ atMs, text }: Line): string {
    return `${((atMs - this.#beganMs) / 1000).toFixed(3).padStart(9)} ${text}`;
  }
}
