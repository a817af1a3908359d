import { loadavg } from "node:os";
import { deploydBinary } from "../harness/binary.ts";
import { missingPrograms } from "./ansible/programs.ts";
import type { Bench, BenchRun } from "./figure.ts";
import { median, rounded } from "./statistics.ts";

/** Ansible takes most of a minute for one. */
const MOST_ROUNDS = 3;
const SIDES = ["ansible", "deployd"] as const;
const DIRECTORY = "/run/bench";

interface Round {
  readonly who: (typeof SIDES)[number];
  readonly tookMs: number;
  readonly stepsMs: Readonly<Record<string, number>>;
  /** Of deployd: the time from the last host's `ready` to the command's end. */
  readonly activationMs?: number;
  readonly readyMs?: number;
}

/** `deployd ctl deploy` against an Ansible playbook that does the same, to the same twenty hosts. */
export const ansibleBench: Bench = {
  summary: "a deploy to 20 hosts, 5 at a time, against an Ansible playbook that does the same",
  parts: SIDES,
  run: async (run) => {
    const missing = await missingPrograms();
    if (missing !== null) return run.missing("everything", missing);
    const sides = SIDES.filter((side) => run.wants(side));
    const all = await measureInside(run, Math.min(run.rounds, MOST_ROUNDS), sides);
    if (all === null) return;
    const [theirs, ours] = SIDES.map((who) => all.filter((round) => round.who === who));
    if (theirs === undefined || ours === undefined || theirs.length === 0 || ours.length === 0) {
      return run.missing("the ratios", "Both parts are needed for them.");
    }
    report(run, theirs, ours);
  },
};

/**
 * Runs the bench in namespaces of its own: for processes, mounts and the network. When their first process is gone,
 * however it ends, the kernel ends all others and takes down the hosts' networks and their file system, and nothing of it
 * was ever to be seen outside.
 */
async function measureInside(run: BenchRun, rounds: number, sides: readonly string[]): Promise<Round[] | null> {
  await deploydBinary();
  const program = Bun.fileURLToPath(import.meta.resolve("./ansible/inside.ts"));
  // The shell stays as process 1, which has to reap what the others leave behind.
  const line = `mount -t tmpfs tmpfs /run && mkdir -p ${DIRECTORY}/tmp && TMPDIR=${DIRECTORY}/tmp "$@"; exit $?`;
  const inside = [process.execPath, program, DIRECTORY, String(rounds), ...sides];
  const namespaces = ["unshare", "--net", "--mount", "--pid", "--mount-proc", "--fork", "--kill-child"];
  const child = Bun.spawn(["setpriv", "--pdeathsig", "KILL", "--", ...namespaces, "sh", "-c", line, "sh", ...inside], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [measured, complaint, code] = await Promise.all([
    roundsOf(child.stdout, run),
    child.stderr.text(),
    child.exited,
  ]);
  if (code === 0) return measured;
  run.missing(`everything: the bench ended with ${code}`, complaint.trim());
  return null;
}

async function roundsOf(output: ReadableStream<Uint8Array>, run: BenchRun): Promise<Round[]> {
  const rounds: Round[] = [];
  let rest = "";
  for await (const bytes of output) {
    const lines = `${rest}${Buffer.from(bytes).toString()}`.split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const said = JSON.parse(line) as Round | { readonly note: string };
      if ("note" in said) run.note(said.note);
      else {
        rounds.push(said);
        const since =
          said.activationMs === undefined ? "" : `, ${seconds(said.activationMs)} s of it since all were ready`;
        run.note(`${said.who}: ${seconds(said.tookMs)} s${since} (load ${(loadavg()[0] ?? 0).toFixed(1)})`);
      }
    }
  }
  return rounds;
}

function report(run: BenchRun, theirs: readonly Round[], ours: readonly Round[]): void {
  const ansibleMs = median(theirs.map(({ tookMs }) => tookMs));
  const ratio = (name: string, limit: number, ms: number, detail: Readonly<Record<string, unknown>>): void => {
    const both = { oursS: seconds(ms), ansibleS: seconds(ansibleMs), timesFaster: rounded(ansibleMs / ms) };
    run.figure({ name, value: ms / ansibleMs, unit: "ratio", limit, goal: "at most", detail: { ...both, ...detail } });
  };
  ratio("deploy-vs-ansible", 0.0833, median(ours.map(({ tookMs }) => tookMs)), {
    ours: ours.map(({ tookMs }) => seconds(tookMs)),
    ansible: theirs.map(({ tookMs }) => seconds(tookMs)),
    ansibleStepsS: medians(theirs, seconds),
  });
  ratio("activation-vs-ansible", 0.04, median(ours.map(({ activationMs = Number.NaN }) => activationMs)), {
    untilAllReadyS: seconds(median(ours.map(({ readyMs = Number.NaN }) => readyMs))),
    stepsOfAHostMs: medians(ours, rounded),
  });
}

function medians(rounds: readonly Round[], shown: (ms: number) => number): string {
  const steps = Object.keys(rounds[0]?.stepsMs ?? {});
  const all = steps.map((step) => [step, median(rounds.map(({ stepsMs }) => stepsMs[step] ?? Number.NaN))] as const);
  return all.map(([step, ms]) => `${step} ${shown(ms)}`).join(", ");
}

function seconds(ms: number): number {
  return rounded(ms / 1_000);
}
