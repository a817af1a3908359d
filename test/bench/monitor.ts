import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deploydBinary } from "../harness/binary.ts";
import type { Bench, BenchRun } from "./figure.ts";
import { startFleetServer } from "./fleet/server.ts";
import { measureMonitors, watchedService, type MonitorMeasured, type Watcher } from "./monitor/measure.ts";
import { rounded } from "./statistics.ts";

const SIZES = [100, 1_000, 5_000, 10_000];
const PEER_SIZE = 5_000;
const LATENCY_SIZE = 1_000;
/** What the findings measured; nothing of it is a dependency of the product, nor of this repository. */
const PEER = { ink: "8.0.0", react: "19.3.1" };
const mostAgainstInk = 0.08;
const mostLatencyMs = 120;

export const monitorBench: Bench = {
  summary:
    "ctl monitor on fleets that change all the time, beside the same screens drawn by ink; --hosts N for one size",
  parts: ["growth", "ink"],
  run: async (run: BenchRun) => {
    await using server = await startFleetServer();
    const binary = await deploydBinary();
    const ours: Watcher = (servers) => {
      const root = servers.indexOf("/");
      return [
        binary,
        "ctl",
        "monitor",
        watchedService,
        "--zookeeper",
        servers.slice(0, root),
        "--chroot",
        servers.slice(root),
      ];
    };
    const measured = new Map<number, MonitorMeasured>();
    const peer = run.wants("ink") ? await installed(run) : null;
    for (const size of run.hosts === null ? SIZES : [run.hosts]) {
      const isPeers = size === (run.hosts ?? PEER_SIZE);
      if (!run.wants("growth") && !isPeers) continue;
      const ink: Record<string, Watcher> =
        peer === null || !isPeers
          ? {}
          : {
              ink: (servers) => [process.execPath, peer.program, peer.directory, servers, watchedService],
              undrawn: (servers) => [
                process.execPath,
                peer.program,
                peer.directory,
                servers,
                watchedService,
                "undrawn",
              ],
            };
      const found = await measureMonitors(server.connectString, size, { ours, ...ink }, size <= LATENCY_SIZE);
      for (const [name, figures] of found) run.note(`${size} hosts, ${name}: ${JSON.stringify(figures)}`);
      const own = found.get("ours");
      if (own === undefined) continue;
      measured.set(size, own);
      const theirs = found.get("ink");
      const undrawn = found.get("undrawn");
      if (theirs !== undefined && undrawn !== undefined) reportPeer(run, size, own, theirs, undrawn);
    }
    if (run.wants("growth")) reportGrowth(run, measured);
    if (peer !== null) await rm(peer.directory, { recursive: true });
  },
};

/** Ink in a directory of its own; null where npm cannot get it. */
async function installed(run: BenchRun): Promise<{ readonly directory: string; readonly program: string } | null> {
  const directory = await mkdtemp(join(tmpdir(), "deployd-bench-ink-"));
  await Bun.write(join(directory, "package.json"), JSON.stringify({ private: true, dependencies: PEER }));
  const child = Bun.spawn(["npm", "install", "--no-audit", "--no-fund", "--silent"], {
    cwd: directory,
    stderr: "pipe",
  });
  if ((await child.exited) === 0) {
    return { directory, program: Bun.fileURLToPath(import.meta.resolve("./monitor/ink_peer.ts")) };
  }
  run.missing(
    "the figures against ink",
    `npm could not install it: ${(await child.stderr.text()).trim().slice(0, 300)}`,
  );
  return null;
}

function reportPeer(
  run: BenchRun,
  size: number,
  ours: MonitorMeasured,
  ink: MonitorMeasured,
  undrawn: MonitorMeasured,
): void {
  const detail = { ours: told(ours), ink: told(ink), undrawn: told(undrawn) };
  run.figure({
    name: `drawing-vs-ink-${size}`,
    value: Math.max(0, ours.cpuMsPerS - undrawn.cpuMsPerS) / (ink.cpuMsPerS - undrawn.cpuMsPerS),
    unit: "ratio",
    limit: mostAgainstInk,
    goal: "at most",
    detail,
  });
  run.figure({
    name: `cpu-vs-ink-${size}`,
    value: ours.cpuMsPerS / ink.cpuMsPerS,
    unit: "ratio",
    limit: mostAgainstInk,
    goal: "at most",
    detail,
  });
  run.figure({
    name: `bytes-vs-ink-${size}`,
    value: ours.bytesPerS / ink.bytesPerS,
    unit: "ratio",
    limit: null,
    goal: "at most",
    detail: {},
  });
  run.figure({
    name: `memory-vs-ink-${size}`,
    value: ours.residentMb / ink.residentMb,
    unit: "ratio",
    limit: null,
    goal: "at most",
    detail: {},
  });
}

function reportGrowth(run: BenchRun, measured: ReadonlyMap<number, MonitorMeasured>): void {
  for (const [size, figures] of measured) {
    const { latencyMs } = figures;
    if (latencyMs !== null)
      run.figure({
        name: `change-to-screen-${size}`,
        value: latencyMs.median,
        unit: "ms",
        limit: size === LATENCY_SIZE ? mostLatencyMs : null,
        goal: "at most",
        detail: { p95: rounded(latencyMs.p95), longest: rounded(latencyMs.longest) },
      });
    run.figure({
      name: `cpu-per-second-${size}`,
      value: figures.cpuMsPerS,
      unit: "ms",
      limit: null,
      goal: "at most",
      detail: told(figures),
    });
  }
}

function told({ cpuMsPerS, bytesPerS, frames, residentMb }: MonitorMeasured): Record<string, number> {
  return { cpuMsPerS: rounded(cpuMsPerS), bytesPerS: rounded(bytesPerS), frames, residentMb: rounded(residentMb) };
}
