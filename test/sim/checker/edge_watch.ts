import { layoutOf } from "../../../src/steps/layout.ts";
import type { Fault } from "../fleet/faults.ts";
import type { CtlRun } from "../fleet/operator.ts";
import type { DeathKind } from "../host/life.ts";
import type { HostWatch } from "./host_watch.ts";
import type { Edge, Ledger } from "./ledger.ts";
import type { TreeView } from "./tree_view.ts";

/** What an agent's log says that means an edge was reached. */
const SAID: readonly (readonly [RegExp, Edge])[] = [
  [/^Cannot verify /, "a build refused for its digest"],
  [/no space is left|and \d+ are free|disk is full/, "a full disk in the way"],
  [/^Cannot keep /, "a build failed after it was healthy"],
  [/^a wish written by hand became a deploy/, "a wish written by hand adopted"],
];

/** Sees how near a rehearsal comes to what must not be. It judges nothing. */
export class EdgeWatch {
  readonly #ledger: Ledger;
  readonly #tree: TreeView;
  readonly #watches: ReadonlyMap<string, HostWatch>;
  readonly #conducting = new Set<string>();
  /** Attempts that a newer wish has come upon. */
  readonly #overtaken = new Set<string>();
  /** Hosts whose agent found an activation that its former self had begun. */
  readonly #successors = new Map<string, number>();

  constructor(ledger: Ledger, tree: TreeView, watches: ReadonlyMap<string, HostWatch>) {
    this.#ledger = ledger;
    this.#tree = tree;
    this.#watches = watches;
  }

  logged(host: string, message: string, facts: Record<string, unknown>): void {
    for (const [pattern, edge] of SAID) if (pattern.test(message)) this.#ledger.reached(edge);
    const watch = this.#watches.get(host);
    if (watch === undefined) return;
    switch (message) {
      case "this agent conducts now":
        this.#conducting.add(host);
        if (this.#conducting.size > 1) this.#ledger.reached("two conductors at once");
        break;
      case "this agent conducts no more":
        this.#conducting.delete(host);
        break;
      case "the agent has started":
        this.#started(watch);
        break;
      case "the ZooKeeper session expired; a new one begins":
        if (this.#holdsSlot(host)) this.#ledger.reached("a session expired while a slot was held");
        break;
      case "soak":
        if (this.#successors.get(host) === watch.journal?.activation?.attempt) {
          this.#ledger.reached("a soak begun again by a successor");
        }
        break;
      case "ZooKeeper knows more of this host than its disk, which is new or was put back":
        this.#ledger.reached("a host learnt of its former life");
        if (facts["lost"] !== undefined) this.#ledger.reached("a slot lost with its host's disk");
        break;
      case "fetch":
        if (this.#hasPart(watch, String(facts["build"]))) this.#ledger.reached("a download taken up again");
        break;
      default:
        break;
    }
  }

  died(watch: HostWatch, how: DeathKind): void {
    this.#conducting.delete(watch.name);
    const phase = watch.journal?.activation?.phase;
    const isBegun = phase !== undefined && "restart" in phase && phase.restart.batch.length > 0;
    if (isBegun && watch.lastActMs < watch.journalHeardMs) this.#ledger.reached("a kill between journal and act");
    if (how === "power-cut") this.#successors.delete(watch.name);
  }

  /** What a machine says when it loses its power. */
  happened(text: string): void {
    const lost = /^loses its power: (\d+) changes of names and what was written to (\d+) files/.exec(text);
    if (lost !== null && (lost[1] !== "0" || lost[2] !== "0")) {
      this.#ledger.reached("a power cut lost what was not flushed");
    }
  }

  fault(fault: Fault, host: string | null): void {
    const isActive = host !== null && (this.#watches.get(host)?.journal?.activation ?? null) !== null;
    if (fault === "clock set" && isActive) this.#ledger.reached("a clock set in an activation");
    if (fault === "answer lost") this.#ledger.reached("a lost answer resolved");
  }

  ran({ code, said }: CtlRun): void {
    if (code === 130) this.#ledger.reached("ctl interrupted");
    if (/ZooKeeper is back|goes on/.test(said)) this.#ledger.reached("ctl lived through a lost connection");
  }

  /** After a look at a host; `before` is what its journal said at the last. */
  looked({ name, journal }: HostWatch, before: HostWatch["journal"]): void {
    if (before?.leaving?.phase === "starting" && journal?.leaving === undefined)
      this.#ledger.reached("a host came back");
    const activation = journal?.activation ?? null;
    const was = before?.activation ?? null;
    if (was?.phase.kind === "back" && activation === null && journal?.failed?.healthy === true) {
      this.#ledger.reached("a host took itself back");
    }
    if (activation?.phase.kind === "stuck" && was?.phase.kind !== "stuck") {
      this.#ledger.reached("a host could not go back either");
    }
    if (activation?.phase.kind !== "forward") return;
    const wish = this.#tree.wishOf(name);
    const key = `${name} ${activation.attempt}`;
    if (wish === null || this.#overtaken.has(key)) return;
    if (wish.deploy === activation.deploy && wish.build === activation.build) return;
    this.#overtaken.add(key);
    this.#ledger.reached("a newer wish came in an activation");
  }

  #started({ name, journal }: HostWatch): void {
    const activation = journal?.activation ?? null;
    if (activation === null) this.#successors.delete(name);
    else {
      this.#successors.set(name, activation.attempt);
      this.#ledger.reached("an activation taken up by the agent's successor");
    }
    if ((journal?.traffic?.off.length ?? 0) > 0) {
      this.#ledger.reached("an instance left without traffic given it again");
    }
  }

  #holdsSlot(host: string): boolean {
    return this.#tree.gate.slots.has(host);
  }

  #hasPart({ host, service }: HostWatch, build: string): boolean {
    const size = host.disk.look(layoutOf(service.root).spool(build))?.size ?? 0;
    return size > 0;
  }
}
