import { BY_ITSELF } from "../../../src/core/deploy_state.ts";
import { outOfService, type Gate } from "../../../src/core/gate.ts";
import type { DeathKind } from "../host/life.ts";
import { Allowances } from "./allowance.ts";
import type { Fault } from "../fleet/faults.ts";
import type { Fleet } from "../fleet/fleet.ts";
import { DeployRules } from "./deploy_rules.ts";
import { BeginRules } from "./begin_rules.ts";
import { EdgeWatch } from "./edge_watch.ts";
import { notServing } from "./ending.ts";
import { GateRules } from "./gate_rules.ts";
import { HoldRules } from "./hold_rules.ts";
import { HostWatch } from "./host_watch.ts";
import { Ledger } from "./ledger.ts";
import type { DeployEntry, NodeChange, TreeView } from "./tree_view.ts";
import { NoticeRules } from "./notice_rules.ts";
import { WishOrder } from "./wish_order.ts";

/** A transaction that the ensemble has committed. */
export interface Commit {
  readonly sessionId: bigint;
  readonly changes: readonly NodeChange[];
}

/** How often all hosts are looked at, whatever has happened: a service falls ill without anybody doing anything. */
const LOOK_MS = 250;
/** In quiet times a wish is taken up within this; the periodic reading that a lost watch leaves is every 30 s. */
const PROMPT_MS = 12_000;
const QUIET_MS = 45_000;
/** In quiet times a slot is gone so long after its host has said that it serves; a conductor may have to be elected. */
const RELEASED_MS = 30_000;
/** The agent has measured it from a moment before. */
const SOAK_SLACK_MS = 300;
const FORESEEN_BY_NOBODY =
  /TypeError|RangeError|is not a function|undefined is not|This is a (?:mistake in|defect of) deployd/;

/** Holds a whole fleet to what must be so, at every instant. */
export class Checker {
  readonly ledger: Ledger;
  readonly tree: TreeView;
  readonly watches = new Map<string, HostWatch>();
  readonly wishes: WishOrder;
  readonly edges: EdgeWatch;
  readonly notices: NoticeRules;
  /** When the last fault was; infinity while there may be more. */
  lastFaultMs = 0;
  /** Deploys between their first grant and the last release, and what has befallen them there. */
  readonly #spans = new Map<string, { faults: number; isOpen: boolean }>();
  kills = 0;
  /** When a record could not be read the last time. */
  #damagedMs = Number.NEGATIVE_INFINITY;
  readonly #fleet: Fleet;
  readonly #allowances: Allowances;
  readonly #gates: GateRules;
  readonly #deploys: DeployRules;
  readonly #holds: HoldRules;
  readonly #begins: BeginRules;
  readonly #touched = new Set<HostWatch>();
  /** Since when a slot has been held by a host that says that it serves. */
  readonly #through = new Map<string, number>();
  readonly #hostOfSession = new Map<bigint, string>();

