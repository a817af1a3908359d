import type { FaultProxy } from "../harness/proxy.ts";
import type { RealEnsemble } from "../harness/zookeeper.ts";

export interface Site {
  readonly ensemble: RealEnsemble;
  readonly proxies: readonly FaultProxy[];
}

/** One thing that goes wrong and is over when it returns. */
type Fault = (site: Site, random: () => number) => Promise<void>;

function any<T>(items: readonly T[], random: () => number): T {
  const item = items[Math.floor(random() * items.length)];
  if (item === undefined) throw new Error("nothing to choose from");
  return item;
}

const faults: Readonly<Record<string, Fault>> = {
  "link cut": async ({ proxies }, random) => any(proxies, random).cut(),
  "link cut within an answer": async ({ proxies }, random) =>
    any(proxies, random).cutInsideAnswer(Math.floor(random() * 200)),
  "link black-holed": async ({ proxies }, random) => {
    const proxy = any(proxies, random);
    proxy.blackHole();
    await Bun.sleep(random() * 3_000);
    proxy.resume();
  },
  "answers black-holed": async ({ proxies }, random) => {
    const proxy = any(proxies, random);
    proxy.blackHoleAnswers();
    await Bun.sleep(random() * 2_000);
    proxy.resume();
  },
  "all links refused, some for longer than a session": async ({ proxies }, random) => {
    for (const proxy of proxies) proxy.refuse();
    await Bun.sleep(random() * 7_000);
    for (const proxy of proxies) proxy.resume();
  },
  "server killed": async ({ ensemble }, random) => {
    const server = any(ensemble.servers, random);
    await server.kill();
    await Bun.sleep(random() * 1_500);
    await server.restart();
  },
  "leader killed": async ({ ensemble }, random) => {
    const leader = await ensemble.leader();
    await leader.kill();
    await Bun.sleep(random() * 1_500);
    await leader.restart();
  },
  "server frozen": async ({ ensemble }, random) => {
    const server = any(ensemble.servers, random);
    server.freeze();
    await Bun.sleep(random() * 3_000);
    server.thaw();
  },
  "quorum lost": async ({ ensemble }, random) => {
    const [first, second] = ensemble.servers;
    first?.freeze();
    second?.freeze();
    await Bun.sleep(random() * 2_500);
    first?.thaw();
    second?.thaw();
  },
};

/** Breaks things one after the other until the signal is aborted; all of them are whole again when it returns. */
export async function breakThings(site: Site, random: () => number, signal: AbortSignal): Promise<Map<string, number>> {
  const done = new Map<string, number>();
  while (!signal.aborted) {
    const name = any(Object.keys(faults), random);
    await faults[name]?.(site, random);
    done.set(name, (done.get(name) ?? 0) + 1);
    await Bun.sleep(200 + random() * 1_500);
  }
  return done;
}
