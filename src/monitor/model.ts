import { hostsWith, type FleetHost } from "../view/host_state.ts";
import type { ServiceLook } from "../view/service_rows.ts";
import type { Event, ServiceSeen } from "../view/service_seen.ts";
import type { SpanLine } from "../view/spans.ts";

/** What a person can have done from the monitor: what the verbs of ctl of these names do. */
export type MonitorAct = "pause" | "resume" | "promote" | "rollback" | "abort" | "retry";

/** What is known of the connection to ZooKeeper. */
type Link =
  | { readonly kind: "connecting" }
  /** When it was last read, by the reader's own clock. */
  | { readonly kind: "fresh"; readonly readAtMs: number }
  | { readonly kind: "away"; readonly sinceMs: number; readonly reason: string };

/** What is on the screen in place of the keys. */
type Prompt =
  | { readonly kind: "none" }
  | { readonly kind: "filter"; readonly text: string }
  /** A person is asked once more; the answer is y. */
  | {
      readonly kind: "confirm";
      readonly act: MonitorAct;
      readonly service: string;
      readonly build: string;
      readonly deploy: string;
      readonly question: string;
    }
  | { readonly kind: "acting"; readonly text: string }
  | { readonly kind: "told"; readonly line: SpanLine; readonly untilMs: number };

/** For how long it is told what came of an act, where nobody presses a key. In milliseconds. */
const TOLD_MS = 10_000;

export function telling(model: Model, line: SpanLine): Model {
  return { ...model, prompt: { kind: "told", line, untilMs: model.nowMs + TOLD_MS } };
}

export type Page =
  | { readonly kind: "services" }
  | { readonly kind: "fleet" }
  | { readonly kind: "host"; readonly host: string; readonly top: number }
  | { readonly kind: "help"; readonly from: "services" | "fleet" };

/** All that the monitor knows. It is changed by `update` alone, and drawn by `screen` alone. */
export interface Model {
  /** The one that was named; null where all are watched. */
  readonly only: string | null;
  readonly page: Page;
  readonly prompt: Prompt;
  readonly filter: string;
  readonly link: Link;
  readonly services: readonly ServiceLook[];
  /** The service that is shown, and the place of the cursor among the services. */
  readonly selected: string | null;
  readonly watched: ServiceSeen | null;
  /** The host under the cursor; null before anybody has moved it. */
  readonly cursor: string | null;
  readonly events: readonly Event[];
  /** By how much ZooKeeper's clock is ahead of the reader's. */
  readonly aheadMs: number;
  readonly nowMs: number;
  readonly size: { readonly columns: number; readonly rows: number };
}

export function newModel(only: string | null, size: Model["size"], nowMs: number): Model {
  return {
    only,
    page: only === null ? { kind: "services" } : { kind: "fleet" },
    prompt: { kind: "none" },
    filter: "",
    link: { kind: "connecting" },
    services: [],
    selected: only,
    watched: null,
    cursor: null,
    events: [],
    aheadMs: 0,
    nowMs,
    size,
  };
}

/** The hosts that pass the filter. */
export function shownHosts({ watched, filter }: Pick<Model, "watched" | "filter">): readonly FleetHost[] {
  return hostsWith(watched?.hosts ?? [], filter);
}

/** Now, by ZooKeeper's clock; while it is away, when it was last read: nobody knows what has become of anything since. */
export function serverNowOf({ nowMs, aheadMs, link }: Pick<Model, "nowMs" | "aheadMs" | "link">): Date {
  return new Date((link.kind === "away" ? link.sinceMs : nowMs) + aheadMs);
}
