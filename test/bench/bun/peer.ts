// deployd's client, driven over stdin and stdout like the peers beside it; see test/bench/README.md for the words.
import { createInterface } from "node:readline";
import { systemClock } from "../../../src/support/clock.ts";
import { ZooKeeper } from "../../../src/zookeeper/client.ts";

let sessions: ZooKeeper[] = [];

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function first(): ZooKeeper {
  const [session] = sessions;
  if (session === undefined) throw new Error("not connected");
  return session;
}

async function connect(servers: string, count: number, sessionTimeoutMs: number): Promise<void> {
  sessions = Array.from({ length: count }, () => new ZooKeeper({ clock: systemClock, servers, sessionTimeoutMs }));
  await Promise.all(sessions.map((session) => session.connected()));
  say("connected");
}

/** All sessions read the node again on every change; how many have read which version is counted. */
function arm(path: string): void {
  const readers = new Map<number, number>();
  const read = async (session: ZooKeeper): Promise<void> => {
    const { stat } = await session.get(path, { watch: () => read(session) });
    const count = (readers.get(stat.version) ?? 0) + 1;
    readers.set(stat.version, count);
    if (count === Math.ceil(sessions.length / 2)) say(`half ${stat.version}`);
    if (count === sessions.length) say(`last ${stat.version}`);
  };
  for (const session of sessions) read(session).catch(fail);
}

async function pipeline(kind: string, count: number, outstanding: number, path: string): Promise<void> {
  const session = first();
  const data = new Uint8Array(100).fill(120);
  const startedAt = performance.now();
  let asked = 0;
  const lane = async (): Promise<void> => {
    while (asked < count) {
      asked += 1;
      if (kind === "get") await session.get(path);
      else await session.set(path, data);
    }
  };
  await Promise.all(Array.from({ length: outstanding }, lane));
  say(`done ${Math.round((performance.now() - startedAt) * 1_000)}`);
}

async function watch(prefix: string, count: number): Promise<void> {
  const session = first();
  let fired = 0;
  const handler = (): void => {
    fired += 1;
    if (fired === count) say("fired");
  };
  await Promise.all(
    // A handler of its own for each, as the same one would count once only for the same path anyway.
    Array.from({ length: count }, (_, index) => session.get(`${prefix}${index}`, { watch: () => handler() })),
  );
  say("watching");
}

function fail(error: unknown): void {
  say(`failed ${String(error).replaceAll("\n", " ")}`);
}

async function obey(line: string): Promise<void> {
  const [word, ...rest] = line.split(" ");
  const [a = "", b = "", c = "", d = ""] = rest;
  switch (word) {
    case "connect":
      return await connect(a, Number(b), Number(c));
    case "arm":
      return arm(a);
    case "pipeline":
      return await pipeline(a, Number(b), Number(c), d);
    case "watch":
      return await watch(a, Number(b));
    case "collect":
      Bun.gc(true);
      return say("collected");
    default:
      throw new Error(`unknown command: ${line}`);
  }
}

say("ready");
for await (const line of createInterface({ input: process.stdin })) obey(line).catch(fail);
process.exit(0);
