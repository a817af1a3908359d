import { endOf, TimelineScale } from "../view/timeline_scale.ts";
import type { ToldTimeline } from "../view/timeline_words.ts";
import type { Key } from "./keys.ts";

/** A timeline that is played: all that there is to know of it. */
export interface Replay {
  readonly told: ToldTimeline;
  /** The instant that is shown, in milliseconds after the beginning of the deploy. */
  readonly atMs: number;
  readonly isPlaying: boolean;
  /** So many seconds of the deploy pass in each second. */
  readonly speed: number;
  /** When time was looked at last, by a monotonic clock. */
  readonly nowMs: number;
  readonly size: { readonly columns: number; readonly rows: number };
}

/** Something that has happened to it. */
export type ReplayMessage =
  | { readonly kind: "key"; readonly key: Key }
  | { readonly kind: "resized"; readonly columns: number; readonly rows: number }
  | { readonly kind: "tick"; readonly nowMs: number };

interface Replayed {
  readonly replay: Replay;
  /** What has to be done outside. */
  readonly effect: "quit" | "suspend" | "redraw" | null;
}

const SLOWEST = 0.125;
export const FASTEST = 4_096;

export function newReplay(told: ToldTimeline, speed: number, size: Replay["size"], nowMs: number): Replay {
  return { told, atMs: 0, isPlaying: true, speed, nowMs, size };
}

export function replayAfter(replay: Replay, message: ReplayMessage): Replayed {
  switch (message.kind) {
    case "tick":
      return only(ticked(replay, message.nowMs));
    case "resized":
      return only({ ...replay, size: { columns: message.columns, rows: message.rows } });
    case "key":
      return pressed(replay, message.key);
  }
}

function only(replay: Replay): Replayed {
  return { replay, effect: null };
}

function ticked(replay: Replay, nowMs: number): Replay {
  if (!replay.isPlaying) return { ...replay, nowMs };
  const { timeline } = replay.told;
  const endMs = endOf(timeline);
  const scale = new TimelineScale(timeline);
  // Through long gaps as fast as they are shown: there is nothing to see in them.
  const shownMs = scale.shown(replay.atMs) + Math.max(0, nowMs - replay.nowMs) * replay.speed;
  const atMs = shownMs >= scale.lengthMs ? endMs : scale.instant(shownMs);
  return { ...replay, nowMs, atMs, isPlaying: atMs < endMs };
}

function pressed(replay: Replay, key: Key): Replayed {
  switch (key.kind) {
    case "interrupt":
      return { replay, effect: "quit" };
    case "suspend":
    case "redraw":
      return { replay, effect: key.kind };
    case "left":
    case "right":
      return only(stepped(replay, key.kind));
    case "home":
      return only({ ...replay, atMs: 0 });
    case "end":
      return only({ ...replay, atMs: endOf(replay.told.timeline), isPlaying: false });
    case "text":
      return typed(replay, key.text);
    default:
      return only(replay);
  }
}

function typed(replay: Replay, text: string): Replayed {
  switch (text) {
    case "q":
      return { replay, effect: "quit" };
    case " ":
      return only(toggled(replay));
    case "h":
    case "l":
      return only(stepped(replay, text === "h" ? "left" : "right"));
    case "0":
    case "g":
      return only({ ...replay, atMs: 0 });
    case "G":
      return only({ ...replay, atMs: endOf(replay.told.timeline), isPlaying: false });
    case "+":
    case "=":
      return only({ ...replay, speed: Math.min(FASTEST, replay.speed * 2) });
    case "-":
      return only({ ...replay, speed: Math.max(SLOWEST, replay.speed / 2) });
    default:
      return only(replay);
  }
}

/** What has come to its end begins anew. */
function toggled(replay: Replay): Replay {
  if (replay.isPlaying) return { ...replay, isPlaying: false };
  return { ...replay, isPlaying: true, atMs: replay.atMs >= endOf(replay.told.timeline) ? 0 : replay.atMs };
}

/** To the last instant before, or the next one, at which anything changed; there it stands. */
function stepped(replay: Replay, way: "left" | "right"): Replay {
  const { timeline } = replay.told;
  const changes = [...timeline.samples, ...timeline.marks].map(({ atMs }) => atMs);
  const instants = [0, ...changes, endOf(timeline)].toSorted((a, b) => a - b);
  const found =
    way === "left" ? instants.findLast((atMs) => atMs < replay.atMs) : instants.find((atMs) => atMs > replay.atMs);
  return { ...replay, atMs: found ?? replay.atMs, isPlaying: false };
}
