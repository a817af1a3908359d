import { loadavg } from "node:os";
import type { ZooKeeper } from "../../../src/zookeeper/client.ts";
import { deployPath, buildPath, enabledPath } from "../../../src/store/paths.ts";
import type { BenchRun } from "../figure.ts";
import { median } from "../statistics.ts";
import { bareSessionsMs } from "./bare_sessions.ts";
import { SERVICE } from "./bench_host.ts";
import type { ConductorTold } from "./conductor.ts";
import { BUILDS } from "./fleet_builds.ts";
import { FleetOfHosts } from "./fleet_of_hosts.ts";
import { untilDeploy } from "./tree.ts";
import { wallMs } from "./program.ts";

const OUT_AT_ONCE = 0.1;
const MAY_FAIL = 0.05;
const deadlineMs = 600_000;
/** As in the bench of the client: below where the server holds requests back. */
const outstanding = 500;
const bareRounds = 3;
/** The wish, the build and the deploy's record. */
const NODES_OF_A_DECISION = 3;
/** For how long nothing may move before the requests of a deploy count as complete. */
const restMs = 1_000;
const settledWithinMs = 120_000;

/** A deploy to all hosts at so many at once as the limit allows. */
export interface DeployMeasured {
  readonly processes: number;
  readonly load: number;
  /** From `ctl deploy` to the last host's decision; and from where the command had ended. */
  readonly decisionMs: number;
  readonly decisionAfterCtlMs: number;
  /** One bare client that reads as many nodes as the hosts did. */
  readonly bareMs: number;
  /** As many bare sessions as there are hosts, each of which reads as many nodes as a host does. */
  readonly bareSessionsMs: number;
  readonly waves: number;
  /** From the first grant to the last slot that was taken away. */
  readonly wavesMs: number;
  /** What a host itself took from beginning to the end of its check. */
  readonly restartMs: { readonly median: number; readonly longest: number };
  readonly writes: Spread;
  readonly reads: Spread;
  readonly looks: number;
  readonly kinds: Readonly<Record<string, string>>;
  readonly conductor: ConductorTold;
  /** Processor time of the simulated hosts, which have this machine's processors together. */
  readonly hostsCpuMs: number;
  readonly decidingCpuMs: number;
  readonly problems: readonly string[];
}

export interface FailingMeasured {
  readonly load: number;
  readonly haltedAfterMs: number;
  readonly fromCtlMs: number;
  readonly spreadMs: number;
  readonly failedHosts: number;
  readonly budget: number;
  readonly conductor: ConductorTold;
}

export interface Spread {
  readonly most: number;
  readonly mean: number;
}

export interface FleetMeasured {
  readonly deploy: DeployMeasured;
  readonly failing: FailingMeasured | null;
}

/** One fleet of this size: its first deploy, which brings all hosts into service, then what is measured. */
export async function measureFleet(run: BenchRun, server: string, size: number): Promise<FleetMeasured> {
  const startedAt = wallMs();
  const note = (what: string): void =>
    run.note(`${size} hosts, ${((wallMs() - startedAt) / 1000).toFixed(1)} s: ${what}; load ${loadNow()}`);
  const sessionsMs = await bareSessionsMs(server, size, NODES_OF_A_DECISION);
  note(`as many bare sessions have read as many nodes after ${sessionsMs.toFixed(0)} ms`);
  await using fleet = await FleetOfHosts.open(server, size);
  note(`they have their sessions, in ${fleet.processes} processes`);
  const first = await fleet.deploy(BUILDS.first.id, { max: size, budget: 0 });
  await untilDeploy(fleet.zk, first.id, isOver, deadlineMs);
  await untilSettled(fleet);
  note(`they serve the first build; the first deploy had ${JSON.stringify((await fleet.tell()).conductor)}`);
  const deploy = await measureDeploy(fleet, sessionsMs);
  note(`they serve the second build: ${JSON.stringify(deploy)}`);
  if (!run.wants("failing")) return { deploy, failing: null };
  const failing = await measureFailing(fleet);
  note(`the third build is halted: ${JSON.stringify(failing)}`);
  return { deploy, failing };
}

