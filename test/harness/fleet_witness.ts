import { outOfService } from "../../src/core/gate.ts";
import { readGate } from "../../src/store/gate.ts";
import { gatePath } from "../../src/store/paths.ts";
import type { Fleet } from "./fleet.ts";

/** What was seen of a fleet while something was done to it. */
export interface Witness extends AsyncDisposable {
  /** The most hosts that were out of service at once, by slots or by failures that are not healthy. */
  readonly mostOut: number;
  /** The most services that did not answer over HTTP at once. */
  readonly mostSilent: number;
  /** How often a host was seen out of service there, and how often the services were all asked. */
  readonly sightings: number;
  readonly rounds: number;
}

/**
 * Watches the gate of the fleet's service, through which every change goes, and asks every service over HTTP, again and again, until disposed.
 *
 * @param roundMs a round of questions that took longer is left out: two hosts that were away one after the other could
 *   look as if they had been away together. The soak time of the deploys that are watched.
 */
export async function watchOutages(fleet: Fleet, roundMs: number): Promise<Witness> {
  const zk = fleet.client();
  await zk.connected();
  let mostOut = 0;
  let mostSilent = 0;
  let sightings = 0;
  let rounds = 0;
  const reading = new Set<Promise<void>>();
  const read = async (): Promise<void> => {
    const found = await readGate(zk, fleet.service);
    const out = found === null ? 0 : outOfService(found.gate).size;
    sightings += out;
    mostOut = Math.max(mostOut, out);
  };
  const watch = await zk.addWatch(gatePath(fleet.service), "persistent", () => {
    const one = read().finally(() => reading.delete(one));
    reading.add(one);
  });

  const over = new AbortController();
  const asking = (async () => {
    while (!over.signal.aborted) {
      const startedAt = performance.now();
      const answers = await fleet.answers();
      if (performance.now() - startedAt <= roundMs) {
        mostSilent = Math.max(mostSilent, answers.filter((answer) => !answer.startsWith("200 ")).length);
        rounds += 1;
      }
      await Bun.sleep(10);
    }
  })();

  return {
    get mostOut() {
      return mostOut;
    },
    get mostSilent() {
      return mostSilent;
    },
    get sightings() {
      return sightings;
    },
    get rounds() {
      return rounds;
    },
    [Symbol.asyncDispose]: async () => {
      over.abort();
      await asking;
      await watch.remove();
      await Promise.all(reading);
      await zk.close();
    },
  };
}
