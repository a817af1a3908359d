import { availableParallelism, loadavg } from "node:os";
import { parseArgs } from "node:util";
import type { Bench, Figure } from "./figure.ts";
import { jsonLine, table } from "./report.ts";

const benches: Readonly<Record<string, () => Promise<Bench>>> = {
  zookeeper: async () => (await import("./zookeeper.ts")).zookeeperBench,
  unpack: async () => (await import("./unpack.ts")).unpackBench,
  restarts: async () => (await import("./restarts.ts")).restartsBench,
  fleet: async () => (await import("./fleet.ts")).fleetBench,
  ansible: async () => (await import("./ansible.ts")).ansibleBench,
  rehearsal: async () => (await import("./rehearsal.ts")).rehearsalBench,
  monitor: async () => (await import("./monitor.ts")).monitorBench,
};

const usage = "npm run bench -- NAME [--json] [--rounds N] [--only PART,PART] [--hosts N]";
const usageCode = 64;

const { values, positionals } = parseArgs({
  args: Bun.argv.slice(2),
  allowPositionals: true,
  options: {
    json: { type: "boolean" },
    rounds: { type: "string" },
    only: { type: "string" },
    hosts: { type: "string" },
  },
});

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function tell(text: string): void {
  process.stderr.write(`${text}\n`);
}

const [name, ...others] = positionals;
if (name === undefined) {
  print(`${usage}\n`);
  for (const [each, load] of Object.entries(benches)) {
    const { summary, parts } = await load();
    print(`${each.padEnd(10)} ${summary}\n${" ".repeat(11)}parts: ${parts.join(", ")}`);
  }
} else {
  process.exitCode = await measure(name);
}

/** 0: every figure was measured, whether or not it meets its goal; 1: some could not be; 64: usage. */
async function measure(name: string): Promise<number> {
  const loadBench = benches[name];
  const rounds = Number(values.rounds ?? 10);
  const hosts = values.hosts === undefined ? null : Number(values.hosts);
  const isCount = (count: number): boolean => Number.isSafeInteger(count) && count >= 1;
  if (loadBench === undefined || others.length > 0 || !isCount(rounds) || (hosts !== null && !isCount(hosts))) {
    tell(`${usage}\nThere are: ${Object.keys(benches).join(", ")}.`);
    return usageCode;
  }
  const bench = await loadBench();
  const only = values.only?.split(",");
  const unknown = only?.find((part) => !bench.parts.includes(part));
  if (unknown !== undefined) {
    tell(`The bench "${name}" has no part "${unknown}", only: ${bench.parts.join(", ")}.`);
    return usageCode;
  }
  const figures: Figure[] = [];
  const gaps: string[] = [];
  const [load = 0] = loadavg();
  tell(`${name}: ${availableParallelism()} processors, load ${load.toFixed(1)} before the start`);
  await bench.run({
    rounds,
    hosts,
    wants: (part) => only?.includes(part) ?? true,
    figure: (figure) => {
      figures.push(figure);
      if (values.json === true) print(jsonLine(name, figure));
    },
    missing: (what, remedy) => {
      gaps.push(`NOT MEASURED: ${what}. ${remedy}`);
    },
    note: (text) => tell(`${name}: ${text}`),
  });
  if (values.json !== true) print(table(figures));
  for (const gap of gaps) tell(gap);
  return gaps.length === 0 ? 0 : 1;
}
