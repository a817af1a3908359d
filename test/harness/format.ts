import type { FormatGate } from "../../src/store/format.ts";

/** Of a tree that is understood, for tests of something else. */
export const knownFormat: FormatGate = {
  isKnown: true,
  problem: null,
  onChange: () => () => {},
  known: async () => {},
};
