import { serviceRows, type ServiceLook } from "../view/service_rows.ts";
import { seenIn, type Event } from "../view/service_seen.ts";
import type { SpanLine } from "../view/spans.ts";
import { asked } from "./asking.ts";
import type { Key } from "./keys.ts";
import { serverNowOf, shownHosts, telling, type MonitorAct, type Model, type Page } from "./model.ts";

/** Something that has happened to the monitor. */
export type Message =
  | { readonly kind: "key"; readonly key: Key }
  | { readonly kind: "resized"; readonly columns: number; readonly rows: number }
  | { readonly kind: "tick"; readonly nowMs: number }
  /** @param aheadMs by how much ZooKeeper's clock is ahead of the reader's */
  | {
      readonly kind: "read";
      readonly services: readonly ServiceLook[];
      readonly aheadMs: number;
      readonly events: readonly Event[];
      readonly nowMs: number;
    }
  | { readonly kind: "away"; readonly reason: string; readonly nowMs: number }
  /** What came of an act. */
  | { readonly kind: "acted"; readonly line: SpanLine };

/** What has to be done outside. */
export type Effect =
  | { readonly kind: "quit" | "suspend" | "redraw" }
  | {
      readonly kind: "act";
      readonly act: MonitorAct;
      readonly service: string;
      readonly build: string;
      readonly deploy: string;
    };

export interface Updated {
  readonly model: Model;
  readonly effects: readonly Effect[];
}

/** As many events are kept. */
const MOST_EVENTS = 200;

export function update(model: Model, message: Message): Updated {
  switch (message.kind) {
    case "tick":
      return only(ticked(model, message.nowMs));
    case "resized":
      return only({ ...model, size: { columns: message.columns, rows: message.rows } });
    case "away": {
      const sinceMs = model.link.kind === "away" ? model.link.sinceMs : readAtMs(model, message.nowMs);
      return only({ ...model, nowMs: message.nowMs, link: { kind: "away", sinceMs, reason: message.reason } });
    }
    case "acted":
      return only(telling(model, message.line));
    case "read":
      return only(afterReading(model, message));
    case "key":
      return pressed(model, message.key);
  }
}

function ticked(model: Model, nowMs: number): Model {
  const { prompt } = model;
  const isOver = prompt.kind === "told" && nowMs >= prompt.untilMs;
  return { ...model, nowMs, ...(isOver ? { prompt: { kind: "none" } as const } : {}) };
}

function only(model: Model): Updated {
  return { model, effects: [] };
}

function readAtMs({ link }: Model, nowMs: number): number {
  return link.kind === "fresh" ? link.readAtMs : nowMs;
}

function afterReading(model: Model, { services, aheadMs, events, nowMs }: Extract<Message, { kind: "read" }>): Model {
  const all = [...model.events, ...events].slice(-MOST_EVENTS);
  const read: Model = { ...model, services, aheadMs, events: all, nowMs, link: { kind: "fresh", readAtMs: nowMs } };
  return watching(read, read.selected ?? mostUrgent(read));
}

/** The service that somebody who looks at them should look at first. */
function mostUrgent(model: Model): string | null {
  return serviceRows(model.services, serverNowOf(model))[0]?.service ?? null;
}

/** With this service computed. */
function watching(model: Model, service: string | null): Model {
  const look = model.services.find((each) => each.service === service);
  if (look === undefined || "problem" in look) return { ...model, selected: service, watched: null };
  const before = model.watched?.overview.service === service ? model.watched : null;
  const now = serverNowOf(model);
  return { ...model, selected: service, watched: seenIn(look.overview, before, now) };
}

function pressed(model: Model, key: Key): Updated {
  if (key.kind === "interrupt") return { model, effects: [{ kind: "quit" }] };
  if (key.kind === "suspend") return { model, effects: [{ kind: "suspend" }] };
  if (key.kind === "redraw") return { model, effects: [{ kind: "redraw" }] };
  switch (model.prompt.kind) {
    case "filter":
      return only(filtering(model, key));
    case "confirm":
      return confirming(model, key);
    case "none":
    case "told":
    case "acting":
      return command({ ...model, prompt: model.prompt.kind === "told" ? { kind: "none" } : model.prompt }, key);
  }
}

function filtering(model: Model, key: Key): Model {
  const text = model.prompt.kind === "filter" ? model.prompt.text : "";
  const typed = (next: string): Model => ({
    ...model,
    filter: next,
    cursor: null,
    prompt: { kind: "filter", text: next },
  });
  switch (key.kind) {
    case "text":
      return typed(text + key.text);
    case "backspace":
      return text === "" ? { ...model, prompt: { kind: "none" } } : typed(text.slice(0, -1));
    case "escape":
      return { ...model, filter: "", prompt: { kind: "none" } };
    case "enter":
      return { ...model, prompt: { kind: "none" } };
    default:
      return moved(model, key);
  }
}

function confirming(model: Model, key: Key): Updated {
  const { prompt } = model;
  if (prompt.kind !== "confirm") return only(model);
  if (key.kind !== "text" || key.text !== "y") return only({ ...model, prompt: { kind: "none" } });
  const { act, service, build, deploy } = prompt;
  const text = `${act} ${service} ${build} …`;
  return {
    model: { ...model, prompt: { kind: "acting", text } },
    effects: [{ kind: "act", act, service, build, deploy }],
  };
}

