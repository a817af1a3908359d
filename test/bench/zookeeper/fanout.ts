import { systemClock } from "../../../src/support/clock.ts";
import { ZooKeeper } from "../../../src/zookeeper/client.ts";
import type { BenchRun } from "../figure.ts";
import { calm, cpuMs } from "../processes.ts";
import { median, takingTurns, rounded } from "../statistics.ts";
import { Peer, type PeerProgram } from "./peer.ts";
import type { Programs } from "./programs.ts";

const sessionCount = 1_000;
const sessionTimeoutMs = 60_000;
/** Rounds that are not counted: the just-in-time compilers of the server and of the peers need that many. */
const warmUps = 20;
const connectDeadlineMs = 60_000;
const changeDeadlineMs = 20_000;
/** What it takes to say that a client holds a number of sessions: so many changes in a row, each within so long. */
const trial = { changes: 4, deadlineMs: 5_000 } as const;

/**
 * The time is mostly not the client's: sockets without a client (`fanout-floor-vs-java`) need 0.41 of the Java client's time
 * where two processors do nothing else, since the server shares them; 0.5 was left of it for a client that costs next to
 * nothing. On a busy machine the time says how many processes share it: one thread then waits longer than 2,000 do. What
 * the client itself costs is its processor time, and has a limit of its own.
 */
const limits = { last: 0.7, processorTime: 0.4 } as const;

/** Sessions of one client that all watch one node. */
interface Audience {
  readonly label: string;
  readonly peer: Peer;
  readonly path: string;
  readonly rounds: { readonly halfMs: number; readonly lastMs: number; readonly cpuMs: number }[];
}

/**
 * How long after a change is sent the last of 1,000 sessions, all of one process, has read the new data. Each client has
 * its own node, so one round wakes only one of them; the clients take turns within a round.
 */
export async function measureFanout(run: BenchRun, servers: string, programs: Programs): Promise<void> {
  await using resources = new AsyncDisposableStack();
  const writer = resources.use(new ZooKeeper({ clock: systemClock, servers, sessionTimeoutMs }));
  const kazoo = programs.kazoo === undefined ? undefined : await largestAudience(run, writer, servers, programs.kazoo);
  if (kazoo !== undefined) resources.use(kazoo.audience.peer);
  const audiences: Audience[] = [];
  const add = async (program: PeerProgram, count: number): Promise<Audience> => {
    const peer = resources.use(await Peer.start(program));
    const audience = await gather(writer, servers, peer, count);
    audiences.push(audience);
    return audience;
  };
  const ours = await add(programs.ours, sessionCount);
  const bare = await add(programs.bare, sessionCount);
  const java = programs.java === undefined ? undefined : await add(programs.java, sessionCount);
  const oursAsKazoo =
    kazoo === undefined || kazoo.count === sessionCount ? ours : await add(programs.ours, kazoo.count);
  if (kazoo !== undefined) audiences.push(kazoo.audience);
  let measured = audiences;
  for (let round = 0; round < warmUps + run.rounds; round += 1) {
    for (const audience of takingTurns(measured, round)) {
      // What the one before still does must not be counted against this one.
      await calm(measured.map(({ peer }) => peer.pid));
      try {
        const taken = await change(writer, audience);
        if (round >= warmUps) audience.rounds.push(taken);
      } catch (error) {
        if (audience !== kazoo?.audience) throw error;
        // The other comparison is not to be lost with it.
        run.missing("fanout-last-vs-kazoo", `It broke at ${kazoo.count} sessions: ${String(error)}`);
        measured = measured.filter((each) => each !== audience);
        await audience.peer[Symbol.asyncDispose]();
      }
    }
  }
  run.note(`fan-out: ${run.rounds} rounds of ${audiences.map(({ label }) => label).join(", ")}`);
  if (java !== undefined) {
    compare(run, "fanout-last-vs-java", limits.last, ours, java, sessionCount);
    compare(run, "fanout-floor-vs-java", null, bare, java, sessionCount);
    compareProcessorTime(run, ours, bare, java);
  }
  // No goal was stated for this one.
  if (kazoo !== undefined && measured.includes(kazoo.audience)) {
    compare(run, "fanout-last-vs-kazoo", null, oursAsKazoo, kazoo.audience, kazoo.count);
  }
}

