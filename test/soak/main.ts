import { parseArgs } from "node:util";
import { startProxy } from "../harness/proxy.ts";
import { fourLetters, startEnsemble } from "../harness/zookeeper.ts";
import { eventually } from "../harness/eventually.ts";
import { seeded } from "../harness/fleet_random.ts";
import { breakThings } from "./faults.ts";
import { Worker, type Counts } from "./worker.ts";

/*
 * npm run soak:zookeeper -- --minutes 10 [--seed N]: random operations and random faults on an ensemble of three real servers, with
 * a model of the tree. At the end there must be no difference on any server, no watch left over, and no memory grown.
 */

const WORKERS = 6;
const WARM_UP_MS = 30_000;
/** What a runtime may keep for itself without it being a leak. */
const GROWTH_LIMIT_MB = 40;

const { values } = parseArgs({ options: { minutes: { type: "string", default: "10" }, seed: { type: "string" } } });
const minutes = Number(values.minutes);
const seed = values.seed === undefined ? Date.now() % 2 ** 32 : Number(values.seed);
if (!(minutes > 0) || !Number.isInteger(seed)) {
  process.stderr.write("soak: --minutes takes a number above 0, --seed a whole one\n");
  process.exit(64);
}
process.exit(await soak());

async function soak(): Promise<number> {
  const random = seeded(seed);
  await using ensemble = await startEnsemble(3);
  const proxies = await Promise.all(ensemble.servers.map((server) => startProxy(server.port)));
  const connectString = proxies.map((proxy) => proxy.connectString).join(",");
  const counts: Counts = { operations: 0, unknown: 0, sessionsLost: 0, events: 0, differences: [] };
  const workers = Array.from({ length: WORKERS }, (_, n) => new Worker(`w${n}`, connectString, random, counts));
  for (const worker of workers) await worker.prepare();

  const stop = new AbortController();
  const running = workers.map((worker) => worker.run(stop.signal));
  const breaking = breakThings({ ensemble, proxies }, random, stop.signal);
  const startedAt = Date.now();
  await Bun.sleep(Math.min(WARM_UP_MS, (minutes * 60_000) / 4));
  const rssAtStart = rssMb();
  for (;;) {
    const leftMs = startedAt + minutes * 60_000 - Date.now();
    if (leftMs <= 0) break;
    await Bun.sleep(Math.min(leftMs, 30_000));
    const { operations, unknown, sessionsLost, differences } = counts;
    process.stderr.write(
      `${Math.round((Date.now() - startedAt) / 1000)} s: ${operations} operations, ${unknown} lost answers, ${sessionsLost} sessions lost, ${differences.length} differences, ${rssMb()} MB\n`,
    );
  }
  stop.abort();
  const faults = await breaking;
  await Promise.all(running);
  for (const server of ensemble.servers) for (const worker of workers) await worker.verify(server.connectString);
  for (const worker of workers) await worker.removeWatches();
  const watches = await eventually(async () => {
    const left = await watchesOn(ensemble.servers.map((server) => server.port));
    return left === 0 ? { left } : null;
  }, 15_000).catch(async () => ({ left: await watchesOn(ensemble.servers.map((server) => server.port)) }));
  const rssAtEnd = rssMb();
  await Promise.all(workers.map((worker) => worker.close()));
  await Promise.all(proxies.map((proxy) => proxy[Symbol.asyncDispose]()));

  const faultCount = [...faults.values()].reduce((sum, n) => sum + n, 0);
  print("minutes", minutes);
  print("seed", seed);
  print("operations", counts.operations);
  print("faults", `${faultCount} (${[...faults].map(([name, n]) => `${name} ${n}`).join(", ")})`);
  print("answers lost", counts.unknown);
  print("sessions lost", counts.sessionsLost);
  print("watch events", counts.events);
  print("watches left", watches.left);
  print("RSS", `${rssAtStart} MB after the warm-up, ${rssAtEnd} MB at the end`);
  print("differences", counts.differences.length);
  for (const difference of counts.differences.slice(0, 20)) process.stdout.write(`  ${difference}\n`);
  const flat = rssAtEnd - rssAtStart <= GROWTH_LIMIT_MB;
  return counts.differences.length === 0 && watches.left === 0 && flat ? 0 : 1;
}

function print(name: string, value: string | number): void {
  process.stdout.write(`${name.padEnd(14)} ${value}\n`);
}

function rssMb(): number {
  Bun.gc(true);
  return Math.round(process.memoryUsage.rss() / 2 ** 20);
}

/** Watches that the servers hold, of all sessions: `wchs` of Apache's four-letter words. */
async function watchesOn(ports: readonly number[]): Promise<number> {
  const words = await Promise.all(ports.map((port) => fourLetters(port, "wchs")));
  return words.reduce((sum, text) => sum + Number(/Total watches:(\d+)/.exec(text)?.[1] ?? Number.NaN), 0);
}
