import { expect } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeployError } from "../../src/core/errors.ts";
import type { UnpackLimits } from "../../src/fetch/tree/rules.ts";
import { systemClock } from "../../src/support/clock.ts";
import { surveyArchive } from "../../src/fetch/tree/survey.ts";
import { unpackArchive } from "../harness/real_time.ts";

export type Outcome =
  | { readonly kind: "unpacked"; readonly entries: number; readonly bytes: number }
  | { readonly kind: "refused"; readonly code: string; readonly message: string; readonly hint: string };

const ROOMY: UnpackLimits = { maxBytes: 64 * 1024 * 1024, maxEntries: 10_000 };
const VICTIM = "untouched";

async function outcomeOf(reading: Promise<{ entries: number; bytes: number }>): Promise<Outcome> {
  try {
    const { entries, bytes } = await reading;
    return { kind: "unpacked", entries, bytes };
  } catch (error) {
    if (!isDeployError(error)) throw error;
    return { kind: "refused", code: error.code, message: error.message, hint: error.hint };
  }
}

/**
 * A staging directory among files that must not change:
 *
 *     <arena>/victim           a file
 *     <arena>/outside/victim   another, in a directory
 *     <arena>/box/into         where archives are unpacked
 */
export class Arena implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), "deployd-evil-"));
  readonly into = join(this.path, "box", "into");

  constructor() {
    mkdirSync(join(this.path, "outside"));
    mkdirSync(this.into, { recursive: true, mode: 0o700 });
    writeFileSync(join(this.path, "victim"), VICTIM);
    writeFileSync(join(this.path, "outside", "victim"), VICTIM);
  }

  async unpack(
    archive: Uint8Array,
    options: { limits?: UnpackLimits; owner?: { uid: number; gid: number }; signal?: AbortSignal } = {},
  ): Promise<Outcome> {
    const path = join(this.path, "archive");
    writeFileSync(path, archive);
    const limits = options.limits ?? ROOMY;
    const signal = options.signal ?? new AbortController().signal;
    const { owner } = options;
    const unpacked = await outcomeOf(
      unpackArchive({ archive: path, into: this.into, limits, signal, ...(owner === undefined ? {} : { owner }) }),
    );
    // What is wrong with the place and not with the archive, nobody finds out who only reads.
    if (unpacked.kind === "refused" && !unpacked.code.startsWith("archive-")) return unpacked;
    // Whoever reads with nothing behind it must be told what a host would be told, whatever the archive is.
    const by = { clock: systemClock, signal, limits };
    expect(await outcomeOf(surveyArchive(path, { likely: "deployd.toml", mostBytes: 100 }, by))).toEqual(unpacked);
    return unpacked;
  }

  /** Everything outside the staging directory that is not as it was. */
  escapes(): string[] {
    const found: string[] = [];
    const expected: Record<string, string[]> = {
      "": ["archive", "box", "outside", "victim"],
      box: ["into"],
      outside: ["victim"],
    };
    for (const [directory, names] of Object.entries(expected)) {
      for (const name of readdirSync(join(this.path, directory))) {
        if (!names.includes(name)) found.push(join(directory, name));
      }
    }
    for (const victim of ["victim", "outside/victim"]) {
      if (readFileSync(join(this.path, victim), "utf8") !== VICTIM) found.push(victim);
    }
    return found;
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
