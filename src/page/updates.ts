import { Bell } from "../support/bell.ts";
import type { Clock } from "../support/clock.ts";
import type { FleetFeed } from "../watch/fleet_feed.ts";
import { hrefOf, type PageAddress } from "./address.ts";
import { contentOf } from "./content.tsx";
import { htmlOf } from "./document.tsx";

/** What has changed on a page: HTML by the id of the part that it replaces. Empty where only time has passed. */
export interface Update {
  readonly title: string;
  readonly parts: Readonly<Record<string, string>>;
}

/** At most so often a page is told what has changed, in milliseconds. */
const GAP_MS = 500;
/** At least so often it is told that there is nothing new: something on the way may end what is silent. */
const SILENCE_MS = 10_000;
/** Ages are counted on in steps of this. */
const TICK_MS = 1_000;

/** Pages as HTML for all who look at them, each rendered once however many look at it. */
export class Updates {
  readonly #feed: FleetFeed;
  readonly #clock: Clock;
  readonly #rendered = new Map<string, Rendered>();

  constructor(feed: FleetFeed, clock: Clock) {
    this.#feed = feed;
    this.#clock = clock;
  }

  /** Everything first, and then what changes, until the signal is aborted. */
  async *of(address: PageAddress, signal: AbortSignal): AsyncGenerator<Update> {
    const bell = new Bell(this.#clock);
    const leave = this.#feed.look(bell.ring);
    const until = AbortSignal.any([signal, this.#feed.ended]);
    let sent: Parts = {};
    let toldAt = Number.NEGATIVE_INFINITY;
    try {
      while (!until.aborted) {
        const nowMs = this.#clock.monotonicMs();
        if (this.#feed.fleet.link.kind !== "connecting") {
          const { title, parts } = await this.#render(address);
          const changed = Object.fromEntries(Object.entries(parts).filter(([id, html]) => sent[id] !== html));
          if (Object.keys(changed).length > 0 || nowMs - toldAt >= SILENCE_MS) {
            yield { title, parts: changed };
            sent = parts;
            toldAt = nowMs;
          }
        }
        // A burst of changes is told as one.
        await this.#clock.sleep(GAP_MS, until).catch(() => {});
        await bell.wait(TICK_MS - GAP_MS, until);
      }
    } finally {
      leave();
      if (this.#rendered.size > MOST_RENDERED) this.#rendered.clear();
    }
  }

  async #render(address: PageAddress): Promise<{ readonly title: string; readonly parts: Parts }> {
    const href = hrefOf(address);
    const { fleet } = this.#feed;
    const nowMs = this.#clock.now();
    const key = `${fleet.link.kind} ${Math.floor(nowMs / TICK_MS)}`;
    const before = this.#rendered.get(href);
    if (before?.key === key && before.of === fleet.seen) return before;
    const timeline = address.kind === "deploy" ? await this.#feed.timeline(address.service, address.deploy) : undefined;
    const { title, parts } = contentOf(address, fleet, nowMs, timeline);
    // Between two readings only ages change, and those of thousands of hosts are told with the next one.
    const isSameReading = before?.of === fleet.seen;
    const html = parts.map(({ id, content }): [string, string] => {
      const same = isSameReading && !AGING.has(id) ? before?.parts[id] : undefined;
      return [id, same ?? htmlOf(content)];
    });
    const rendered = { key, of: fleet.seen, title, parts: Object.fromEntries(html) };
    this.#rendered.set(href, rendered);
    return rendered;
  }
}

/** What changes although nothing was read. */
const AGING: ReadonlySet<string> = new Set(["link", "body", "timeline"]);

/** A page as it was last rendered. */
interface Rendered {
  readonly key: string;
  /** What was read, the same as long as nothing was read again, by whichever session. */
  readonly of: FleetFeed["fleet"]["seen"];
  readonly title: string;
  readonly parts: Parts;
}

type Parts = Readonly<Record<string, string>>;

/** Pages that nobody looks at any more are forgotten at some point. */
const MOST_RENDERED = 50;
