import { isRunning } from "../../../src/core/deploy_state.ts";
import type { CtlRun } from "../fleet/operator.ts";
import { currentFact } from "../host/facts.ts";
import type { Checker } from "./checker.ts";
import { judgeShown, type Shown } from "./shown.ts";
import { judgeTimelines } from "./timeline_rules.ts";
import type { DeployEntry } from "./tree_view.ts";

/** What must be so when faults have ceased and everything has come to rest. */
export function judgeEnding(
  checker: Checker,
  runs: readonly CtlRun[],
  { history, shown }: { readonly history: CtlRun | null; readonly shown: Shown | null },
): void {
  for (const watch of checker.watches.values()) judgeHost(checker, watch.name);
  for (const deploy of checker.tree.deploys.values()) judgeDeploy(checker, deploy);
  for (const event of checker.notices.untold()) checker.ledger.broken("told", `nobody was told of ${event}`);
  judgeTimelines(checker);
  judgeHistory(checker, history);
  if (shown !== null) judgeShown(checker, shown);
  for (const run of runs) judgeRun(checker, run);
}

/** What keeps a host from serving what it should, in words; empty when nothing does. */
export function notServing({ tree, watches }: Pick<Checker, "tree" | "watches">, host: string): string[] {
  const watch = watches.get(host);
  const wish = tree.wishOf(host);
  if (watch === undefined || wish === null || !tree.hosts.has(host)) return [];
  const wrong: string[] = [];
  const current = currentFact(watch.host, watch.service);
  if (current.kind !== "release" || current.build !== wish.build) wrong.push(`current is ${JSON.stringify(current)}`);
  for (const { instance, serves, hasTraffic } of watch.facts) {
    if (serves === null) wrong.push(`instance ${instance} is down`);
    else if (serves.build !== wish.build) wrong.push(`instance ${instance} runs ${serves.build}`);
    else if (!serves.isWell) wrong.push(`instance ${instance} is ill`);
    if (!hasTraffic) wrong.push(`instance ${instance} has no traffic`);
  }
  const status = tree.statuses.get(host);
  if (status?.step !== "serving" || status.build !== wish.build || status.health !== "healthy") {
    const error = `: ${status?.error?.message ?? "no error"}`;
    wrong.push(`it says ${status?.step} ${status?.build} ${status?.health}${error}`);
  }
  if ((watch.journal?.activation ?? null) !== null) wrong.push("its activation is not over");
  return wrong;
}

/** Where everybody stands, for whoever asks why it does not end. */
export function whatIsLeft(checker: Checker): string {
  const { tree, watches } = checker;
  const newest = tree.newest();
  const slots = [...tree.gate.slots].map(([host, { deploy }]) => `${host} holds a slot of ${deploy}`);
  const failed = [...tree.gate.failed].flatMap(([host, { healthy, deploy }]) =>
    healthy ? [] : [`${host} has failed under ${deploy}`],
  );
  const hosts = [...watches.keys()].flatMap((host) => {
    const wrong = notServing(checker, host);
    return wrong.length === 0 ? [] : [`${host}: ${wrong.join("; ")}`];
  });
  return [`${newest?.id} is ${newest?.record.state}`, ...slots, ...failed, ...hosts].join(". ");
}

function judgeHost(checker: Checker, host: string): void {
  const wrong = notServing(checker, host);
  const build = checker.tree.wishOf(host)?.build;
  if (wrong.length > 0) checker.ledger.broken("converged", `${host} is wished ${build}, but ${wrong.join("; ")}`);
}

function judgeDeploy({ ledger, tree }: Checker, { id, record, states }: DeployEntry): void {
  if (isRunning(record) && record.state !== "awaiting promotion")
    ledger.broken("final-state", `${id} is still ${record.state}`);
  const slots = Object.keys(tree.outBy(id).slots).filter((host) => tree.hosts.has(host));
  if (slots.length > 0)
    ledger.broken("final-state", `${slots.join(", ")} hold slots of ${id}, which is ${record.state}`);
  // A person may take back a deploy that has ended, also where it had gone back already in part, and may let one that has
  // halted go on; nothing else follows.
  const isEnd = (state: string): boolean => ["done", "rolled back", "aborted"].includes(state);
  if (states.some((state, at) => at > 0 && isEnd(states[at - 1] ?? "") && state !== "rolling back")) {
    ledger.broken("final-state", `${id} went on after its end: ${states.join(", ")}`);
  }
}

/** @param history what `history --json` said at the end */
export function judgeHistory({ ledger, tree }: Pick<Checker, "ledger" | "tree">, history: CtlRun | null): void {
  if (history === null) return;
  let listed: { id: string; state: string }[];
  try {
    const document = JSON.parse(history.said) as { deploys: { id: string; state: string }[] };
    listed = document.deploys;
  } catch {
    ledger.broken("history", `it cannot be read: ${history.said.slice(0, 200)}`);
    return;
  }
  for (const { id, record } of tree.deploys.values()) {
    const entries = listed.filter((entry) => entry.id === id);
    if (entries.length !== 1) ledger.broken("history", `${id} has ${entries.length} entries`);
    else if (entries[0]?.state !== record.state)
      ledger.broken("history", `${id} is ${record.state}, not ${entries[0]?.state}`);
  }
}

/** What an exit code says of the deploy that the command followed. Null for one that says nothing of it. */
function saidBy(code: number, verb: string): readonly string[] | null {
  switch (code) {
    case 0:
      return verb === "rollback" ? ["rolled back"] : ["done", "awaiting promotion"];
    case 2:
      return ["rolled back"];
    case 3:
      return ["halted", "paused"];
    default:
      return null;
  }
}

/** Whether what a command of an operator said and ended with was so. */
export function judgeRun({ tree, ledger }: Pick<Checker, "ledger" | "tree">, { words, code, said }: CtlRun): void {
  const [verb] = words;
  if (verb !== "deploy" && verb !== "wait" && verb !== "promote" && verb !== "rollback") return;
  const wanted = saidBy(code, verb);
  const id = /\b(\d{8}-\d{6}-[0-9a-f]{4})\b/.exec(said)?.[1];
  if (
    code === 1 &&
    !/\b(?:aborted|overtaken|came after|has come after|conflict|changed it|answer was lost|nothing|is not known|by hand|cannot promote)/i.test(
      said,
    )
  ) {
    ledger.broken("exit-code", `${words.join(" ")} ended with 1: ${said.slice(-300)}`);
  }
  if (wanted === null || id === undefined || words.includes("--detach")) return;
  const deploy = tree.deploys.get(id);
  if (deploy === undefined || deploy.states.some((state) => wanted.includes(state))) return;
  // With nothing to go back to, whoever asks for the way back ends the deploy.
  const { previous, build } = deploy.record;
  const isNowhere = previous === null || previous === build;
  if (verb === "rollback" && code === 0 && isNowhere && deploy.states.includes("aborted")) return;
  ledger.broken("exit-code", `${words.join(" ")} ended with ${code}, but ${id} was ${deploy.states.join(", ")}`);
}
