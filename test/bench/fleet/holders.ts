import { moved, started } from "../../../src/core/deploy.ts";
import { encode } from "../../../src/store/records.ts";
import {
  agentPath,
  deployPath,
  gatePath,
  hostPath,
  slotPath,
  slotsPath,
  statusPath,
} from "../../../src/store/paths.ts";
import { op, type Op, type ZooKeeper } from "../../../src/zookeeper/client.ts";
import { hostStatus } from "../../harness/host_status.ts";
import type { BenchRun } from "../figure.ts";
import { median, rounded } from "../statistics.ts";
import { SERVICE } from "./bench_host.ts";
import { BenchConductor, type ConductorTold } from "./conductor.ts";
import { BUILDS } from "./fleet_builds.ts";
import { grown } from "./growth.ts";
import { loadNow } from "./measure_fleet.ts";
import { wallMs } from "./program.ts";
import { holderSizes } from "./sizes.ts";
import { clientOf, makeTree } from "./tree.ts";

const BATCH = 200;
const WRITERS = 4;
const AGENT_SESSIONS = 4;
const MOST_ROUNDS = 3;
const deadlineMs = 120_000;
const lookMs = 20;
/** How soon the last slot has to be gone, in milliseconds, where that was asked for. */
const LIMIT_MS: Readonly<Record<number, number>> = { 1_000: 500, 10_000: 4_000 };
const mostTries = 1.1;

interface Burst {
  /** From the first and from the last status that was written until the last slot was gone. */
  readonly fromFirstMs: number;
  readonly fromLastMs: number;
  readonly triesPerMove: number;
  readonly load: number;
  readonly conductor: ConductorTold;
}

/**
 * Holders that come back at once: no agents, only what they write, and the production conductor, which has to take every
 * slot away.
 */
export async function measureHolders(run: BenchRun, server: string): Promise<void> {
  const growth = new Map<number, Burst[]>();
  for (const size of holderSizes()) {
    const bursts: Burst[] = [];
    for (let round = 0; round < Math.min(run.rounds, MOST_ROUNDS); round += 1) bursts.push(await burst(server, size));
    growth.set(size, bursts);
    run.note(`${size} holders: ${JSON.stringify(bursts)}`);
  }
  const of = (value: (burst: Burst) => number) => (bursts: readonly Burst[]) => median(bursts.map(value));
  const load = grown(growth, (bursts) => bursts.map((each) => each.load));
  run.figure({
    name: "holders-tries-per-move",
    value: Math.max(...[...growth.values()].map(of(({ triesPerMove }) => triesPerMove))),
    unit: "ratio",
    limit: mostTries,
    goal: "at most",
    detail: {
      ...grown(growth, (bursts) => bursts.map(({ triesPerMove }) => rounded(triesPerMove))),
      multis: grown(growth, (bursts) => bursts.map(({ conductor }) => conductor.multis)),
      load,
    },
  });
  for (const [size, bursts] of growth) {
    run.figure({
      name: `holders-last-slot-gone-${size}`,
      value: of(({ fromLastMs }) => fromLastMs)(bursts),
      unit: "ms",
      limit: LIMIT_MS[size] ?? null,
      goal: "at most",
      detail: {
        fromLastStatus: bursts.map(({ fromLastMs }) => rounded(fromLastMs)),
        fromFirstStatus: bursts.map(({ fromFirstMs }) => rounded(fromFirstMs)),
        conductorCpuMs: bursts.map(({ conductor }) => conductor.cpuMs),
        conductorPeakMb: bursts.map(({ conductor }) => conductor.peakMb),
        load: load[`at ${size}`],
      },
    });
  }
}

