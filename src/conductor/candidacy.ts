import type { FormatGate } from "../store/format.ts";
import { conductorPath } from "../store/paths.ts";
import { childrenOf, ensurePath } from "../store/records.ts";
import { Bell } from "../support/bell.ts";
import type { Clock } from "../support/clock.ts";
import type { ZooKeeper } from "../zookeeper/client.ts";
import type { Session } from "../zookeeper/session.ts";

/** Enough candidates to survive failures, and few enough that a change wakes only a handful of agents. */
const MAX_CANDIDATES = 5;
const LOOK_AGAIN_MS = 15_000;

/**
 * Elects the agent that hands out slots: of at most five candidates, each an ephemeral sequential node, the one with the
 * lowest number (the leader election recipe of Apache ZooKeeper). Safety does not depend on the election: every grant is
 * a compare-and-set.
 */
export class Candidacy {
  readonly #session: Session;
  readonly #host: string;
  readonly #format: FormatGate;
  readonly #clock: Clock;
  readonly #bell: Bell;
  #stands = false;

  constructor(session: Session, host: string, format: FormatGate, clock: Clock) {
    this.#clock = clock;
    this.#bell = new Bell(clock);
    this.#session = session;
    this.#host = host;
    this.#format = format;
  }

  /**
   * Calls `onElected` with true and false as it changes, until the signal is aborted.
   *
   * @param onProblem called with the reason why this agent cannot be a candidate, and with null once it can
   */
  async run(
    onElected: (elected: boolean) => void,
    onProblem: (error: unknown) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const { ring } = this.#bell;
    const stops = [this.#session.onEpoch(ring), this.#session.onState(ring), this.#format.onChange(ring)];
    let elected = false;
    const say = (now: boolean): void => {
      if (now !== elected) onElected((elected = now));
    };
    try {
      while (!signal.aborted) {
        try {
          const isConnected = this.#session.state.kind === "connected";
          say(isConnected && (await this.#look()));
          if (isConnected) onProblem(null);
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
    if (!this.#format.isKnown) {
      if (this.#format.problem !== null) await this.#standDown(client);
      return false;
    }
    // When the connection was lost before the create was answered, the node may exist: its name shows that it is ours.
    const prefix = prefixOf(client);
    // Only candidates watch: of ten thousand agents, five wake up when one of them goes.
    const watch = this.#stands ? { watch: this.#bell.ring } : {};
    const candidates = (await childrenOf(client, conductorPath, watch)).toSorted(byNumber);
    const place = candidates.findIndex((name) => name.startsWith(prefix));
    const own = candidates[place];
    if ((own === undefined ? candidates.length : place) >= MAX_CANDIDATES) {
      this.#stands = false;
      // When many came at the same moment and each saw a free place, the last ones withdraw.
      if (own !== undefined) await client.delete(`${conductorPath}/${own}`);
      return false;
    }
    if (own === undefined) {
      await ensurePath(client, conductorPath);
      await client.create(`${conductorPath}/${prefix}`, this.#host, { mode: "ephemeral-sequential" });
    }
    if (own === undefined || !this.#stands) {
      this.#stands = true;
      return this.#look();
    }
    return place === 0;
  }

  /** An agent that cannot conduct must not hold the place of one that can. */
  async #standDown(client: ZooKeeper): Promise<void> {
    this.#stands = false;
    const own = (await childrenOf(client, conductorPath)).filter((name) => name.startsWith(prefixOf(client)));
    for (const name of own) await client.delete(`${conductorPath}/${name}`);
  }
}

/** The candidate node of this session; null where it is no candidate. */
export async function ownSeat(client: ZooKeeper): Promise<string | null> {
  const own = (await childrenOf(client, conductorPath)).find((name) => name.startsWith(prefixOf(client)));
  return own === undefined ? null : `${conductorPath}/${own}`;
}

function prefixOf({ sessionId }: ZooKeeper): string {
  return `candidate-${sessionId.toString(16)}-`;
}

/** Orders by the counter that ZooKeeper appends to the name of a sequential node: ten digits. */
function byNumber(a: string, b: string): number {
  return a.slice(-10) < b.slice(-10) ? -1 : 1;
}
