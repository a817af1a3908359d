import { readlink } from "node:fs/promises";
import { basename, join } from "node:path";
import { seeded } from "../harness/fleet_random.ts";
import { ask } from "../harness/http.ts";
import { judgeHistory, judgeRun } from "../sim/checker/ending.ts";
import type { Violation } from "../sim/checker/ledger.ts";
import { Chronicle } from "./chronicle.ts";
import { CommitJudge } from "./commit_judge.ts";
import { bootAgain, breakThings } from "./faults.ts";
import { Operator } from "./operators.ts";
import { LIMITS, Scene, SERVICE } from "./scene.ts";
import { buildIn } from "./sites.ts";
import { committedTransactions } from "./transaction_log.ts";
import { Witness } from "./witness.ts";

export interface RunOptions {
  readonly seed: number;
  readonly seconds: number;
  readonly agents: number;
  readonly servers: number;
}

export interface Result {
  readonly violations: readonly Violation[];
  readonly chronicle: Chronicle;
  readonly faults: ReadonlyMap<string, number>;
  readonly facts: Readonly<Record<string, string | number>>;
}

/** How long everybody may take to come to rest when the nemesis has stopped, on a busy machine. */
const REST_MS = 150_000;
/** Between a word of a host and what its service answers. */
const MARGIN_MS = 1_000;

/** One run of a nemesis on a fleet of its own, and what came of it. */
export async function nemesisRun({ seed, seconds, agents, servers }: RunOptions): Promise<Result> {
  const random = seeded(seed);
  const chronicle = new Chronicle();
  await using scene = await Scene.open({ agents, servers, chronicle });
  const { fleet } = scene;
  chronicle.tell(`the fleet serves; seed ${seed}`);
  const operators = ["ada", "bob"].map((name) => new Operator(name, scene, seeded(Math.floor(random() * 2 ** 32))));
  const last = new Operator("eve", scene, random);
  const witness = new Witness(fleet.hosts, (host) => scene.address(host), chronicle);
  const stop = new AbortController();
  const booting = new AbortController();
  const lives = bootAgain(scene, seeded(seed + 1), booting.signal);
  let faults: ReadonlyMap<string, number> = new Map();
  let rested: string | null = null;
  try {
    const acts = [breakThings(scene, seeded(seed + 2), stop.signal), ...operators.map((one) => one.work(stop.signal))];
    const all = Promise.all(acts);
    await Promise.race([Bun.sleep(seconds * 1_000), all]);
    stop.abort();
    const [broken] = await all;
    faults = broken ?? faults;
    chronicle.tell("the nemesis has stopped");
    rested = await comesToRest(scene, last);
  } finally {
    stop.abort();
    booting.abort();
    await lives;
    await witness[Symbol.asyncDispose]();
  }
  const history = await fleet.ctl("history", SERVICE, "--json", "--limit", "1000");
  await scene.ensemble.stop();

  const judge = new CommitJudge(SERVICE, fleet.chroot);
  const transactions = await committedTransactions(scene.ensemble.servers.map(({ directory }) => directory));
  for (const transaction of transactions)
    judge.committed(transaction, (text, atMs) => chronicle.tell(`zk ${text}`, atMs));
  const { ledger } = judge;
  if (rested !== null) ledger.broken("converged", rested);
  for (const run of [...operators, last].flatMap(({ runs }) => runs)) judgeRun(judge, run);
  judgeHistory(judge, { words: ["history"], code: history.code ?? -1, said: history.stdout });
  const most = witness.mostOut();
  if (most.hosts.length > LIMITS.max) {
    chronicle.tell(`out of service are ${most.hosts.join(", ")}`, most.atMs);
    ledger.broken("max-out", `${most.hosts.join(", ")} do not answer, more than ${LIMITS.max}`);
  }
  assertGenuine(judge, witness);
  return {
    violations: ledger.violations,
    chronicle,
    faults,
    facts: {
      transactions: transactions.length,
      deploys: judge.tree.deploysSoFar,
      questions: witness.questions,
      "most out over HTTP": most.hosts.length,
      "holders lost": ledger.edges.get("a holder was lost") ?? 0,
      "halted past the budget": ledger.edges.get("a deploy halted past its budget") ?? 0,
      "last slots granted": ledger.edges.get("the last slot of max granted") ?? 0,
    },
  };
}

/** The last word is an urgent deploy: everybody has to serve it. @returns what is wrong where that does not come */
async function comesToRest(scene: Scene, operator: Operator): Promise<string | null> {
  const endsAt = Date.now() + REST_MS;
  const wanted = scene.good.at(-1) ?? "";
  let wrong = "nobody could be asked";
  let code: number | null = null;
  while (Date.now() < endsAt) {
    if (code !== 0) {
      await operator.run(["builds", "unbar", SERVICE, wanted]);
      code = await operator.run(["deploy", SERVICE, wanted, "--urgent", "--timeout-s", "40"]);
    }
    const answers = await Promise.all(
      scene.fleet.hosts.map(async (host) => {
        const answer = await ask(`http://${scene.address(host)}/`);
        const current = await readlink(join(host.root, "current")).catch(() => "nothing");
        if (basename(current) !== buildIn(answer)) return [host.name, `${answer}, and current is ${current}`] as const;
        return [host.name, buildIn(answer) ?? answer] as const;
      }),
    );
    const others = answers.filter(([, build]) => build !== wanted);
    if (code === 0 && others.length === 0) return null;
    wrong = `the last deploy ended with ${code}; ${others.map(([name, build]) => `${name} serves ${build}`).join(", ")}`;
    await Bun.sleep(500);
  }
  return wrong;
}

/** What a service answers comes from a build that its host has said to have prepared before. */
function assertGenuine({ prepared, ledger }: CommitJudge, { asked }: Witness): void {
  for (const [host, answers] of asked) {
    for (const { answer, answeredMs } of answers) {
      const build = buildIn(answer);
      if (build === null) continue;
      const sinceMs = prepared.get(host)?.get(build) ?? Number.POSITIVE_INFINITY;
      if (sinceMs > answeredMs + MARGIN_MS)
        ledger.broken("genuine", `${host} serves ${build}, and has not said that it has it prepared`);
    }
  }
}
