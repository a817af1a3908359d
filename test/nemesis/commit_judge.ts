import { countedFailures, outOfService, type Gate } from "../../src/core/gate.ts";
import type { HostStatus } from "../../src/schema/znodes.ts";
import { Allowances } from "../sim/checker/allowance.ts";
import { DeployRules } from "../sim/checker/deploy_rules.ts";
import { GateRules } from "../sim/checker/gate_rules.ts";
import { Ledger } from "../sim/checker/ledger.ts";
import { TreeView, type NodeChange } from "../sim/checker/tree_view.ts";
import { WishOrder } from "../sim/checker/wish_order.ts";
import type { LoggedTransaction } from "./transaction_log.ts";

/**
 * Holds every transaction that the servers have logged to the rules that a rehearsal is held to (test/sim/checker). What a
 * host does on itself is in no log: that is for who asks its service.
 */
export class CommitJudge {
  readonly tree: TreeView;
  readonly ledger: Ledger;
  /** By host, when it was first known to have a build prepared. */
  readonly prepared = new Map<string, Map<string, number>>();
  readonly #gates: GateRules;
  readonly #deploys: DeployRules;
  readonly #allowances: Allowances;
  readonly #wishes: WishOrder;
  readonly #hostOfSession = new Map<bigint, string>();
  readonly #ephemerals = new Map<string, bigint>();
  #nowMs = 0;

  constructor(service: string, chroot: string) {
    this.tree = new TreeView(service, chroot);
    this.ledger = new Ledger(() => this.#nowMs);
    this.#allowances = new Allowances(this.tree);
    this.#gates = new GateRules(this.tree, new Map(), this.ledger, this.#allowances);
    this.#deploys = new DeployRules(this.tree, new Map(), this.ledger, this.#allowances);
    this.#wishes = new WishOrder(this.tree, this.ledger);
  }

  /** @param tell of what it has changed about slots, failures and deploys */
  committed(transaction: LoggedTransaction, tell: (text: string, atMs: number) => void): void {
    const { tree } = this;
    this.#nowMs = transaction.atMs;
    const changes = this.#changesOf(transaction);
    if (changes.length === 0) return;
    const { gate } = tree;
    const statuses = new Map(tree.statuses);
    const states = new Map([...tree.deploys.values()].map(({ id, record }) => [id, record.state]));
    for (const change of changes) {
      const agent = this.#agentIn(change);
      if (agent !== null) tell(`agents/${agent} ${change.data === null ? "gone" : "there"}`, transaction.atMs);
      tree.apply(change);
    }
    for (const change of changes) {
      const agent = this.#agentIn(change);
      // Whoever conducts makes the node of a missing agent and takes it away in one, to prove that it is missing.
      if (agent !== null && tree.alive.has(agent)) this.#hostOfSession.set(transaction.sessionId, agent);
    }
    const author = this.#hostOfSession.get(transaction.sessionId) ?? null;
    if (gate !== tree.gate) {
      const isThroughGate = changes.some(({ path }) => path === tree.gatePath);
      this.#gates.moved({ before: gate, author, isThroughGate });
      for (const text of differences(gate, tree.gate)) tell(`${author ?? "somebody"}: ${text}`, transaction.atMs);
    }
    for (const deploy of tree.deploys.values()) {
      const state = states.get(deploy.id);
      if (state === deploy.record.state) continue;
      tell(`${deploy.id} of ${deploy.record.build} is ${deploy.record.state}`, transaction.atMs);
      this.#deploys.became(deploy);
    }
    this.#wishes.follow(transaction.atMs);
    for (const [host, status] of tree.statuses) {
      const before = statuses.get(host);
      if (status === before) continue;
      if (author !== null && author !== host) this.ledger.broken("one-writer", `${author} wrote the status of ${host}`);
      this.#said(host, before, status);
      tell(`${host} says ${saidIn(status)}`, transaction.atMs);
    }
    this.#assertKnown();
  }

  #changesOf({ sessionId, changes }: LoggedTransaction): NodeChange[] {
    return changes.flatMap((change): NodeChange[] => {
      switch (change.kind) {
        case "create":
          if (change.isEphemeral) this.#ephemerals.set(change.path, sessionId);
          return [{ path: change.path, data: change.data }];
        case "set":
          return [{ path: change.path, data: change.data }];
        case "delete":
          this.#ephemerals.delete(change.path);
          return [{ path: change.path, data: null }];
        case "close": {
          const paths = [...this.#ephemerals].filter(([, owner]) => owner === sessionId).map(([path]) => path);
          for (const path of paths) this.#ephemerals.delete(path);
          return paths.map((path) => ({ path, data: null }));
        }
      }
    });
  }

  #agentIn({ path }: NodeChange): string | null {
    const agents = `${this.tree.chroot}/agents/`;
    return path.startsWith(agents) ? path.slice(agents.length) : null;
  }

