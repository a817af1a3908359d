// A part of a fleet, in one process: see program.ts for how it is spoken to.
import { chanceOf } from "../../sim/chance.ts";
import { ArtefactServer } from "../../sim/host/artefacts.ts";
import { BenchHost, type HostMoments, type Site } from "./bench_host.ts";
import { BUILDS } from "./fleet_builds.ts";
import { PacedTime } from "./paced_time.ts";
import { answerQuestions } from "./program.ts";

/** How many hosts come at once, so that a server has time for each. */
const AT_ONCE = 50;
const MOST_PROBLEMS = 3;

export interface HostTold {
  readonly moments: HostMoments;
  readonly writes: number;
  /** Without those of the looks at everything that come with time. */
  readonly reads: number;
  readonly looks: number;
}

export interface HostsTold {
  readonly hosts: readonly HostTold[];
  /** All requests, by kind. */
  readonly kinds: Readonly<Record<string, number>>;
  readonly problems: readonly string[];
  /** Processor time of this process from the mark until its last host had decided. */
  readonly decidingCpuMs: number;
}

const hosts: BenchHost[] = [];
let problems: string[] = [];
let markedAt = process.cpuUsage();
let decidingCpuMs = 0;

const artefacts = new ArtefactServer(chanceOf("artefacts"));
artefacts.faults.slowness = 0;
for (const build of Object.values(BUILDS)) artefacts.publish(build);
const time = new PacedTime();
time.start();

function onProblem(problem: string): void {
  problems.push(problem);
}

function onTakenUp(): void {
  const { user, system } = process.cpuUsage(markedAt);
  decidingCpuMs = Math.round((user + system) / 1000);
}

async function open(servers: string, names: readonly string[]): Promise<void> {
  const site: Site = { servers, time, artefacts, onProblem, onTakenUp };
  for (let at = 0; at < names.length; at += AT_ONCE) {
    hosts.push(...(await Promise.all(names.slice(at, at + AT_ONCE).map((name) => BenchHost.open(name, site)))));
  }
}

function told(): HostsTold {
  const kinds: Record<string, number> = {};
  for (const { counts } of hosts)
    for (const [kind, count] of Object.entries(counts.kinds)) kinds[kind] = (kinds[kind] ?? 0) + count;
  return {
    hosts: hosts.map(({ moments, counts }) => ({
      moments,
      writes: counts.writes,
      reads: counts.readsOfDeploys,
      looks: counts.looks,
    })),
    kinds,
    problems: problems.slice(0, MOST_PROBLEMS),
    decidingCpuMs,
  };
}

await answerQuestions(async ({ ask, servers, names }) => {
  switch (ask) {
    case "open":
      await open(String(servers), names as string[]);
      return {};
    case "mark":
      for (const host of hosts) host.mark();
      problems = [];
      markedAt = process.cpuUsage();
      return {};
    case "tell":
      return told();
    default:
      throw new Error(`nobody answers "${String(ask)}"`);
  }
});