  constructor(fleet: Fleet) {
    this.#fleet = fleet;
    this.tree = fleet.tree;
    this.ledger = new Ledger(() => fleet.time.nowMs);
    this.#allowances = new Allowances(this.tree);
    this.#gates = new GateRules(this.tree, this.watches, this.ledger, this.#allowances);
    this.#deploys = new DeployRules(this.tree, this.watches, this.ledger, this.#allowances);
    this.#holds = new HoldRules(this.tree, this.watches, this.ledger);
    this.#begins = new BeginRules(this.tree, this.ledger, this.#allowances);
    this.wishes = new WishOrder(this.tree, this.ledger);
    this.edges = new EdgeWatch(this.ledger, this.tree, this.watches);
    this.notices = new NoticeRules(this.tree, this.ledger, () => fleet.time.nowMs);
    fleet.listener.onReceived = (reception) => this.notices.received(reception);
    fleet.ensemble.onCommit(({ request, changes }) => {
      const sessionId = request.kind === "write" ? request.sessionId : 0n;
      this.committed({ sessionId, changes: changes.map(({ path }) => ({ path, data: this.#dataAt(path) })) });
    });
    for (const host of fleet.hosts)
      this.#watch(new HostWatch(host, fleet.service, this.ledger, () => fleet.time.nowMs));
    fleet.onLog = (host, message, facts) => this.#logged(host, message, facts);
    fleet.onDeath = (host, how) => this.died(host, how);
    fleet.onEvent = (text) => this.edges.happened(text);
    this.#lookAgain();
  }

  /** After each thing that has happened. */
  afterEvent(): void {
    if (this.#touched.size === 0) return;
    for (const watch of this.#touched) this.#look(watch);
    this.#touched.clear();
    this.#assertMaxOut();
  }

  committed({ sessionId, changes }: Commit): void {
    const { gate } = this.tree;
    const states = new Map<string, string>();
    for (const { id, record } of this.tree.deploys.values()) states.set(id, record.state);
    const begun: string[] = [];
    for (const change of changes) {
      const host = this.tree.hostOfStatus(change.path);
      if (host !== null && this.tree.statuses.get(host)?.begun !== true) begun.push(host);
      if (change.path.startsWith(`${this.tree.chroot}/agents/`) && change.data !== null) {
        this.#hostOfSession.set(sessionId, change.path.slice(this.tree.chroot.length + "/agents/".length));
      }
      this.tree.apply(change);
    }
    this.notices.committed(changes);
    const author = this.#hostOfSession.get(sessionId) ?? null;
    if (gate !== this.tree.gate) {
      for (const deploy of this.tree.deploys.values()) this.#followSpan(deploy);
      const isThroughGate = changes.some(({ path }) => path === this.tree.gatePath);
      this.#gates.moved({ before: gate, author, isThroughGate });
      this.#excuse(gate);
      this.#holds.moved({ before: gate, isThroughGate });
    }
    for (const deploy of this.tree.deploys.values()) {
      const state = states.get(deploy.id);
      // One that is new in any other state than the first was put there by somebody's hand.
      const isNew = state === undefined && deploy.record.state === "preparing";
      if (isNew || (state !== undefined && state !== deploy.record.state)) this.#deploys.became(deploy);
      if (state !== undefined && state !== "rolling back" && deploy.record.state === "rolling back")
        if (deploy.record.rollback.who === BY_ITSELF) this.ledger.reached("a deploy that halted went back by itself");
    }
    for (const host of begun) this.#letBegin(host);
    this.#assertStatuses(changes, author);
    this.wishes.follow(this.#fleet.time.nowMs);
    const { enabled, hosts } = this.tree;
    const isLeft = (host: string): boolean => this.tree.wishOf(host)?.deploy !== enabled?.deploy;
    if (enabled?.reach !== undefined && [...hosts].some(([host, { role }]) => role === "fleet" && isLeft(host)))
      this.ledger.reached("a host that no stage had reached");
  }

  fault(fault: Fault, host: string | null): void {
    this.edges.fault(fault, host);
    this.lastFaultMs = this.#fleet.time.nowMs;
    if (fault === "host re-imaged") this.watches.get(host ?? "")?.replaced();
    if (fault.includes("killed") || fault.startsWith("power")) this.kills += 1;
    for (const span of this.#spans.values()) if (span.isOpen) span.faults += 1;
  }

  /** Something begins or ends that hosts may have felt. */
  disturbed(): void {
    this.lastFaultMs = this.#fleet.time.nowMs;
  }

  get faultsInDeploys(): number {
    return [...this.#spans.values()].reduce((sum, { faults }) => sum + faults, 0);
  }

  get deploysWithGrants(): number {
    return this.#spans.size;
  }

  /** Everybody serves the wish, and nobody holds anything. */
  isAtRest(): boolean {
    const { slots, holds } = this.tree.gate;
    if (slots.size > 0 || holds.size > 0 || this.notices.untold().length > 0) return false;
    return [...this.watches.keys()].every((host) => notServing(this, host).length === 0);
  }

  /** From the first slot to the last. */
  #followSpan({ id }: DeployEntry): void {
    const held = Object.keys(this.tree.outBy(id).slots).length > 0;
    const span = this.#spans.get(id);
    if (span !== undefined) span.isOpen = held;
    else if (held) this.#spans.set(id, { faults: 0, isOpen: true });
  }

  /** A person has said of these hosts that nobody need wait for them. */
  #excuse(before: Gate): void {
    const still = outOfService(this.tree.gate);
    for (const host of outOfService(before)) {
      if (still.has(host)) continue;
      const of = before.slots.get(host) ?? before.failed.get(host);
      const unlocked = this.tree.hosts.get(host)?.unlocked;
      const isMeant = unlocked !== undefined && unlocked.deploy === of?.deploy && unlocked.attempt === of.attempt;
      if (isMeant || !this.tree.hosts.has(host)) this.watches.get(host)?.excuse();
    }
  }

  #dataAt(path: string): string | null {
    const found = this.#fleet.ensemble.read(path);
    return found === undefined ? null : new TextDecoder().decode(found.data);
  }

  #watch(watch: HostWatch): void {
    this.watches.set(watch.name, watch);
    const touch = (): void => void this.#touched.add(watch);
    watch.host.onEffect = (effect) => {
      watch.before(effect);
      touch();
    };
    watch.host.onChange = touch;
  }

  #lookAgain(): void {
    this.#fleet.time.after(LOOK_MS, () => {
      for (const watch of this.watches.values()) this.#touched.add(watch);
      this.#assertPrompt();
      this.#assertReleased();
      this.#lookAgain();
    });
  }

  #look(watch: HostWatch): void {
    const before = watch.journal;
    const { attempt, activation } = before ?? { attempt: null, activation: null };
    const { phaseHeardMs } = watch;
    watch.look();
    const now = watch.journal;
    if (now === null) return;
    if (now !== before) this.edges.looked(watch, before);
    if (now.attempt !== null && now.attempt.number !== attempt?.number) this.wishes.tookUp(watch.name, now.attempt);
    if (now.leaving?.phase === "stopping" && before?.leaving === undefined) this.#holds.leaves(watch);
    if (now.activation !== null && activation === null) this.#begun(watch);
    if (now.activation?.phase.kind === "back" && activation?.phase.kind === "forward")
      this.#begins.turnedBack(watch, now.activation);
    if (now.activation?.phase.kind === "proven" && activation?.phase.kind === "forward")
      this.#proven(watch, watch.phaseHeardMs - phaseHeardMs);
  }

  /** Its status may say from now on that it has begun. It does so before its journal does, where it asks ZooKeeper. */
  #letBegin(host: string): void {
    const { begun, leaving, wish } = this.tree.statuses.get(host) ?? {};
    // By a person's word, and not for a deploy.
    if (leaving !== undefined) return;
    const isAsked = (this.watches.get(host)?.journal?.activation ?? null) === null;
    if (begun === true && isAsked && wish !== null && wish !== undefined) this.#begins.allowed(host, wish);
  }

  #begun(watch: HostWatch): void {
    const { name, journal } = watch;
    const activation = journal?.activation ?? null;
    if (activation === null) return;
    this.#begins.begun(watch, activation);
    const deploy = this.tree.deploys.get(activation.deploy);
    if (deploy === undefined) return;
    const slot = this.tree.gate.slots.get(name);
    if (slot !== undefined && slot.deploy === deploy.id && slot.attempt !== activation.attempt) {
      this.ledger.broken("own-grant", `${name} begins attempt ${activation.attempt} by the slot of ${slot.attempt}`);
    }
    const said = this.tree.statuses.get(name);
    // ZooKeeper has let it begin, and was right or wrong then.
    if (said?.begun !== true || said.attempt !== activation.attempt) this.#begins.allowed(name, activation);
  }

