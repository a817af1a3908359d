import type { HostStatus } from "../../src/schema/znodes.ts";

/** What a host says of itself: one that has prepared, serves nothing yet and waits, but for `changes`. */
export function hostStatus(changes: Partial<HostStatus> = {}): HostStatus {
  return {
    build: null,
    health: "nothing",
    wish: null,
    step: "ready",
    rollingBack: false,
    attempt: 1,
    begun: false,
    failure: null,
    since: "2026-01-01T00:00:00.000Z",
    error: null,
    log: "",
    ...changes,
  };
}
