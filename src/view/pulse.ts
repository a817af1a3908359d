import { isRunning, reasonOf, waitsForPerson } from "../core/deploy_state.ts";
import { durationText } from "../core/duration.ts";
import { stageText } from "../core/stages.ts";
import { stuckForMs, waitingFor, type DeployView } from "./deploy.ts";
import { waitingText } from "./deploy_words.ts";
import { leftMs, type Flow } from "./flow.ts";
import { span, strong, type SpanLine } from "./spans.ts";
import { ageMs, duration } from "./times.ts";
import type { Tone } from "./tone.ts";
import { count, oneLine } from "./words.ts";

/** Whether a deploy moves, in a word or two, and what there is to say of that. */
export interface Pulse {
  readonly kind: "moves" | "stuck" | "waits for a person" | "waits for time" | "held back" | "stands still" | "over";
  readonly word: string;
  readonly tone: Tone;
  /** What it waits for or why it stands still, as one sentence; empty where there is nothing to say. */
  readonly because: string;
}

/**
 * @param waits why hosts get no slot although they are ready
 * @param moved when something last happened to it
 */
export function pulseOf(view: DeployView, waits: readonly string[], moved: string, now: Date): Pulse {
  const { record } = view;
  const because = oneLine(reasonOf(record));
  if (!isRunning(record)) return { kind: "over", word: record.state, tone: overTone(record.state), because };
  if (record.state === "paused") return { kind: "stands still", word: "paused", tone: "warn", because };
  if (waitsForPerson(record))
    return {
      kind: "waits for a person",
      word: "waits for you",
      tone: "warn",
      because: "its hosts are healthy; promote it or roll it back",
    };
  if (record.state === "awaiting promotion") {
    const wait = record.stages[record.stage]?.wait;
    const left = typeof wait === "number" ? Math.max(0, wait - ageMs(record.times.changed, now)) : 0;
    return { kind: "waits for time", word: `goes on in ${duration(left)}`, tone: "busy", because: "" };
  }
  const stuckMs = stuckForMs(view, now, moved);
  if (stuckMs !== null) {
    const why = waits.length > 0 ? waits.map(oneLine).join("; ") : `waiting for ${waitingText(waitingFor(view, now))}`;
    return { kind: "stuck", word: `STUCK for ${duration(stuckMs)}`, tone: "bad", because: why };
  }
  const [wait] = waits;
  if (wait !== undefined && Object.keys(view.live?.out.slots ?? {}).length === 0)
    return { kind: "held back", word: "held back", tone: "warn", because: waits.map(oneLine).join("; ") };
  return { kind: "moves", word: "moving", tone: "good", because: because === "" ? (wait ?? "") : because };
}

function overTone(state: string): Tone {
  if (state === "done") return "good";
  return state === "rolled back" ? "warn" : "bad";
}

/** "canary ✓ > zone:a ◆ promote > 50% > 100%", each with what it waits for before the next. */
export function stageTrack({ record }: DeployView, pulse: Pulse): SpanLine {
  return record.stages.flatMap((stage, at) => {
    const arrow = at === 0 ? [] : [span(" > ", "dim")];
    const { hosts, wait } = stage;
    if (at < record.stage || record.state === "done") return [...arrow, span(`${hosts} ✓`, "good")];
    if (at > record.stage) return [...arrow, span(stageText(stage), "dim")];
    const sign = pulse.kind === "moves" ? " ↻" : pulse.kind === "over" ? " ✗" : " ◆";
    const next = wait === "promote" ? ", then you" : wait > 0 ? `, then ${durationText(wait)}` : "";
    return [...arrow, strong(`${hosts}${sign}`, pulse.tone), span(next, "dim")];
  });
}

/** How long it still takes, and what that rests on; null where nobody can tell. */
export function etaText(view: DeployView, flow: Flow, now: Date): string | null {
  const { record, live } = view;
  if (live === null || !isRunning(record) || record.state === "paused" || waitsForPerson(record)) return null;
  const { hosts, serving, failed, unreachable } = live.progress;
  const left = hosts.length - serving.length - failed.length - unreachable.length;
  if (left <= 0) return null;
  const ms = leftMs(flow, left, now.getTime());
  if (ms === null) return null;
  return `about ${duration(ms)} for ${count(left, "host")} at this pace`;
}