  #assertMaxOut(): void {
    const out = [...this.watches.values()].filter(
      ({ outage, name }) => (outage?.deploy ?? null) !== null && this.tree.hosts.has(name),
    );
    if (out.length === 0) return;
    this.#begins.out(out);
    const limits = out.map(({ outage }) => {
      const deploy = this.tree.deploys.get(outage?.deploy ?? "");
      return deploy === undefined ? 0 : this.#allowances.max(deploy.id, deploy.record);
    });
    const max = Math.max(...limits);
    if (out.length === max) this.ledger.reached("exactly max out of service");
    if (out.length <= max) return;
    this.ledger.broken("max-out", `${out.map(({ name }) => name).join(", ")} are out of service, more than ${max}`);
  }

  /** Its host says that a build is proven: the service must have run through its soak. */
  #proven({ name, journal }: HostWatch, soakedMs: number): void {
    const activation = journal?.activation ?? null;
    const wish = this.tree.wishOf(name);
    // A newer wish cuts the soak short.
    if (activation === null || wish?.deploy !== activation.deploy || wish.build !== activation.build) return;
    const soakMs = this.tree.deploys.get(activation.deploy)?.record.limits.soakMs ?? 0;
    // What its journal was told of its activation before was that it had passed its check.
    if (soakedMs + SOAK_SLACK_MS >= soakMs) return;
    this.ledger.broken(
      "soak",
      `${name} calls ${activation.build} proven after ${Math.round(soakedMs)} ms of ${soakMs} ms`,
    );
  }

  /** Only the host itself says how it is, and it says of no activation both that it is under way and that it is through. */
  #assertStatuses(changes: readonly NodeChange[], author: string | null): void {
    for (const { path, data } of changes) {
      const host = this.tree.hostOfStatus(path);
      if (host === null || author === null || data === null || data === "") continue;
      if (host !== author) this.ledger.broken("one-writer", `${author} wrote the status of ${host}`);
      const { step, begun, build } = this.tree.statuses.get(host) ?? {};
      if (step === "serving" && begun === true)
        this.ledger.broken("said-served", `${host} says that it serves ${build}, and that it may still be at work`);
    }
  }

  /** In quiet times whoever says that it serves has its slot taken from it at once. */
  #assertReleased(): void {
    const { nowMs } = this.#fleet.time;
    // What cannot be read cannot be given back, and is given back a little later.
    if (this.tree.damaged.size > 0) this.#damagedMs = nowMs;
    const isQuiet = nowMs - Math.max(this.lastFaultMs, this.#damagedMs) >= QUIET_MS;
    for (const [host, slot] of this.tree.gate.slots) {
      const status = this.tree.statuses.get(host);
      const isThrough = status?.step === "serving" && status.attempt === slot.attempt && !status.begun;
      const key = `${host} ${slot.attempt}`;
      if (!isThrough || !isQuiet || this.tree.alive.size === 0) this.#through.delete(key);
      else if (!this.#through.has(key)) this.#through.set(key, nowMs);
      else if (nowMs - (this.#through.get(key) ?? nowMs) > RELEASED_MS) {
        this.ledger.broken("slot-while-serving", `${host} serves ${status.build} and holds a slot of ${slot.deploy}`);
      }
    }
  }

  #assertPrompt(): void {
    const { nowMs } = this.#fleet.time;
    if (nowMs - this.lastFaultMs < QUIET_MS) return;
    for (const { name, host, journal } of this.watches.values()) {
      const wished = this.wishes.newest(name);
      if (wished === null || host.life === null || journal === null || !this.tree.alive.has(name)) continue;
      if (nowMs - host.life.sinceMs < QUIET_MS) continue;
      if (nowMs - Math.max(wished.sinceMs, this.lastFaultMs + QUIET_MS) < PROMPT_MS) continue;
      if (journal.activation !== null || journal.attempt?.deploy === wished.deploy) continue;
      const what = `has not taken up ${wished.build} of ${wished.deploy}, wished for ${Math.round(nowMs - wished.sinceMs)} ms`;
      this.ledger.broken("prompt", `${name} ${what}`);
    }
  }

  #logged(host: string, message: string, facts: Record<string, unknown>): void {
    this.edges.logged(host, message, facts);
    const said = `${message} ${typeof facts["error"] === "string" ? facts["error"] : ""}`;
    if (FORESEEN_BY_NOBODY.test(said)) this.ledger.broken("no-mistake", `${host}: ${said}`);
  }

  /** An agent is gone, and what it thought of itself with it. */
  died(host: string, how: DeathKind): void {
    const watch = this.watches.get(host);
    if (watch === undefined) return;
    this.edges.died(watch, how);
    watch.lostPower();
    if (how === "power-cut") this.wishes.lostPower(host);
    this.#touched.add(watch);
  }
}
