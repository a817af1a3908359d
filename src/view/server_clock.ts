import { newestDeploy } from "./deploy.ts";
import type { Overview } from "./overview.ts";

/**
 * ZooKeeper's clock, as a reader can estimate it: ages are shown by it, because the reader's own clock may be days off.
 * The first reading only shows that it cannot be earlier than the last write; a change that arrives while the reader
 * watches tells the time, except for the delay of reading it.
 */
export class ServerClock {
  #aheadMs = 0;
  #newestMs: number | null = null;

  /** @param now by the reader's own clock, when it was read */
  see(overview: Overview, now: Date): void {
    const newestMs = newestTimeIn(overview);
    if (newestMs === null) return;
    const aheadMs = newestMs - now.getTime();
    const isChange = this.#newestMs !== null && newestMs > this.#newestMs;
    this.#aheadMs = isChange ? aheadMs : Math.max(this.#aheadMs, aheadMs);
    this.#newestMs = Math.max(this.#newestMs ?? newestMs, newestMs);
  }

  at(now: Date): Date {
    return new Date(now.getTime() + this.#aheadMs);
  }
}

/** All of them are written by `toISOString`, so that the greatest text is the latest time. */
function newestTimeIn(overview: Overview): number | null {
  let newest = newestDeploy(overview)?.record.times.changed ?? "";
  for (const { since } of overview.statuses.values()) if (since > newest) newest = since;
  return newest === "" ? null : new Date(newest).getTime();
}

/** ZooKeeper's time for a caller that reads only once. */
export function serverNow(overview: Overview, now: Date): Date {
  const clock = new ServerClock();
  clock.see(overview, now);
  return clock.at(now);
}