async function measureDeploy(fleet: FleetOfHosts, sessionsMs: number): Promise<DeployMeasured> {
  const max = Math.max(1, Math.floor(fleet.size * OUT_AT_ONCE));
  await fleet.mark();
  const { id, askedAtMs, startedAtMs } = await fleet.deploy(BUILDS.second.id, { max, budget: 0 });
  await untilDeploy(fleet.zk, id, isOver, deadlineMs);
  const load = loadNow();
  await untilSettled(fleet);
  const told = await fleet.tell();
  const moments = told.hosts.map((host) => host.moments);
  const decidedAtMs = Math.max(...moments.map(({ takenUp }) => takenUp));
  const restarts = moments.map(({ begun, finished }) => finished - begun);
  const { conductor } = told;
  const paths = [enabledPath(SERVICE), buildPath(SERVICE, BUILDS.second.id), deployPath(SERVICE, id)];
  return {
    processes: fleet.processes,
    load,
    decisionMs: decidedAtMs - askedAtMs,
    decisionAfterCtlMs: decidedAtMs - startedAtMs,
    bareMs: await bareReadsMs(fleet.zk, paths, fleet.size),
    bareSessionsMs: sessionsMs,
    waves: Math.ceil(fleet.size / max),
    wavesMs: conductor.lastTakingAtMs - conductor.firstGrantAtMs,
    restartMs: { median: Math.round(median(restarts)), longest: Math.round(Math.max(...restarts)) },
    writes: spread(told.hosts.map(({ writes }) => writes)),
    reads: spread(told.hosts.map(({ reads }) => reads)),
    looks: told.hosts.reduce((sum, { looks }) => sum + looks, 0),
    kinds: Object.fromEntries(
      Object.entries(told.kinds).map(([kind, count]) => [kind, (count / fleet.size).toFixed(2)]),
    ),
    conductor,
    hostsCpuMs: told.hostsCpuMs,
    decidingCpuMs: told.decidingCpuMs,
    problems: told.problems,
  };
}

/** All hosts may be out at once, and the check of all of them fails. */
async function measureFailing(fleet: FleetOfHosts): Promise<FailingMeasured> {
  const budget = Math.floor(fleet.size * MAY_FAIL);
  await fleet.mark();
  const { id, askedAtMs } = await fleet.deploy(BUILDS.bad.id, { max: fleet.size, budget });
  const { atMs, record } = await untilDeploy(fleet.zk, id, isOver, deadlineMs);
  const load = loadNow();
  if (record.state !== "halted") throw new Error(`the deploy of a build that is never healthy is ${record.state}`);
  await untilSettled(fleet);
  const told = await fleet.tell();
  const failed = told.hosts.map(({ moments }) => moments.failed).filter((at) => at > 0);
  const firstMs = Math.min(...failed);
  return {
    load,
    haltedAfterMs: atMs - firstMs,
    fromCtlMs: atMs - askedAtMs,
    spreadMs: Math.round(Math.max(...failed) - firstMs),
    failedHosts: failed.length,
    budget,
    conductor: told.conductor,
  };
}

function isOver({ state }: { readonly state: string }): boolean {
  return state !== "preparing" && state !== "rolling";
}

/** The hosts have said what they have to say. @throws Error where they go on for ever */
async function untilSettled(fleet: FleetOfHosts): Promise<void> {
  const written = async (): Promise<number> => (await fleet.tell()).hosts.reduce((sum, { writes }) => sum + writes, 0);
  const endsAt = performance.now() + settledWithinMs;
  for (let before = -1, now = await written(); before !== now; before = now, now = await written()) {
    if (performance.now() > endsAt) throw new Error(`the hosts still write their statuses after ${settledWithinMs} ms`);
    await Bun.sleep(restMs);
  }
}

/** Reads each of the nodes as often as there are hosts, with 500 requests under way. */
async function bareReadsMs(zk: ZooKeeper, paths: readonly string[], times: number): Promise<number> {
  const rounds: number[] = [];
  for (let round = 0; round < bareRounds; round += 1) {
    const startedAt = performance.now();
    let left = paths.length * times;
    const reader = async (): Promise<void> => {
      for (; left > 0;) {
        left -= 1;
        await zk.get(paths[left % paths.length] ?? "");
      }
    };
    await Promise.all(Array.from({ length: Math.min(outstanding, left) }, reader));
    rounds.push(performance.now() - startedAt);
  }
  return median(rounds);
}

function spread(counts: readonly number[]): Spread {
  const sum = counts.reduce((total, count) => total + count, 0);
  return { most: Math.max(...counts), mean: Number((sum / counts.length).toFixed(2)) };
}

export function loadNow(): number {
  return Number((loadavg()[0] ?? 0).toFixed(1));
}