  #said(host: string, before: HostStatus | undefined, status: HostStatus): void {
    const { wish, attempt, step, begun } = status;
    if (wish !== null && attempt > (before?.attempt ?? 0)) {
      this.#wishes.tookUp(host, { number: attempt, deploy: wish.deploy, build: wish.build });
    }
    const builds = this.prepared.get(host) ?? new Map<string, number>();
    this.prepared.set(host, builds);
    if (wish !== null && (begun || step === "ready" || step === "serving") && !builds.has(wish.build))
      builds.set(wish.build, this.#nowMs);
    const isNew = begun && (before?.begun !== true || before.attempt !== attempt);
    if (isNew) this.#begun(host, status);
  }

  /** A host takes its service away. */
  #begun(host: string, { attempt, wish }: HostStatus): void {
    const slot = this.tree.gate.slots.get(host);
    if (slot === undefined) {
      this.ledger.broken(
        "granted",
        `${host} begins attempt ${attempt}, ${wish?.build} of ${wish?.deploy}, without a slot`,
      );
      return;
    }
    if (slot.attempt !== attempt)
      this.ledger.broken("own-grant", `${host} begins attempt ${attempt} by the slot of ${slot.attempt}`);
    const deploy = this.tree.deploys.get(slot.deploy);
    if (deploy === undefined) return;
    const { id, record } = deploy;
    if (record.state === "halted" || record.state === "aborted" || record.state === "paused")
      this.ledger.broken("begun-after-halt", `${host} begins ${slot.build} of ${id}, which is ${record.state}`);
    const failures = countedFailures(this.tree.outBy(id), slot.build, record.round);
    if (failures.length > this.#allowances.budget(id, record))
      this.ledger.broken("budget", `${host} begins ${slot.build} of ${id} after ${failures.join(", ")} failed`);
  }

  /** Dead or alive: who has begun and is not through stands in the books. */
  #assertKnown(): void {
    const { gate } = this.tree;
    for (const [host, { begun, attempt, failure }] of this.tree.statuses) {
      if (!begun || gate.slots.has(host) || gate.failed.has(host) || !this.tree.hosts.has(host)) continue;
      // It says in the same breath that it has failed, and whoever conducts has yet to hear it.
      if (failure?.attempt === attempt) continue;
      this.ledger.broken("forgotten", `${host} has begun attempt ${attempt}, and has neither a slot nor a failure`);
    }
  }
}

function saidIn({ step, build, health, wish, attempt, begun, failure, error }: HostStatus): string {
  const what = `${step} of ${wish?.build ?? "nothing"} (attempt ${attempt}${begun ? ", begun" : ""})`;
  const why = failure === null ? "" : `, ${failure.healthy ? "has failed" : "fails"} on ${failure.build}`;
  return `${what}, serves ${build ?? "nothing"} ${health}${why}${error === null ? "" : `: ${error.code}`}`;
}

function differences(before: Gate, after: Gate): string[] {
  const texts: string[] = [];
  for (const [host, slot] of after.slots)
    if (before.slots.get(host) !== slot) texts.push(`slot of ${slot.deploy} for ${host} (attempt ${slot.attempt})`);
  for (const host of before.slots.keys()) if (!after.slots.has(host)) texts.push(`slot of ${host} gone`);
  for (const [host, failure] of after.failed) {
    if (before.failed.get(host) === failure) continue;
    texts.push(`failure of ${host} on ${failure.build}, ${failure.healthy ? "healthy" : "out"}: ${failure.reason}`);
  }
  for (const host of before.failed.keys()) if (!after.failed.has(host)) texts.push(`failure of ${host} gone`);
  return [`${texts.join("; ")} (${outOfService(after).size} out)`];
}
