import type { Chance } from "../chance.ts";
import type { VirtualTime } from "../time.ts";

/** What an agent changes outside itself. */
export type EffectKind =
  "write" | "flush" | "name" | "remove" | "download" | "command" | "signal" | "traffic" | "zookeeper" | "post";

export interface Effect {
  /** Counted over all lives of the host, from 1. */
  readonly number: number;
  readonly host: string;
  readonly kind: EffectKind;
  /** In a few words, with its path: `rename /srv/web/.current.tmp to /srv/web/current`. */
  readonly what: string;
}

/** "kill": the process is gone and the machine goes on. "power-cut": the machine is gone, and what it had not flushed. */
export type DeathKind = "kill" | "power-cut";

export interface Death {
  readonly how: DeathKind;
  /** "halfway": with a part of a write, of a removal; what is done in one step is done. */
  readonly when: "before" | "halfway" | "after";
}

/** Asked at each effect whether it is the one that its agent does not survive. */
export type DeathPlan = (effect: Effect) => Death | null;

export interface LifeOptions {
  readonly time: VirtualTime;
  readonly chance: Chance;
  /** How many times as long as usual the disk takes. */
  readonly slowness: () => number;
  /** Numbers the effect and asks the plan. */
  readonly meet: (kind: EffectKind, what: string) => Death | null;
  /** Ends this life, and for a power cut everything else on the host. */
  readonly die: (how: DeathKind) => void;
}

/** How long an effect takes at most, in milliseconds, on a disk in good health. */
const LONGEST_MS: Readonly<Record<EffectKind, number>> = {
  write: 1,
  flush: 12,
  name: 1,
  remove: 2,
  download: 10,
  command: 5,
  signal: 0.1,
  traffic: 15,
  zookeeper: 0.1,
  post: 30,
};
const OF_THE_DISK: ReadonlySet<EffectKind> = new Set(["write", "flush", "name", "remove", "download"]);

/** One look in so many takes time; the others are answered from memory. */
const SLOW_LOOK = 0.15;
const LONGEST_LOOK_MS = 2;

/**
 * One incarnation of an agent's process. Whatever it does or asks goes through here, so that nothing of it acts, and
 * nothing that it waits for ever comes, once it is over.
 */
export class Life {
  readonly #options: LifeOptions;
  readonly #onEnd = new Set<(how: DeathKind) => void>();
  #state: "runs" | "frozen" | "over" = "runs";
  /** What has happened while the process was stopped. */
  #missed: (() => void)[] = [];
  /** When it began. */
  readonly sinceMs: number;
  /** How often it has asked something. */
  looks = 0;

  constructor(options: LifeOptions) {
    this.#options = options;
    this.sinceMs = options.time.nowMs;
  }

  get isOver(): boolean {
    return this.#state === "over";
  }

  /** The process is stopped, as by STOP or under a stopped virtual machine: what it would hear waits for it. */
  freeze(): void {
    if (this.#state === "runs") this.#state = "frozen";
  }

  /** It goes on, and hears of one thing after the other what has happened meanwhile. */
  thaw(): void {
    if (this.#state !== "frozen") return;
    this.#state = "runs";
    const missed = this.#missed;
    this.#missed = [];
    for (const work of missed) this.#options.time.after(0, () => this.tell(work));
  }

  /** Lets the process hear of something, if it lives by the time that it can. */
  tell(work: () => void): void {
    if (this.#state === "runs") work();
    else if (this.#state === "frozen") this.#missed.push(work);
  }

  /**
   * Changes something outside the process, after a little time. It never settles when the life is over by then.
   *
   * @param halfway what of it is done when it dies in the middle; without it all of `work` is
   */
  effect<T>(kind: EffectKind, what: string, work: () => T, halfway?: () => void): Promise<T> {
    const { chance } = this.#options;
    const stretch = OF_THE_DISK.has(kind) ? this.#options.slowness() : 1;
    return this.#later(chance.random() * LONGEST_MS[kind] * stretch, () => this.#meet(kind, what, work, halfway));
  }

  /** The same for what a process does without waiting: a signal, bytes for a socket. `otherwise` is for the dead. */
  act<T>(kind: EffectKind, what: string, work: () => T, otherwise: T, halfway?: () => void): T {
    if (this.isOver) return otherwise;
    const result = this.#meet(kind, what, work, halfway);
    return result === DEAD ? otherwise : result;
  }

  /** Asks something; nothing changes by it. */
  look<T>(work: () => T): Promise<T> {
    const { chance, slowness } = this.#options;
    this.looks += 1;
    if (chance.random() < SLOW_LOOK) return this.#later(chance.random() * LONGEST_LOOK_MS * slowness(), work);
    if (this.isOver) return never();
    try {
      return Promise.resolve(work());
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Asks something that takes this long. */
  lookAfter<T>(ms: number, work: () => T): Promise<T> {
    return this.#later(ms, work);
  }

  /** What somebody else will tell this process, if it lives by then. */
  hear<T>(listen: (tell: (value: T) => void) => void): Promise<T> {
    if (this.isOver) return never();
    const { promise, resolve } = Promise.withResolvers<T>();
    listen((value) => this.tell(() => resolve(value)));
    return promise;
  }

  /** The same for what may fail: it settles as `outside` does, when the process can hear of it. */
  hearOut<T>(outside: Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    outside.then(
      (value) => this.tell(() => resolve(value)),
      (error: unknown) => this.tell(() => reject(error)),
    );
    return promise;
  }

  /** Told once, when this life ends. Returns what calls that off. */
  onEnd(listener: (how: DeathKind) => void): () => void {
    this.#onEnd.add(listener);
    return () => this.#onEnd.delete(listener);
  }

  /** For the host alone. */
  end(how: DeathKind): void {
    if (this.isOver) return;
    this.#state = "over";
    this.#missed = [];
    for (const listener of this.#onEnd) listener(how);
    this.#onEnd.clear();
  }

  #later<T>(ms: number, work: () => T | typeof DEAD): Promise<T> {
    if (this.isOver) return never();
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    // What the kernel has begun it ends, whether the process runs or is stopped.
    this.#options.time.after(ms, () => {
      if (this.isOver) return;
      try {
        const result = work();
        if (result !== DEAD) this.tell(() => resolve(result));
      } catch (error) {
        this.tell(() => reject(error));
      }
    });
    return promise;
  }

  #meet<T>(kind: EffectKind, what: string, work: () => T, halfway: (() => void) | undefined): T | typeof DEAD {
    const death = this.#options.meet(kind, what);
    if (death === null) return work();
    switch (death.when) {
      case "before":
        break;
      case "halfway":
        attempt(halfway ?? work);
        break;
      case "after":
        attempt(work);
        break;
    }
    this.#options.die(death.how);
    return DEAD;
  }
}

const DEAD = Symbol("dead");

function never<T>(): Promise<T> {
  return new Promise(() => {});
}

/** The dead do not hear of failures. */
function attempt(work: () => unknown): void {
  try {
    work();
  } catch {
    // It dies all the same.
  }
}
