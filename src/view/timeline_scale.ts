import type { Timeline } from "../core/timeline.ts";

/** A stretch of time, and where it is shown. */
interface Piece {
  readonly fromMs: number;
  readonly toMs: number;
  readonly shownFromMs: number;
  readonly shownToMs: number;
}

/** A gap is shown no longer than this share of what was watched: a rollback may come days after its deploy. */
const GAP_SHARE = 0.08;

/** The end of what there is to see, in milliseconds after the beginning. */
export function endOf({ untilMs, marks }: Pick<Timeline, "untilMs" | "marks">): number {
  return Math.max(1, untilMs, marks.at(-1)?.atMs ?? 0);
}

/** Where instants stand in a picture: time passes evenly in it, but for long gaps, which are shortened. */
export class TimelineScale {
  readonly #pieces: readonly Piece[];
  /** How long all of it is shown. */
  readonly lengthMs: number;
  readonly isShortened: boolean;

  constructor(timeline: Pick<Timeline, "untilMs" | "marks" | "gaps">) {
    const endMs = endOf(timeline);
    const gaps = timeline.gaps.filter(({ fromMs, toMs }) => toMs > fromMs);
    const unwatchedMs = gaps.reduce((sum, { fromMs, toMs }) => sum + toMs - fromMs, 0);
    const longestMs = Math.max(1, (endMs - unwatchedMs) * GAP_SHARE);
    const pieces: Piece[] = [];
    let atMs = 0;
    let shownMs = 0;
    const add = (toMs: number, lengthMs: number): void => {
      if (toMs <= atMs) return;
      pieces.push({ fromMs: atMs, toMs, shownFromMs: shownMs, shownToMs: shownMs + lengthMs });
      [atMs, shownMs] = [toMs, shownMs + lengthMs];
    };
    for (const { fromMs, toMs } of gaps) {
      add(fromMs, fromMs - atMs);
      add(toMs, Math.min(toMs - atMs, longestMs));
    }
    add(endMs, endMs - atMs);
    this.#pieces = pieces;
    this.lengthMs = shownMs;
    this.isShortened = shownMs < endMs;
  }

  /** How long after the beginning of the picture an instant stands in it. */
  shown(atMs: number): number {
    const piece = this.#pieces.find(({ toMs }) => atMs <= toMs) ?? this.#pieces.at(-1);
    if (piece === undefined) return 0;
    const { fromMs, toMs, shownFromMs, shownToMs } = piece;
    const share = Math.min(1, Math.max(0, (atMs - fromMs) / (toMs - fromMs)));
    return shownFromMs + share * (shownToMs - shownFromMs);
  }

  /** The instant that stands there. */
  instant(shownMs: number): number {
    const piece = this.#pieces.find(({ shownToMs }) => shownMs <= shownToMs) ?? this.#pieces.at(-1);
    if (piece === undefined) return 0;
    const { fromMs, toMs, shownFromMs, shownToMs } = piece;
    const share = Math.min(1, Math.max(0, (shownMs - shownFromMs) / (shownToMs - shownFromMs)));
    return fromMs + share * (toMs - fromMs);
  }
}
