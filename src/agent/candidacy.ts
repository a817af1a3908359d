import { conductorPath } from "../store/paths.ts";
import { childrenOf, ensurePath } from "../store/records.ts";
import { Bell } from "../support/bell.ts";
import type { Clock } from "../support/clock.ts";
import type { Session } from "../zookeeper/session.ts";

/** A handful is enough to survive, and few enough that a change wakes nobody else. */
const MAX_CANDIDATES = 5;
const LOOK_AGAIN_MS = 15_000;

/**
 * Who hands out slots: of at most five candidates, each an ephemeral sequential node, the one with the lowest number
 * (the leader election recipe of Apache ZooKeeper). Being elected is no safety: every grant is a compare-and-set.
 */
export class Candidacy {
  readonly #session: Session;
  readonly #host: string;
  readonly #clock: Clock;
  readonly #bell: Bell;
  #stands = false;

  constructor(session: Session, host: string, clock: Clock) {
    this.#clock = clock;
    this.#bell = new Bell(clock);
    this.#session = session;
    this.#host = host;
  }

  /** Calls `onElected` with true and false as it changes, until the signal is aborted. */
  async run(
    onElected: (elected: boolean) => void,
    onProblem: (error: unknown) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const stops = [this.#session.onEpoch(this.#bell.ring), this.#session.onState(this.#bell.ring)];
    let elected = false;
    const say = (now: boolean): void => {
      if (now !== elected) onElected((elected = now));
    };
    try {
      while (!signal.aborted) {
        try {
          say(this.#session.state.kind === "connected" && (await this.#look()));
        } catch (error) {
          say(false);
          if (!signal.aborted) onProblem(error);
        }
        await this.#bell.wait(LOOK_AGAIN_MS * (0.5 + this.#clock.random()), signal);
      }
    } finally {
      for (const stop of stops) stop();
      say(false);
    }
  }

  async #look(): Promise<boolean> {
    const { client } = this.#session;
    await ensurePath(client, conductorPath);
    // A node whose creation was answered by a lost connection is ours all the same: its name says so.
    const prefix = `candidate-${client.sessionId.toString(16)}-`;
    // Only candidates watch: of ten thousand agents five wake up when one of them goes.
    const watch = this.#stands ? { watch: this.#bell.ring } : {};
    const candidates = (await childrenOf(client, conductorPath, watch)).toSorted(byNumber);
    const place = candidates.findIndex((name) => name.startsWith(prefix));
    const own = candidates[place];
    if ((own === undefined ? candidates.length : place) >= MAX_CANDIDATES) {
      this.#stands = false;
      // Of many that came at the same moment and saw room each, the last ones go again.
      if (own !== undefined) await client.delete(`${conductorPath}/${own}`);
      return false;
    }
    if (own === undefined)
      await client.create(`${conductorPath}/${prefix}`, this.#host, { mode: "ephemeral-sequential" });
    if (own === undefined || !this.#stands) {
      this.#stands = true;
      return this.#look();
    }
    return place === 0;
  }
}

/** By the counter that ZooKeeper puts at the end of a sequential node's name: ten digits. */
function byNumber(a: string, b: string): number {
  return a.slice(-10) < b.slice(-10) ? -1 : 1;
}
