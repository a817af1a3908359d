import type { BenchRun, Figure } from "../figure.ts";
import { rounded } from "../statistics.ts";
import { RESTART_MS } from "./fleet_builds.ts";
import { grown, slopes, type Growth } from "./growth.ts";
import { measureFleet, type FleetMeasured } from "./measure_fleet.ts";
import { hostSizes } from "./sizes.ts";

const mostWrites = 6;
const mostReads = 6;
const mostAgainstBare = 2;
const mostOfWaves = 1.1;
const haltedWithinMs = 10_000;
/** From this number of hosts on, times were asked for: below it, what a single host takes is most of them. */
const MANY = 1_000;
const mostTries = 1.1;
/** What counts as linear: one more host costs no more than this, compared with one more host of a small fleet. */
const linear = 1.5;

/** Deploys to fleets of real sessions: the deploy that goes well, and the one that every host fails. */
export async function measureDeploys(run: BenchRun, server: string): Promise<void> {
  const growth = new Map<number, FleetMeasured>();
  for (const size of hostSizes()) growth.set(size, await measureFleet(run, server, size));
  if (run.wants("deploy")) for (const figure of deployFigures(growth)) run.figure(figure);
  if (run.wants("failing")) for (const figure of failingFigures(growth)) run.figure(figure);
}

function deployFigures(growth: Growth<FleetMeasured>): Figure[] {
  const worst = (value: (of: FleetMeasured) => number): number => Math.max(...[...growth.values()].map(value));
  const kinds = grown(growth, ({ deploy }) => deploy.kinds);
  const figures: Figure[] = [
    {
      name: "writes-per-host",
      value: worst(({ deploy }) => deploy.writes.most),
      unit: "count",
      limit: mostWrites,
      goal: "at most",
      detail: { ...grown(growth, ({ deploy }) => deploy.writes), kinds },
    },
    {
      name: "reads-per-host",
      value: worst(({ deploy }) => deploy.reads.most),
      unit: "count",
      limit: mostReads,
      goal: "at most",
      detail: {
        ...grown(growth, ({ deploy }) => deploy.reads),
        "looks at everything, not counted": grown(growth, ({ deploy }) => deploy.looks),
      },
    },
  ];
  for (const [size, { deploy }] of growth) {
    const { decisionMs, decisionAfterCtlMs, bareMs, waves, wavesMs, restartMs, processes, load } = deploy;
    figures.push({
      name: `last-decision-vs-bare-client-${size}`,
      value: decisionMs / bareMs,
      unit: "ratio",
      limit: size >= MANY ? mostAgainstBare : null,
      goal: "at most",
      detail: {
        fromCtlMs: rounded(decisionMs),
        afterCtlMs: rounded(decisionAfterCtlMs),
        bareMs: rounded(bareMs),
        "hosts' processor time until then, ms": deploy.decidingCpuMs,
        processes,
        load,
      },
    });
    figures.push({
      name: `last-decision-vs-bare-sessions-${size}`,
      value: decisionMs / deploy.bareSessionsMs,
      unit: "ratio",
      // No goal was stated; it shows what of the ratio above is the number of sessions, all of them on this machine.
      limit: null,
      goal: "at most",
      detail: { bareSessionsMs: rounded(deploy.bareSessionsMs) },
    });
    figures.push({
      name: `deploy-time-vs-waves-${size}`,
      value: wavesMs / (waves * RESTART_MS),
      unit: "ratio",
      limit: mostOfWaves,
      goal: "at most",
      detail: {
        ms: rounded(wavesMs),
        waves,
        restartMs: RESTART_MS,
        restartSeen: restartMs,
        hostsCpuMs: deploy.hostsCpuMs,
        load,
      },
    });
  }
  return [...figures, ...conductorFigures(growth)];
}

/** How what the conductor needs for one more host grows: from between the first two sizes to between the last two. */
function conductorFigures(growth: Growth<FleetMeasured>): Figure[] {
  const detail = grown(growth, ({ deploy: { conductor, load } }) => ({
    cpuMs: conductor.cpuMs,
    peakMb: conductor.peakMb,
    rounds: conductor.rounds,
    multis: conductor.multis,
    grants: conductor.grants,
    takings: conductor.takings,
    reads: conductor.reads,
    load,
  }));
  const tries = ([size, { deploy }]: readonly [number, FleetMeasured]): number =>
    (deploy.conductor.grants + deploy.conductor.takings) / (2 * size);
  const figures: Figure[] = [
    {
      name: "deploy-tries-per-move",
      value: Math.max(...[...growth].map(tries)),
      unit: "ratio",
      limit: mostTries,
      goal: "at most",
      detail: Object.fromEntries([...growth].map((each) => [`at ${each[0]}`, rounded(tries(each))])),
    },
  ];
  const cpu = slopes(growth, ({ deploy }) => deploy.conductor.cpuMs);
  const memory = slopes(growth, ({ deploy }) => deploy.conductor.peakMb * 1024);
  if (cpu === null || memory === null) return figures;
  const shared = { unit: "ratio", limit: linear, goal: "at most" } as const;
  const [cpuBefore, cpuAfter] = cpu;
  const [memoryBefore, memoryAfter] = memory;
  figures.push(
    {
      ...shared,
      name: "conductor-cpu-growth",
      value: cpuAfter / cpuBefore,
      detail: { msForOneMoreHost: [cpuBefore, cpuAfter].map(rounded), ...detail },
    },
    {
      ...shared,
      name: "conductor-memory-growth",
      value: memoryAfter / memoryBefore,
      detail: { kBForOneMoreHost: [memoryBefore, memoryAfter].map(rounded) },
    },
  );
  return figures;
}

function failingFigures(growth: Growth<FleetMeasured>): Figure[] {
  return [...growth].flatMap(([size, { failing }]): Figure[] =>
    failing === null
      ? []
      : [
          {
            name: `halted-after-first-failure-${size}`,
            value: failing.haltedAfterMs,
            unit: "ms",
            limit: haltedWithinMs,
            goal: "at most",
            detail: {
              budget: failing.budget,
              failed: failing.failedHosts,
              "failures spread over ms": failing.spreadMs,
              fromCtlMs: rounded(failing.fromCtlMs),
              conductorCpuMs: failing.conductor.cpuMs,
              load: failing.load,
            },
          },
        ],
  );
}
