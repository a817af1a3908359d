import type { Timeline } from "../core/timeline.ts";
import { readTimeline } from "../store/timelines.ts";
import { throwIfAborted } from "../support/abort.ts";
import { Bell } from "../support/bell.ts";
import { withDeadline } from "../support/wait.ts";
import type { Clock } from "../support/clock.ts";
import type { ServiceLook } from "../view/service_rows.ts";
import { seenIn, type ServiceSeen } from "../view/service_seen.ts";
import { oneLine } from "../view/words.ts";
import type { ZooKeeper } from "../zookeeper/client.ts";
import { LastingConnection } from "./lasting_connection.ts";
import { ServiceNews, type ServiceEvent } from "./news.ts";
import { readings } from "./readings.ts";
import { WatchedServices } from "./watched.ts";

/** What is known of the connection to ZooKeeper, with when it was last read by the reader's own clock. */
type FeedLink =
  | { readonly kind: "connecting" }
  | { readonly kind: "fresh"; readonly readAtMs: number }
  | { readonly kind: "away"; readonly sinceMs: number | null; readonly reason: string };

/** The whole fleet as it was last read. */
export interface FleetSeen {
  readonly link: FeedLink;
  readonly services: readonly ServiceLook[];
  /** Those of them that could be read. */
  readonly seen: ReadonlyMap<string, ServiceSeen>;
  /** What has happened since somebody began to look, the oldest first. */
  readonly events: readonly ServiceEvent[];
  /** By how much ZooKeeper's clock is ahead of the reader's, in milliseconds. */
  readonly aheadMs: number;
  /** Grows with each reading. */
  readonly reading: number;
}

const nothingSeen: FleetSeen = {
  link: { kind: "connecting" },
  services: [],
  seen: new Map(),
  events: [],
  aheadMs: 0,
  reading: 0,
};

const MOST_EVENTS = 200;
/** A conductor writes a timeline every five seconds; so long it is not read again, in milliseconds, and so many are kept. */
const TIMELINE_MS = 5_000;
const MOST_TIMELINES = 20;
const TIMELINE_READ_MS = 2_000;

/** What is kept of how a deploy went. */
export type KeptTimeline =
  | { readonly kind: "kept"; readonly timeline: Timeline }
  | { readonly kind: "none" }
  /** It could not be read. */
  | { readonly kind: "unread" };

const UNREAD: KeptTimeline = { kind: "unread" };
/** Long enough that a person who reloads sees it at once, in milliseconds. */
const LINGER_MS = 10_000;
/** So long the first reading is waited for, in milliseconds. */
const FIRST_READING_MS = 10_000;

interface FeedOptions {
  /** Makes a client that is closed when the signal it is given is aborted. */
  readonly open: (signal: AbortSignal) => Promise<ZooKeeper>;
  readonly clock: Clock;
  /** So long after the last one has looked the fleet is still read, in milliseconds. */
  readonly lingerMs?: number;
}

/** One reading of the fleet for all who look at it. It has a session of its own, while somebody looks. */
export class FleetFeed implements AsyncDisposable {
  readonly #options: FeedOptions;
  readonly #lingerMs: number;
  readonly #listeners = new Set<() => void>();
  readonly #ending = new AbortController();
  #now: FleetSeen = nothingSeen;
  #lookers = 0;
  #run: { readonly stop: AbortController; readonly over: Promise<void>; connection: LastingConnection } | null = null;
  #cancelLinger = (): void => {};
  readonly #timelines = new Map<string, { readonly atMs: number; readonly timeline: Promise<KeptTimeline> }>();

  constructor(options: FeedOptions) {
    this.#options = options;
    this.#lingerMs = options.lingerMs ?? LINGER_MS;
  }

  /** As it was last read; what was read before somebody looked again is not shown to anybody. */
  get fleet(): FleetSeen {
    return this.#now;
  }

  /** Aborted when nobody is served any more. */
  get ended(): AbortSignal {
    return this.#ending.signal;
  }

