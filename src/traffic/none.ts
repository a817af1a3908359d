import type { Traffic } from "./effects.ts";

/** For a service whose clients bear a restart, or that hands its own socket over. */
export function noTraffic(): Traffic {
  return {
    steer: async () => {},
    taken: async () => {},
    // Nothing keeps new connections away, so a count of the open ones would not come to an end.
    busy: async () => null,
    refused: async () => null,
    remove: async () => {},
  };
}
