import { systemClock } from "../../../src/support/clock.ts";
import { op, ZooKeeper } from "../../../src/zookeeper/client.ts";
import type { BenchRun } from "../figure.ts";
import { cpuMs, forgetPeak, peakKb, residentKb } from "../processes.ts";
import { median, takingTurns, rounded } from "../statistics.ts";
import { startBurstServer } from "./burst_server.ts";
import { Peer, type PeerName, type PeerProgram } from "./peer.ts";
import { present, type Programs } from "./programs.ts";

const eventCount = 20_000;
const limitMs = 100;
const limitMb = 100;
const sessionTimeoutMs = 60_000;
const deadlineMs = 60_000;
/** Operations of one transaction: a request must stay under 1 MB. */
const batch = 5_000;

interface Burst {
  readonly ms: number;
  readonly cpuMs: number;
  readonly peakMb: number;
}

/**
 * One session with 20,000 data watches, of which all fire at once. Replayed: a server of ours writes all notifications
 * in one write, so that nothing but the client takes time. Real: transactions that change all nodes, where most of the
 * time is the server's. Each burst is for a fresh process, as its memory is looked at.
 */
export async function measureBurst(run: BenchRun, servers: string, programs: Programs): Promise<void> {
  const names = Array.from({ length: eventCount }, (_, index) => `/deployd/services/web/status/host-${index}`);
  const replayed = await rounds(run, programs, (program) => replayedBurst(program, names));
  figures(run, "burst", replayed, limitMs);
  await using writer = new ZooKeeper({ clock: systemClock, servers, sessionTimeoutMs });
  await plant(writer, names);
  const real = await rounds(run, programs, (program) => realBurst(program, writer, servers, names));
  // The goal is about what the client does; here the server's own work is in the time.
  figures(run, "burst-real-server", real, null);
}

type Results = Partial<Record<PeerName, Burst[]>>;

async function rounds(
  run: BenchRun,
  programs: Programs,
  measure: (program: PeerProgram) => Promise<Burst>,
): Promise<Results> {
  const results: Results = {};
  for (let round = 0; round < run.rounds; round += 1) {
    for (const program of takingTurns(present(programs), round)) {
      (results[program.name] ??= []).push(await measure(program));
    }
  }
  return results;
}

async function replayedBurst(program: PeerProgram, names: readonly string[]): Promise<Burst> {
  await using server = await startBurstServer();
  await using peer = await Peer.start(program);
  await watchAll(peer, server.connectString, names);
  return await fired(peer, () => {
    server.fire(names);
  });
}

async function realBurst(
  program: PeerProgram,
  writer: ZooKeeper,
  servers: string,
  names: readonly string[],
): Promise<Burst> {
  await using peer = await Peer.start(program);
  await watchAll(peer, servers, names);
  return await fired(peer, async () => {
    await Promise.all(batches(names).map((each) => writer.multi(each.map((name) => op.set(name, "x")))));
  });
}

async function watchAll(peer: Peer, servers: string, names: readonly string[]): Promise<void> {
  const prefix = (names[0] ?? "").replace(/\d+$/, "");
  await peer.ask(`connect ${servers} 1 ${sessionTimeoutMs}`, "connected");
  await peer.ask(`watch ${prefix} ${names.length}`, "watching");
  await peer.ask("collect", "collected");
}

async function fired(peer: Peer, fire: () => void | Promise<void>): Promise<Burst> {
  forgetPeak(peer.pid);
  const beforeKb = residentKb(peer.pid);
  const cpuBefore = cpuMs(peer.pid);
  const firedAt = performance.now();
  const sent = fire();
  const { atMs } = await peer.hear("fired", deadlineMs);
  const burst = {
    ms: atMs - firedAt,
    cpuMs: cpuMs(peer.pid) - cpuBefore,
    // The kernel counts in batches a processor, so a process that did not grow may seem to have shrunk.
    peakMb: Math.max(0, peakKb(peer.pid) - beforeKb) / 1_024,
  };
  await sent;
  return burst;
}

async function plant(writer: ZooKeeper, names: readonly string[]): Promise<void> {
  const parents = (names[0] ?? "").split("/").slice(1, -1);
  for (let depth = 1; depth <= parents.length; depth += 1) {
    await writer.create(`/${parents.slice(0, depth).join("/")}`);
  }
  for (const each of batches(names)) await writer.multi(each.map((name) => op.create(name, "x")));
}

function batches(names: readonly string[]): string[][] {
  return Array.from({ length: Math.ceil(names.length / batch) }, (_, index) =>
    names.slice(index * batch, (index + 1) * batch),
  );
}

function figures(run: BenchRun, name: string, results: Results, limit: number | null): void {
  const { ours } = results;
  if (ours === undefined) throw new Error("deployd's own client was not measured");
  const detail = {
    events: eventCount,
    ...Object.fromEntries(Object.entries(results).map(([peer, bursts]) => [peer, summary(bursts)])),
  };
  run.figure({
    name: `${name}-time`,
    value: median(ours.map(({ ms }) => ms)),
    unit: "ms",
    limit,
    goal: "at most",
    detail,
  });
  const peakMb = Math.max(...ours.map((burst) => burst.peakMb));
  run.figure({ name: `${name}-peak-memory`, value: peakMb, unit: "MB", limit: limitMb, goal: "at most", detail });
}

function summary(bursts: readonly Burst[]): object {
  return {
    medianMs: rounded(median(bursts.map(({ ms }) => ms))),
    medianCpuMs: rounded(median(bursts.map(({ cpuMs }) => cpuMs))),
    peakMb: rounded(Math.max(...bursts.map(({ peakMb }) => peakMb))),
    ms: bursts.map(({ ms }) => rounded(ms)),
  };
}