  /** Reads the fleet until the returned function is called, and calls `listener` after each reading. */
  look(listener: () => void): () => void {
    this.#cancelLinger();
    this.#lookers += 1;
    this.#listeners.add(listener);
    this.#start();
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      this.#listeners.delete(listener);
      this.#lookers -= 1;
      if (this.#lookers === 0)
        this.#cancelLinger = this.#options.clock.afterIdly(this.#lingerMs, () => {
          if (this.#lookers === 0) void this.#stop();
        });
    };
  }

  /** The fleet, once it was read or could not be. */
  async glance(signal: AbortSignal): Promise<FleetSeen> {
    const bell = new Bell(this.#options.clock);
    const leave = this.look(bell.ring);
    const until = AbortSignal.any([signal, this.ended]);
    const late = this.#options.clock.monotonicMs() + FIRST_READING_MS;
    try {
      while (this.#now.link.kind === "connecting" && !until.aborted) {
        const leftMs = late - this.#options.clock.monotonicMs();
        if (leftMs <= 0) break;
        await bell.wait(leftMs, until);
      }
      throwIfAborted(until, "read the fleet");
      return this.#now;
    } finally {
      leave();
    }
  }

  /** How a deploy went, as it was kept; while ZooKeeper is away, as it was last read. */
  async timeline(service: string, deploy: string): Promise<KeptTimeline> {
    const key = `${service}/${deploy}`;
    const nowMs = this.#options.clock.monotonicMs();
    const known = this.#timelines.get(key);
    if (known !== undefined && nowMs - known.atMs < TIMELINE_MS) return known.timeline;
    const client = this.#run?.connection.connected() ?? null;
    if (client === null || this.#now.link.kind !== "fresh") return known?.timeline ?? UNREAD;
    if (this.#timelines.size >= MOST_TIMELINES) this.#timelines.clear();
    const timeline = withDeadline(
      async () => (await readTimeline(client, service, deploy))?.timeline ?? null,
      TIMELINE_READ_MS,
      this.ended,
      this.#options.clock,
      () => new Error("the timeline is not read in time"),
    ).then(
      (read): KeptTimeline => (read === null ? { kind: "none" } : { kind: "kept", timeline: read }),
      // What keeps it from being read is told with the fleet.
      async () => known?.timeline ?? UNREAD,
    );
    this.#timelines.set(key, { atMs: nowMs, timeline });
    return timeline;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    this.#cancelLinger();
    await this.#stop();
  }

  #start(): void {
    if (this.#run !== null || this.#ending.signal.aborted) return;
    const stop = new AbortController();
    const connection = new LastingConnection(this.#options.open, stop.signal, this.#options.clock);
    this.#now = nothingSeen;
    this.#run = { stop, connection, over: this.#read(connection, stop.signal) };
  }

  async #stop(): Promise<void> {
    const run = this.#run;
    this.#run = null;
    this.#now = nothingSeen;
    run?.stop.abort();
    await run?.over;
  }

  async #read(connection: LastingConnection, signal: AbortSignal): Promise<void> {
    const news = new ServiceNews();
    try {
      for await (const reading of readings(connection, new WatchedServices(), signal)) {
        if (signal.aborted) break;
        if (reading.kind === "read") this.#take(reading.value, news);
        if (reading.kind === "stale" && this.#hasFailed(connection)) this.#away(reading.reason);
      }
    } catch (error) {
      if (signal.aborted) return;
      // Another try would fail in the same way: whoever looks next begins anew.
      this.#away(error instanceof Error ? error.message : String(error));
      this.#run = null;
    } finally {
      await connection[Symbol.asyncDispose]();
    }
  }

  /** Before the first reading there is nothing to be stale, unless it could not be made. */
  #hasFailed(connection: LastingConnection): boolean {
    return this.#now.reading > 0 || connection.hasFailed;
  }

  #take(services: readonly ServiceLook[], news: ServiceNews): void {
    const nowMs = this.#options.clock.now();
    const { aheadMs, events } = news.see(services, new Date(nowMs));
    const at = new Date(nowMs + aheadMs);
    const before = this.#now;
    const seen = new Map<string, ServiceSeen>();
    for (const look of services)
      if ("overview" in look) seen.set(look.service, seenIn(look.overview, before.seen.get(look.service) ?? null, at));
    this.#now = {
      link: { kind: "fresh", readAtMs: nowMs },
      services,
      seen,
      events: [...before.events, ...events].slice(-MOST_EVENTS),
      aheadMs,
      reading: before.reading + 1,
    };
    this.#tell();
  }

  #away(reason: string): void {
    const { link } = this.#now;
    const sinceMs = link.kind === "fresh" ? link.readAtMs : link.kind === "away" ? link.sinceMs : null;
    this.#now = { ...this.#now, link: { kind: "away", sinceMs, reason: oneLine(reason) } };
    this.#tell();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}

/** Now by ZooKeeper's clock; while it is away, when it was last read: nobody knows what has become of anything since. */
export function serversTime({ link, aheadMs }: FleetSeen, nowMs: number): Date {
  return new Date((link.kind === "away" ? (link.sinceMs ?? nowMs) : nowMs) + aheadMs);
}
