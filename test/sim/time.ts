import { drainMicrotasks } from "bun:jsc";
import { clockOf, type Clock } from "../../src/support/clock.ts";
import type { Chance } from "./chance.ts";

interface Due {
  readonly atMs: number;
  /** What is due at the same moment happens in the order in which it was asked for. */
  readonly turn: number;
  work: (() => void) | null;
}

/**
 * The time of a rehearsal: it stands still while anybody has something to do, and then leaps to what is due next. One queue
 * orders everything that happens, so one seed always plays the same.
 */
export class VirtualTime {
  #nowMs = 0;
  #turns = 0;
  #events = 0;
  readonly #queue: Due[] = [];

  /** Milliseconds since the rehearsal began. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** How much has happened so far. */
  get events(): number {
    return this.#events;
  }

  /** Calls `work` after `delayMs`. Returns what calls that off. */
  after(delayMs: number, work: () => void): () => void {
    const due: Due = { atMs: this.#nowMs + Math.max(0, delayMs), turn: (this.#turns += 1), work };
    push(this.#queue, due);
    return () => {
      due.work = null;
    };
  }

  /** Lets time pass until `done` says so or `limitMs` is reached; `done` is asked after each thing that happens. */
  run(limitMs: number, done: () => boolean = () => false): void {
    drainMicrotasks();
    while (!done()) {
      const due = pop(this.#queue);
      if (due === null || due.atMs > limitMs) {
        if (due !== null) push(this.#queue, due);
        this.#nowMs = Math.max(this.#nowMs, limitMs);
        return;
      }
      const { work } = due;
      if (work === null) continue;
      this.#nowMs = due.atMs;
      this.#events += 1;
      work();
      drainMicrotasks();
    }
  }
}

/** A machine's clock on the wall: it may be wrong, run fast or slow, and be set. */
export interface WallClock {
  /** By how much it is wrong, in milliseconds. */
  offsetMs: number;
  /** How much faster than the truth it runs; 0.0001 is 100 parts in a million. */
  readonly drift: number;
}

/** When every rehearsal begins, by a clock that is right. */
export const BEGINNING_MS = Date.UTC(2027, 0, 4, 9, 0, 0);

/** The clock of one machine of a rehearsal. `tell` lets whoever holds it hear of something: the dead never do. */
export function virtualClock(
  time: VirtualTime,
  chance: Chance,
  wall: WallClock = { offsetMs: 0, drift: 0 },
  tell: (work: () => void) => void = (work) => work(),
): Clock {
  const after = (ms: number, work: () => void): (() => void) => {
    let isCalledOff = false;
    const cancel = time.after(ms, () => tell(() => (isCalledOff ? undefined : work())));
    return () => {
      isCalledOff = true;
      cancel();
    };
  };
  return clockOf({
    now: () => Math.floor(BEGINNING_MS + time.nowMs * (1 + wall.drift) + wall.offsetMs),
    monotonicMs: () => time.nowMs,
    after,
    afterIdly: after,
    turn: () => new Promise((resolve) => void after(0, resolve)),
    random: () => chance.random(),
    randomBytes: (count) => chance.bytes(count),
  });
}

function isBefore(a: Due, b: Due): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.turn < b.turn);
}

/** Into a binary heap. */
function push(queue: Due[], due: Due): void {
  let at = queue.push(due) - 1;
  while (at > 0) {
    const above = (at - 1) >> 1;
    const parent = queue[above];
    if (parent === undefined || isBefore(parent, due)) break;
    queue[at] = parent;
    at = above;
  }
  queue[at] = due;
}

function pop(queue: Due[]): Due | null {
  const first = queue[0];
  const last = queue.pop();
  if (first === undefined || last === undefined) return null;
  if (first === last) return first;
  let at = 0;
  for (;;) {
    let below = 2 * at + 1;
    const left = queue[below];
    const right = queue[below + 1];
    if (left === undefined) break;
    let child = left;
    if (right !== undefined && isBefore(right, left)) {
      child = right;
      below += 1;
    }
    if (!isBefore(child, last)) break;
    queue[at] = child;
    at = below;
  }
  queue[at] = last;
  return first;
}