const ACTS: Readonly<Record<string, MonitorAct>> = {
  p: "pause",
  r: "rollback",
  a: "abort",
  P: "promote",
  t: "retry",
  c: "resume",
};

function command(model: Model, key: Key): Updated {
  if (key.kind !== "text") {
    if (key.kind === "enter") return only(entered(model));
    if (key.kind === "escape" || key.kind === "backspace") return only(left(model));
    return only(moved(model, key));
  }
  const { text } = key;
  if (text === "q")
    return model.page.kind === "host" || model.page.kind === "help"
      ? only(left(model))
      : { model, effects: [{ kind: "quit" }] };
  if (text === "j") return only(moved(model, { kind: "down" }));
  if (text === "k") return only(moved(model, { kind: "up" }));
  if (text === "g") return only(moved(model, { kind: "home" }));
  if (text === "G") return only(moved(model, { kind: "end" }));
  if (text === "h" || text === "l") return only(moved(model, { kind: text === "h" ? "left" : "right" }));
  if (text === "?") return only(helped(model));
  if (text === "/" && model.page.kind === "fleet")
    return only({ ...model, prompt: { kind: "filter", text: model.filter } });
  if (text === "f") return only(firstFailed(model));
  if (text === "s" && model.only === null) return only({ ...model, page: { kind: "services" } });
  if (/^[1-9]$/.test(text)) return only(numbered(model, Number(text) - 1));
  const act = ACTS[text];
  return only(act === undefined ? model : asked(model, act));
}

function helped(model: Model): Model {
  const { page } = model;
  if (page.kind === "help") return { ...model, page: { kind: page.from } };
  return { ...model, page: { kind: "help", from: page.kind === "services" ? "services" : "fleet" } };
}

/** The services by name, as their numbers go. */
export function numberedServices({ services }: Pick<Model, "services">): readonly string[] {
  return services.map(({ service }) => service);
}

function numbered(model: Model, at: number): Model {
  const service = numberedServices(model)[at];
  return service === undefined
    ? model
    : watching({ ...model, page: { kind: "fleet" }, cursor: null, filter: "" }, service);
}

function entered(model: Model): Model {
  const { page } = model;
  if (page.kind === "services") return model.selected === null ? model : { ...model, page: { kind: "fleet" } };
  if (page.kind !== "fleet") return model;
  const host = cursorHost(model);
  return host === null ? model : { ...model, cursor: host, page: { kind: "host", host, top: 0 } };
}

function left(model: Model): Model {
  const { page } = model;
  if (page.kind === "help") return { ...model, page: { kind: page.from } };
  if (page.kind === "host") return { ...model, page: { kind: "fleet" } };
  if (model.filter !== "") return { ...model, filter: "" };
  return page.kind === "fleet" && model.only === null ? { ...model, page: { kind: "services" } } : model;
}

/** To the first host that failed, or to the next one. */
function firstFailed(model: Model): Model {
  const hosts = shownHosts(model);
  const from = hosts.findIndex(({ host }) => host === model.cursor);
  const worst = hosts.some(({ state }) => state === "failed") ? "failed" : "unreachable";
  const isBad = ({ state }: (typeof hosts)[number]): boolean => state === worst;
  const found = hosts.find((host, at) => at > from && isBad(host)) ?? hosts.find(isBad);
  return found === undefined ? model : { ...model, page: { kind: "fleet" }, cursor: found.host };
}

/** The host under the cursor, or the one that is looked at first where nobody has moved it. */
function cursorHost(model: Model): string | null {
  const hosts = shownHosts(model);
  if (hosts.some(({ host }) => host === model.cursor)) return model.cursor;
  return (hosts.find(({ state }) => state === "failed") ?? hosts[0])?.host ?? null;
}

function moved(model: Model, key: Key): Model {
  const { page } = model;
  if (page.kind === "services") return movedTo(model, key);
  if (page.kind === "host") return { ...model, page: scrolled(page, key, model) };
  if (page.kind !== "fleet") return model;
  const hosts = shownHosts(model);
  const at = Math.max(
    0,
    hosts.findIndex(({ host }) => host === (model.cursor ?? cursorHost(model))),
  );
  // The first press only shows where the cursor is.
  const next =
    model.cursor === null && (key.kind === "down" || key.kind === "up") ? at : steppedTo(at, key, hosts.length, model);
  const host = hosts[next]?.host;
  return host === undefined ? model : { ...model, cursor: host };
}

function movedTo(model: Model, key: Key): Model {
  const rows = serviceRows(model.services, serverNowOf(model)).map(({ service }) => service);
  const at = Math.max(0, rows.indexOf(model.selected ?? ""));
  return watching(model, rows[steppedTo(at, key, rows.length, model)] ?? null);
}

function steppedTo(at: number, { kind }: Key, length: number, { size }: Model): number {
  const page = Math.max(1, size.rows - 12);
  const step = { up: -1, left: -1, down: 1, right: 1, "page up": -page, "page down": page } as const;
  if (kind === "home") return 0;
  if (kind === "end") return length - 1;
  const by = kind in step ? step[kind as keyof typeof step] : 0;
  return Math.min(length - 1, Math.max(0, at + by));
}

function scrolled(page: Extract<Page, { kind: "host" }>, key: Key, model: Model): Page {
  return { ...page, top: steppedTo(page.top, key, 500, model) };
}
