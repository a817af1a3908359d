import type { Clock } from "../../support/clock.ts";
import { Pace } from "../../support/pace.ts";
import { printable } from "../../support/printable.ts";
import type { TarEntry, TarSink } from "../tar/reader.ts";
import { type UnpackLimits, type Known, type Top, TreeRules } from "./rules.ts";
import { readArchive } from "./unpack.ts";

/** What an archive would unpack to on a host. */
export interface Survey {
  readonly entries: number;
  /** Sum of the sizes of all files. */
  readonly bytes: number;
  readonly top: Top | null;
  /** Everything there would be, by path, including directories that the archive does not list. */
  readonly known: ReadonlyMap<string, Known>;
  /** The first bytes of a file, and its size; null if there is no such file. */
  read(path: string): Promise<{ readonly bytes: Uint8Array; readonly size: number } | null>;
}

/** Hosts have limits of their own, and reading alone does not fill a disk. */
const NO_LIMITS = { maxBytes: Number.MAX_SAFE_INTEGER, maxEntries: Number.MAX_SAFE_INTEGER };

/**
 * Reads an archive with the same reader that hosts unpack with, and writes nothing.
 *
 * @param likely the name of the file that the caller will read, at the top or in the one top directory; any other file
 *   needs a second reading of the archive
 * @param mostBytes how much of one file `read` returns
 * @throws DeployError `archive-hostile`, `archive-invalid`, `aborted`, as a host would
 */
export async function surveyArchive(
  archive: string,
  { likely, mostBytes }: { readonly likely: string; readonly mostBytes: number },
  by: { readonly clock: Clock; readonly signal: AbortSignal; readonly limits?: UnpackLimits },
): Promise<Survey> {
  const { clock, signal, limits = NO_LIMITS } = by;
  const pass = async (isWanted: (path: string, top: Top | null) => boolean): Promise<SurveySink> => {
    const sink = new SurveySink(isWanted, mostBytes, limits);
    const pace = new Pace(`read ${printable(archive)}`, signal, clock);
    pace.check();
    await readArchive(archive, sink, limits, pace);
    return sink;
  };
  const first = await pass((path, top) => path === likely || path === `${top?.name}/${likely}`);
  const { entries, bytes, top, known } = first.rules;
  return {
    entries,
    bytes,
    top,
    known,
    read: async (named) => {
      if (known.get(named) !== "file") return null;
      const path = first.linked.get(named) ?? named;
      const { found } = first.found.has(path) ? first : await pass((each) => each === path);
      const file = found.get(path);
      return file === undefined ? null : { bytes: Buffer.concat(file.parts), size: file.size };
    },
  };
}

interface Found {
  readonly size: number;
  readonly parts: Uint8Array[];
  kept: number;
}

class SurveySink implements TarSink {
  readonly rules: TreeRules;
  /** By name of a hard link: the name under which the archive has its content. */
  readonly linked = new Map<string, string>();
  readonly found = new Map<string, Found>();
  readonly #isWanted: (path: string, top: Top | null) => boolean;
  readonly #mostBytes: number;
  #file: Found | null = null;

  constructor(isWanted: (path: string, top: Top | null) => boolean, mostBytes: number, limits: UnpackLimits) {
    this.rules = new TreeRules(limits);
    this.#isWanted = isWanted;
    this.#mostBytes = mostBytes;
  }

  entry(entry: TarEntry): void {
    const admitted = this.rules.admit(entry);
    if (admitted === null) return;
    const { path, linked } = admitted;
    if (entry.kind === "hardlink") this.linked.set(path, this.linked.get(linked) ?? linked);
    if (entry.kind !== "file" || !this.#isWanted(path, this.rules.top)) return;
    this.#file = { size: entry.size, parts: [], kept: 0 };
    this.found.set(path, this.#file);
  }

  data(bytes: Uint8Array): void {
    if (this.#file === null) return;
    const part = bytes.subarray(0, this.#mostBytes - this.#file.kept);
    // The chunk belongs to the reader, which may reuse it.
    this.#file.parts.push(Buffer.from(part));
    this.#file.kept += part.length;
  }

  endOfFile(): void {
    this.#file = null;
  }
}
