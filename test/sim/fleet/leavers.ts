import type { Chance } from "../chance.ts";
import { SERVICE, type Fleet } from "./fleet.ts";
import type { Operator } from "./operator.ts";

/** How long a host is given to leave, in seconds, and to come back. */
const LEAVES_S = { least: 5, most: 60 };

/** Somebody who has hosts leave, for work on them, and come back: kept, forgotten, or thought better of half-way. */
export class Leavers {
  /** Told before and after each. */
  onTrouble: () => void = () => {};
  readonly #fleet: Fleet;
  readonly #chance: Chance;
  readonly #dora: Operator;

  constructor(fleet: Fleet) {
    this.#fleet = fleet;
    this.#chance = fleet.chance.fork("leavers");
    this.#dora = fleet.operator("dora");
  }

  /** One after the other until the signal is aborted; no host is left away. */
  async run(signal: AbortSignal): Promise<void> {
    for (let left = this.#fleet.plan.leaves; left > 0 && !signal.aborted; left -= 1) {
      await this.#pause(this.#chance.between(1_000, 40_000));
      if (signal.aborted) return;
      this.onTrouble();
      await this.#oneLeaves(signal);
      this.onTrouble();
    }
  }

  async #oneLeaves(signal: AbortSignal): Promise<void> {
    const chance = this.#chance;
    const host = chance.pick([...this.#fleet.agents.keys()]);
    const timeout = chance.between(LEAVES_S.least, LEAVES_S.most);
    const words = chance.happens(0.5) ? ["--keep"] : [];
    await this.#dora.run("hosts", "leave", SERVICE, host, "--timeout-s", String(timeout), ...words);
    for (let waits = chance.between(0, 6); waits > 0 && !signal.aborted; waits -= 1) await this.#pause(5_000);
    // Its agent may be away, and then somebody has to say it once more.
    for (let tries = 0; this.#isAway(host) && tries < 100; tries += 1) {
      await this.#dora.run("hosts", "release", SERVICE, host);
      if (this.#isAway(host)) await this.#pause(5_000);
    }
  }

  /** It is asked to leave, or has left and nobody knows of it any more; a machine that was retired stays so. */
  #isAway(host: string): boolean {
    const { tree, agents } = this.#fleet;
    const record = tree.hosts.get(host);
    if (record === undefined) return agents.get(host)?.isRetired === false;
    return record.hold !== undefined;
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#fleet.time.after(ms, resolve));
  }
}
