import { cpuMs, residentKb } from "../processes.ts";
import { median } from "../statistics.ts";
import { Program, wallMs } from "../fleet/program.ts";
import { makeTree } from "../fleet/tree.ts";
import { SERVICE } from "../fleet/bench_host.ts";

const COLUMNS = 160;
const ROWS = 48;
const SETTLE_MS = 5_000;
const MEASURED_MS = 10_000;
const PROBES = 25;
const probeDeadlineMs = 10_000;

export interface MonitorMeasured {
  readonly cpuMsPerS: number;
  readonly bytesPerS: number;
  readonly frames: number;
  readonly residentMb: number;
  /** From the write of a status to the frame that shows it, as the terminal got it; null where it was not asked for. */
  readonly latencyMs: { readonly median: number; readonly p95: number; readonly longest: number } | null;
}

/** A program on a terminal of its own that watches the fleet. */
export type Watcher = (servers: string) => readonly string[];

/** A fleet of so many hosts that changes all the time, and how each of these programs shows it, one after the other. */
export async function measureMonitors(
  server: string,
  count: number,
  watchers: Readonly<Record<string, Watcher>>,
  asksLatency: boolean,
): Promise<ReadonlyMap<string, MonitorMeasured>> {
  const servers = await makeTree(server, []);
  const measured = new Map<string, MonitorMeasured>();
  // A program of the bench for each fleet, since its agents' nodes go with it.
  const writer = new WriterProgram();
  await writer.ask({ ask: "open", servers, count });
  await writer.ask({ ask: "change" });
  for (const [name, watcher] of Object.entries(watchers))
    measured.set(name, await measureOne(writer, watcher(servers), count, asksLatency));
  await writer.ask({ ask: "close" });
  await writer[Symbol.asyncDispose]();
  return measured;
}

class WriterProgram extends Program {
  constructor() {
    super("../monitor/writer_program");
  }
}

async function measureOne(
  writer: Program,
  command: readonly string[],
  count: number,
  asksLatency: boolean,
): Promise<MonitorMeasured> {
  let bytes = 0;
  let frames = 0;
  let since = "";
  const terminal = new Bun.Terminal({
    cols: COLUMNS,
    rows: ROWS,
    data: (_terminal, data) => {
      const text = new TextDecoder().decode(data);
      bytes += data.length;
      frames += text.split("\u001b[?2026h").length - 1;
      since = (since + text).slice(-200_000);
    },
  });
  const child = Bun.spawn([...command], { terminal, env: { ...process.env, TERM: "xterm-256color" } });
  try {
    await Bun.sleep(SETTLE_MS);
    const [cpuBefore, bytesBefore, framesBefore] = [cpuMs(child.pid), bytes, frames];
    const startedAt = performance.now();
    await Bun.sleep(MEASURED_MS);
    const seconds = (performance.now() - startedAt) / 1_000;
    const cpuMsPerS = (cpuMs(child.pid) - cpuBefore) / seconds;
    const bytesPerS = (bytes - bytesBefore) / seconds;
    const shown = frames - framesBefore;
    const residentMb = residentKb(child.pid) / 1_024;
    const latencies: number[] = [];
    for (let probe = 0; probe < (asksLatency ? PROBES : 0); probe += 1) {
      // Each fails another host, so that a sign that is on the screen nowhere else comes and goes.
      const host = Math.floor((count / PROBES) * probe);
      since = "";
      const { atMs } = await writer.ask<{ atMs: number }>({ ask: "say", host, step: "failed" });
      latencies.push((await seen(() => since.includes("✗"))) - atMs);
      await writer.ask({ ask: "say", host, step: "idle" });
      await Bun.sleep(300 + Math.random() * 200);
    }
    const sorted = latencies.toSorted((a, b) => a - b);
    const latencyMs = asksLatency
      ? { median: median(sorted), p95: sorted[Math.floor(sorted.length * 0.95)] ?? 0, longest: sorted.at(-1) ?? 0 }
      : null;
    return { cpuMsPerS, bytesPerS, frames: shown, residentMb, latencyMs };
  } finally {
    child.kill("SIGTERM");
    await child.exited;
    terminal.close();
  }
}

async function seen(isSeen: () => boolean): Promise<number> {
  const endsAt = performance.now() + probeDeadlineMs;
  while (!isSeen()) {
    if (performance.now() > endsAt) throw new Error(`a change was not shown within ${probeDeadlineMs} ms`);
    await Bun.sleep(1);
  }
  return wallMs();
}

export const watchedService = SERVICE;
