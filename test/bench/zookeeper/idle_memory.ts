import type { BenchRun } from "../figure.ts";
import { residentKb } from "../processes.ts";
import { median, rounded } from "../statistics.ts";
import { Peer, type PeerName, type PeerProgram } from "./peer.ts";
import { present, type Programs } from "./programs.ts";

const counts = [1_000, 300];
const sessionTimeoutMs = 60_000;
const limitKb = 25;
const mostRounds = 3;

/** What an idle session costs: how much a fresh process grows by opening 1,000 of them, divided by their number. */
export async function measureIdleMemory(run: BenchRun, servers: string, programs: Programs): Promise<void> {
  const results: Partial<Record<PeerName, Measured[]>> = {};
  for (let round = 0; round < Math.min(run.rounds, mostRounds); round += 1) {
    for (const program of present(programs)) {
      (results[program.name] ??= []).push(await grow(run, servers, program));
    }
  }
  const { ours } = results;
  if (ours === undefined) throw new Error("deployd's own client was not measured");
  const value = median(ours.map(({ perSessionKb }) => perSessionKb));
  run.figure({ name: "idle-session-memory", value, unit: "kB", limit: limitKb, goal: "at most", detail: results });
}

interface Measured {
  readonly perSessionKb: number;
  readonly sessions: number;
  readonly beforeKb: number;
  readonly afterKb: number;
}

async function grow(run: BenchRun, servers: string, program: PeerProgram): Promise<Measured> {
  let failure: unknown;
  for (const sessions of counts) {
    await using peer = await Peer.start(program);
    try {
      await peer.ask("collect", "collected");
      const beforeKb = residentKb(peer.pid);
      await peer.ask(`connect ${servers} ${sessions} ${sessionTimeoutMs}`, "connected", 40_000);
      await peer.ask("collect", "collected");
      const afterKb = residentKb(peer.pid);
      return { perSessionKb: rounded((afterKb - beforeKb) / sessions), sessions, beforeKb, afterKb };
    } catch (error) {
      failure = error;
      run.note(`memory: ${program.name} with ${sessions} sessions: ${String(error)}`);
    }
  }
  throw new Error(`${program.name} holds none of ${counts.join(", ")} sessions`, { cause: failure });
}
