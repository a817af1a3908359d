import { statfsSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Bench, BenchRun } from "./figure.ts";
import { median, rounded, takingTurns } from "./statistics.ts";
import { plantTree, type TreeShape } from "./unpack/tree.ts";
import { packDirectory } from "../harness/real_time.ts";

const memoryDirectory = "/dev/shm";
/** Of statfs(2), for tmpfs. */
const tmpfsMagic = 0x0102_1994;
const tools = { zstd: "zstd", tar: "tar", sha256sum: "coreutils" } as const;

const shapes = {
  small: { files: 20_000, meanBytes: 16 * 1024, noise: 0.3, links: 300 },
  large: { files: 200, meanBytes: 1_536 * 1024, noise: 0.9, links: 0 },
} satisfies Record<string, TreeShape>;

interface Taken {
  readonly wallMs: number;
  readonly cpuMs: number;
  readonly said: string;
}

export const unpackBench: Bench = {
  summary: "verifying and unpacking a build against sha256sum, zstd and tar, on tmpfs, taking turns",
  parts: Object.keys(shapes),
  run: async (run) => {
    for (const [tool, debianPackage] of Object.entries(tools)) {
      if (Bun.which(tool) !== null) continue;
      run.missing(`all figures: there is no ${tool}`, `Install the Debian package ${debianPackage}.`);
      return;
    }
    if (statfsSync(memoryDirectory).type !== tmpfsMagic) {
      run.missing(`all figures: ${memoryDirectory} is no tmpfs`, "A disk would be measured instead of the programs.");
      return;
    }
    for (const [name, shape] of Object.entries(shapes)) {
      if (run.wants(name)) await measureShape(run, name, shape);
    }
  },
};

/** Both verify the digest of the whole archive before they unpack it, each in a fresh process. */
async function measureShape(run: BenchRun, name: string, shape: TreeShape): Promise<void> {
  await using scratch = await memoryScratch();
  const tree = join(scratch.path, "tree");
  plantTree(tree, shape);
  const archive = join(scratch.path, "build.tar.zst");
  const { digest, size, entries, unpackedBytes } = await packDirectory({ dir: tree, out: archive });
  await rm(tree, { recursive: true });
  run.note(`${name}: ${entries} entries, ${megabytes(unpackedBytes)} MB, packed ${megabytes(size)} MB`);
  const sums = join(scratch.path, "sums");
  await Bun.write(sums, `${digest.slice("sha256:".length)}  ${archive}\n`);
  const into = join(scratch.path, "out");
  const ours = Bun.fileURLToPath(import.meta.resolve("./unpack/program.ts"));
  const script = 'set -e; sha256sum --quiet --check "$1"; zstd -dc "$2" | tar -x -C "$3"';
  const peers = [
    {
      name: "ours",
      command: [process.execPath, ours, archive, into, digest, `${size}`, `${unpackedBytes}`, `${entries}`],
      rounds: [] as Taken[],
    },
    { name: "tools", command: ["sh", "-c", script, "sh", sums, archive, into], rounds: [] as Taken[] },
  ] as const;
  // One round that is not counted, as the first pays for what the kernel then keeps.
  for (let round = -1; round < run.rounds; round += 1) {
    for (const peer of takingTurns(peers, round + 1)) {
      await mkdir(into);
      const taken = await take(peer.command);
      await rm(into, { recursive: true });
      if (round >= 0) peer.rounds.push(taken);
    }
  }
  report(run, name, peers[0].rounds, peers[1].rounds);
}

async function take(command: readonly string[]): Promise<Taken> {
  const startedAt = performance.now();
  const child = Bun.spawn([...command], { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [code, said, complaint] = await Promise.all([
    child.exited,
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  const wallMs = performance.now() - startedAt;
  if (code !== 0) throw new Error(`${command.join(" ")} ended with ${code}: ${complaint}`);
  // With what its own children used, as it has waited for them.
  const used = child.resourceUsage();
  if (used === undefined) throw new Error("the kernel told nothing of an ended process");
  return { wallMs, cpuMs: Number(used.cpuTime.total) / 1_000, said };
}

function report(run: BenchRun, name: string, ours: readonly Taken[], tools: readonly Taken[]): void {
  for (const figure of ["wall", "cpu"] as const) {
    const of = (rounds: readonly Taken[]): number[] => rounds.map((each) => each[`${figure}Ms`]);
    const ratios = of(ours).map((ms, round) => ms / (of(tools)[round] ?? Number.NaN));
    run.figure({
      name: `${name}-files-${figure}`,
      value: median(ratios),
      unit: "ratio",
      limit: null,
      goal: "at most",
      detail: {
        oursMs: rounded(median(of(ours))),
        toolsMs: rounded(median(of(tools))),
        pairedRatios: ratios.map((ratio) => rounded(ratio)),
      },
    });
  }
  const peaksMb = ours.map(({ said }) => Number(said) / 1_024);
  run.figure({
    name: `${name}-files-peak-memory`,
    value: Math.max(...peaksMb),
    unit: "MB",
    limit: null,
    goal: "at most",
    detail: { peaksMb: peaksMb.map((each) => rounded(each)) },
  });
}

async function memoryScratch(): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(memoryDirectory, "deployd-bench-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 1_000_000);
}
