/** What a node should hold: its data and version, or null where there is no node. */
export type Expected = { readonly data: string; readonly version: number } | null;

/** The part of the tree that one worker alone writes. */
export class Model {
  readonly #nodes = new Map<string, Expected>();

  at(path: string): Expected {
    return this.#nodes.get(path) ?? null;
  }

  put(path: string, expected: Expected): void {
    this.#nodes.set(path, expected);
  }

  get paths(): string[] {
    return [...this.#nodes.keys()];
  }
}

export function same(a: Expected, b: Expected): boolean {
  return a === null || b === null ? a === b : a.data === b.data && a.version === b.version;
}

export function shown(expected: Expected): string {
  return expected === null ? "nothing" : `"${expected.data}" in version ${expected.version}`;
}

/** One write: what it changes, from what to what. */
export interface Change {
  readonly path: string;
  readonly before: Expected;
  readonly after: Expected;
}