async function burst(server: string, size: number): Promise<Burst> {
  await using resources = new AsyncDisposableStack();
  const servers = await makeTree(server, Object.values(BUILDS));
  const clients = Array.from({ length: WRITERS }, () => resources.use(clientOf(servers)));
  const hosts = Array.from({ length: size }, (_, at) => `host-${String(at + 1).padStart(5, "0")}`);
  await plant(clients, hosts);
  const [observer] = clients;
  if (observer === undefined) throw new Error("there is no client");
  const conductor = resources.use(new BenchConductor());
  await conductor.run(servers);
  await untilQuiet(conductor);
  await conductor.mark();
  const gone = untilNoSlots(observer);
  const firstMs = wallMs();
  await Promise.all(
    clients.map(async (client, writer) => {
      const mine = hosts.filter((_, at) => at % WRITERS === writer);
      await Promise.all(mine.map((host) => client.set(statusPath(SERVICE, host), encode(serving))));
    }),
  );
  const lastMs = wallMs();
  const goneAtMs = await gone;
  const load = loadNow();
  const told = await conductor.tell();
  return {
    fromFirstMs: goneAtMs - firstMs,
    fromLastMs: goneAtMs - lastMs,
    triesPerMove: told.takings / size,
    load,
    conductor: told,
  };
}

const DEPLOY = "bench";
const build = BUILDS.second.id;
const wish = { build, deploy: DEPLOY };
const begun = hostStatus({ build: "v1", health: "healthy", wish, step: "restart", begun: true });
const serving = hostStatus({ build, health: "healthy", wish, step: "serving" });

/** A deploy in which every host has begun to use its slot. */
async function plant(clients: readonly ZooKeeper[], hosts: readonly string[]): Promise<void> {
  const [zk] = clients;
  if (zk === undefined) throw new Error("there is no client");
  const now = new Date();
  const record = moved(
    started({
      build,
      previous: BUILDS.first.id,
      before: null,
      onHalt: "ask",
      who: "bench",
      why: "",
      stages: [{ hosts: "100%", wait: 0 }],
      limits: { max: hosts.length, budget: 0, soakMs: 0 },
      now,
    }),
    { to: "activating", base: { hosts: hosts.length, zones: {} } },
    now,
  );
  await zk.multi([
    op.create(deployPath(SERVICE, DEPLOY), encode(record)),
    op.set(`/services/${SERVICE}/deploys`, encode({ latest: DEPLOY, number: 1 })),
    op.set(`/services/${SERVICE}/enabled`, encode({ ...wish, number: 1, hosts: hosts.length })),
  ]);
  const since = now.toISOString();
  const agent = { version: "0", bootId: "b", statusAddress: null, pid: 1, since, services: [SERVICE] };
  const slot = { deploy: DEPLOY, attempt: begun.attempt, build, since, record: 0 };
  const nodes = (host: string): Op[] => [
    op.create(hostPath(SERVICE, host), encode({ role: "fleet" })),
    op.create(statusPath(SERVICE, host), encode(begun)),
    op.create(slotPath(SERVICE, host), encode(slot)),
    op.create(agentPath(host), encode(agent), { mode: "ephemeral" }),
  ];
  const batches: Promise<unknown>[] = [];
  for (let at = 0; at < hosts.length; at += BATCH) {
    const client = clients[(at / BATCH) % AGENT_SESSIONS] ?? zk;
    batches.push(client.multi(hosts.slice(at, at + BATCH).flatMap(nodes)));
  }
  await Promise.all(batches);
}

/** It has read everything, and has found nothing to do. */
async function untilQuiet(conductor: BenchConductor): Promise<void> {
  for (;;) {
    const { rounds } = await conductor.tell();
    if (rounds > 0) return;
    await Bun.sleep(lookMs);
  }
}

/** @returns when the last slot was gone, on the clock of `wallMs` */
async function untilNoSlots(zk: ZooKeeper): Promise<number> {
  const over = Promise.withResolvers<number>();
  const look = (): void => {
    zk.exists(slotsPath(SERVICE)).then(
      (stat) => (stat?.numChildren === 0 ? over.resolve(wallMs()) : undefined),
      (error: unknown) => over.reject(error instanceof Error ? error : new Error(String(error))),
    );
  };
  const watch = await zk.addWatch(gatePath(SERVICE), "persistent", look);
  const timer = setTimeout(() => over.reject(new Error(`slots are left after ${deadlineMs} ms`)), deadlineMs);
  try {
    return await over.promise;
  } finally {
    clearTimeout(timer);
    await watch.remove();
  }
}