/** Lets `count` sessions of a client read and watch a node made for them. */
async function gather(writer: ZooKeeper, servers: string, peer: Peer, count: number): Promise<Audience> {
  const label = `${peer.name}-${count}`;
  const path = `/fanout-${label}`;
  if ((await writer.exists(path)) === null) await writer.create(path, "first");
  await peer.ask(`connect ${servers} ${count} ${sessionTimeoutMs}`, "connected", connectDeadlineMs);
  peer.tell(`arm ${path}`);
  await peer.hear("half", changeDeadlineMs);
  await peer.hear("last", changeDeadlineMs);
  return { label, peer, path, rounds: [] };
}

/** kazoo cannot hold every number of sessions in one process, so the largest of some that it can. */
async function largestAudience(
  run: BenchRun,
  writer: ZooKeeper,
  servers: string,
  program: PeerProgram,
): Promise<{ count: number; audience: Audience } | undefined> {
  for (const count of [sessionCount, 500, 300, 200, 100]) {
    const peer = await Peer.start(program);
    try {
      const audience = await gather(writer, servers, peer, count);
      // It must not only come up: at its limit it loses sessions, or takes longer with each change.
      for (let each = 0; each < trial.changes; each += 1) await change(writer, audience, trial.deadlineMs);
      return { count, audience };
    } catch (error) {
      await peer[Symbol.asyncDispose]();
      run.note(`kazoo does not hold ${count} sessions: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  run.missing("fanout-last-vs-kazoo", "kazoo does not hold 100 sessions in one process on this machine.");
  return undefined;
}

async function change(
  writer: ZooKeeper,
  { peer, path }: Audience,
  deadlineMs = changeDeadlineMs,
): Promise<Audience["rounds"][number]> {
  const usedBefore = cpuMs(peer.pid);
  const sentAt = performance.now();
  // Not awaited before listening: the first watchers may have read before the writer gets its answer.
  const written = writer.set(path, `at ${sentAt}`);
  const half = await peer.hear("half", deadlineMs);
  const last = await peer.hear("last", deadlineMs);
  await written;
  return { halfMs: half.atMs - sentAt, lastMs: last.atMs - sentAt, cpuMs: cpuMs(peer.pid) - usedBefore };
}

function compare(
  run: BenchRun,
  name: string,
  limit: number | null,
  ours: Audience,
  theirs: Audience,
  sessions: number,
): void {
  const last = ({ rounds }: Audience): number[] => rounds.map(({ lastMs }) => lastMs);
  run.figure({
    name,
    value: median(last(ours)) / median(last(theirs)),
    unit: "ratio",
    limit,
    goal: "at most",
    detail: {
      sessions,
      [ours.label]: summary(ours),
      [theirs.label]: summary(theirs),
      pairedRatios: last(ours).map((ms, round) => rounded(ms / (last(theirs)[round] ?? Number.NaN))),
    },
  });
}

/** What a change costs the process of the client, from its sending to its last reader. */
function compareProcessorTime(run: BenchRun, ours: Audience, bare: Audience, java: Audience): void {
  // A single round is counted in steps of 10 ms, all of them together are exact enough.
  const mean = ({ rounds }: Audience): number => rounds.reduce((sum, each) => sum + each.cpuMs, 0) / rounds.length;
  const [oursMs, bareMs, javaMs] = [mean(ours), mean(bare), mean(java)];
  run.figure({
    name: "fanout-processor-time-vs-java",
    value: oursMs / javaMs,
    unit: "ratio",
    limit: limits.processorTime,
    goal: "at most",
    detail: { sessions: sessionCount, oursMs: rounded(oursMs), bareMs: rounded(bareMs), javaMs: rounded(javaMs) },
  });
}

function summary({ rounds }: Audience): object {
  return {
    medianLastMs: rounded(median(rounds.map(({ lastMs }) => lastMs))),
    medianHalfMs: rounded(median(rounds.map(({ halfMs }) => halfMs))),
    medianCpuMs: rounded(median(rounds.map(({ cpuMs }) => cpuMs))),
    lastMs: rounds.map(({ lastMs }) => rounded(lastMs)),
  };
}
