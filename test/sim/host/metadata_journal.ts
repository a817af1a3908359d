import type { DirectoryNode, Node } from "./file_tree.ts";

/** That a name in a directory stands for another thing now. */
export interface NameChange {
  readonly directory: DirectoryNode;
  readonly name: string;
  readonly before: Node | null;
  readonly after: Node | null;
}

/** What happens to names in one step: all of it is on the disk, or nothing. */
interface NameOperation {
  readonly atMs: number;
  readonly changes: readonly NameChange[];
}

/** The kernel brings to the disk by itself what is older than this, in milliseconds. */
export const WRITE_BACK_MS = 30_000;
const ENOUGH_TO_TIDY = 256;

/**
 * The file system's journal of names that were made, moved and removed and are not on the disk yet. A power cut leaves a
 * beginning of it; a flush makes everything up to what it is asked for last.
 */
export class MetadataJournal {
  readonly #operations: NameOperation[] = [];

  /** Does it, and notes it. */
  apply(atMs: number, changes: readonly NameChange[]): void {
    for (const { directory, name, after } of changes) put(directory, name, after);
    this.#operations.push({ atMs, changes });
    if (this.#operations.length > ENOUGH_TO_TIDY) this.#operations.splice(0, this.#firm(atMs));
  }

  flushDirectory(directory: DirectoryNode): void {
    const last = this.#operations.findLastIndex(({ changes }) =>
      changes.some((change) => change.directory === directory),
    );
    this.#operations.splice(0, last + 1);
  }

  /** @param share of it, from the beginning */
  flush(share: number): void {
    this.#operations.splice(0, Math.floor(this.#operations.length * share));
  }

  /** Takes back what did not reach the disk. `survives` says how many of so many did. Returns how many did not. */
  cut(nowMs: number, survives: (unsure: number) => number): number {
    const firm = this.#firm(nowMs);
    const keep = firm + survives(this.#operations.length - firm);
    const lost = this.#operations.splice(keep);
    for (const { changes } of lost.toReversed()) {
      for (const { directory, name, before } of changes.toReversed()) put(directory, name, before);
    }
    this.#operations.length = 0;
    return lost.length;
  }

  /** What this name may stand for after a power cut, what it stands for now among it. */
  *possible(directory: DirectoryNode, name: string): Generator<Node | null> {
    yield directory.entries.get(name) ?? null;
    for (const { changes } of this.#operations) {
      for (const change of changes) if (change.directory === directory && change.name === name) yield change.before;
    }
  }

  /** How many of them are old enough to be on the disk. */
  #firm(nowMs: number): number {
    const first = this.#operations.findIndex(({ atMs }) => atMs > nowMs - WRITE_BACK_MS);
    return first === -1 ? this.#operations.length : first;
  }
}

function put(directory: DirectoryNode, name: string, node: Node | null): void {
  if (node === null) directory.entries.delete(name);
  else directory.entries.set(name, node);
}
