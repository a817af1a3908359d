import { newestDeploy } from "./deploy.ts";
import type { Overview } from "./overview.ts";

/**
 * ZooKeeper's clock, as a reader comes to know it: ages are told by it, and the reader's own may be days away. The first
 * reading only shows that it cannot be earlier than what was written last; a change that is seen to come tells it as
 * exactly as it is read.
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

function newestTimeIn(overview: Overview): number | null {
  const view = newestDeploy(overview);
  const times = [...overview.statuses.values()].map(({ since }) => since);
  if (view !== null) times.push(view.record.times.changed);
  return times.reduce<number | null>((newest, time) => Math.max(newest ?? 0, new Date(time).getTime()), null);
}

/** For who looks once. */
export function serverNow(overview: Overview, now: Date): Date {
  const clock = new ServerClock();
  clock.see(overview, now);
  return clock.at(now);
}
