import { halted, moved, promoted, started, turnedRound } from "../../src/core/deploy.ts";
import { isRunning, buildWanted } from "../../src/core/deploy_state.ts";
import {
  emptyGate,
  failuresOf,
  outOfService,
  withFailure,
  withHealthy,
  withoutSlot,
  withSlot,
} from "../../src/core/gate.ts";
import { conduct, type RolloutAction } from "../../src/core/rollout.ts";
import { targetFor, type Wishes } from "../../src/core/targets.ts";
import type { DeployRecord } from "../../src/schema/deploy_record.ts";
import type { Gate, HostRecord, HostStatus, HostStep } from "../../src/schema/znodes.ts";

/** What a build does on a host: it comes up, the host takes itself back, it stays sick, or the machine dies of it. */
export type Fate = "good" | "goes back" | "sick" | "dies";

interface DeployNode {
  readonly id: string;
  readonly record: DeployRecord;
  readonly recordVersion: number;
  readonly gate: Gate;
  readonly gateVersion: number;
}

/** Immutable: a conductor that has read it keeps it while the world goes on. */
interface Tree {
  readonly wishes: Wishes;
  readonly deploysVersion: number;
  readonly deploys: ReadonlyMap<string, DeployNode>;
  readonly hosts: ReadonlyMap<string, HostRecord>;
  readonly statuses: ReadonlyMap<string, { status: HostStatus; version: number }>;
  readonly alive: ReadonlySet<string>;
}

interface Host {
  readonly name: string;
  build: string | null;
  attempt: number;
  wish: { build: string; deploy: string } | null;
  phase: "idle" | "preparing" | "ready" | "active" | "serving" | "failed" | "sick";
  /** Out of service in truth, whatever ZooKeeper has heard of it. */
  out: boolean;
  dead: boolean;
}

interface Conductor {
  tree: Tree;
  readonly missingSince: Map<string, number>;
}

const SINCE = "2026-01-01T00:00:00.000Z";
const NOW = new Date(SINCE);
const LOST_AFTER_MS = 100;

/** A fleet, its tree, and two conductors that act on whatever they have read last. Throws when an invariant breaks. */
export class FleetModel {
  tree: Tree = {
    wishes: { enabled: null, canary: null },
    deploysVersion: 0,
    deploys: new Map(),
    hosts: new Map(),
    statuses: new Map(),
    alive: new Set(),
  };
  readonly hosts: Host[] = [];
  readonly conductors: readonly [Conductor, Conductor];
  nowMs = 1_000_000;
  readonly #max: number;
  readonly #budget: number;
  readonly #fate: (build: string, host: string) => Fate;
  readonly #victims = new Map<string, Set<string>>();

  constructor(max: number, budget: number, fate: (build: string, host: string) => Fate) {
    this.#max = max;
    this.#budget = budget;
    this.#fate = fate;
    this.conductors = [
      { tree: this.tree, missingSince: new Map() },
      { tree: this.tree, missingSince: new Map() },
    ];
  }

  join(role: "fleet" | "canary"): void {
    const name = `h${this.hosts.length}`;
    this.hosts.push({ name, build: null, attempt: 0, wish: null, phase: "idle", out: false, dead: false });
    this.#change({
      hosts: new Map([...this.tree.hosts, [name, { role }]]),
      alive: new Set([...this.tree.alive, name]),
    });
  }

  get latest(): DeployNode | undefined {
    return [...this.tree.deploys.values()].at(-1);
  }

  /** False where deployd would refuse it: one deploy at a time. */
  deploy(build: string, stage: "canary" | "fleet"): boolean {
    const { latest } = this;
    if (latest !== undefined && isRunning(latest.record)) return false;
    const id = `d${this.tree.deploys.size}`;
    const record = started({
      build,
      previous: this.tree.wishes.enabled?.build ?? null,
      who: "",
      why: "",
      stages: stage === "canary" ? ["canary", "fleet"] : ["fleet"],
      limits: { max: this.#max, budget: this.#budget, soakMs: 0 },
      now: NOW,
    });
    const node: DeployNode = { id, record, recordVersion: 0, gate: emptyGate, gateVersion: 0 };
    this.#change({
      deploysVersion: this.tree.deploysVersion + 1,
      deploys: new Map([...this.tree.deploys, [id, node]]),
    });
    this.#wish(stage, { build, deploy: id });
    return true;
  }

  promote(): boolean {
    const { latest } = this;
    if (latest === undefined || latest.record.state !== "awaiting promotion") return false;
    this.#setRecord(latest.id, promoted(latest.record, { who: "", why: "", now: NOW }));
    this.#wish("fleet", { build: latest.record.build, deploy: latest.id });
    return true;
  }

  rollBack(): boolean {
    const { latest } = this;
    if (latest === undefined || latest.record.previous === null || latest.record.previous === latest.record.build)
      return false;
    if (latest.record.state === "rolling back" || latest.record.state === "rolled back") return false;
    this.#setRecord(latest.id, turnedRound(latest.record, { who: "", why: "", now: NOW }));
    this.#wish(latest.record.stage, { build: latest.record.previous, deploy: latest.id });
    return true;
  }

  /** One move of one host. @param publishes false where its status reaches ZooKeeper later */
  stepHost(index: number, publishes: boolean): void {
    const host = this.hosts[index % Math.max(1, this.hosts.length)];
    if (host === undefined || host.dead) return;
    const role = this.tree.hosts.get(host.name)?.role ?? "fleet";
    const target = targetFor(role, this.tree.wishes);
    const newer = target.kind === "build" && (target.build !== host.wish?.build || target.deploy !== host.wish.deploy);
    if (newer && host.phase !== "active") {
      host.wish = { build: target.build, deploy: target.deploy };
      host.attempt += 1;
      host.phase = host.build === target.build && !host.out ? "serving" : "preparing";
      if (publishes) this.#publish(host);
      return;
    }
    if (host.wish === null) return;
    switch (host.phase) {
      case "preparing":
        host.phase = "ready";
        break;
      case "ready": {
        const slot = this.tree.deploys.get(host.wish.deploy)?.gate.slots[host.name];
        if (slot?.attempt !== host.attempt) break;
        host.phase = "active";
        host.out = true;
        this.#assertFewOut();
        break;
      }
      case "active":
        return this.#finish(host, host.wish);
      default:
        break;
    }
    if (publishes || host.phase === "ready") this.#publish(host);
  }

  /** A service that serves goes down by itself, or, when it is down, comes back by itself before anybody helped. */
  flap(index: number): void {
    const host = this.hosts[index % Math.max(1, this.hosts.length)];
    if (host === undefined || host.dead || host.wish === null || host.build !== host.wish.build) return;
    if (host.phase === "serving") host.phase = "ready";
    else if (host.phase === "ready") {
      host.phase = "serving";
      host.out = false;
      const gate = this.tree.deploys.get(host.wish.deploy)?.gate ?? emptyGate;
      this.#setGate(host.wish.deploy, withHealthy(withoutSlot(gate, host.name), host.name));
    }
    this.#publish(host);
  }

  kill(index: number): void {
    const host = this.hosts[index % Math.max(1, this.hosts.length)];
    if (host === undefined) return;
    host.dead = true;
    this.#change({ alive: new Set([...this.tree.alive].filter((name) => name !== host.name)) });
  }

  revive(index: number): void {
    const host = this.hosts[index % Math.max(1, this.hosts.length)];
    if (host === undefined || !host.dead) return;
    host.dead = false;
    this.#change({ alive: new Set([...this.tree.alive, host.name]) });
  }

  read(which: number): void {
    const conductor = this.conductors[which % 2 === 0 ? 0 : 1];
    conductor.tree = this.tree;
    for (const name of this.tree.hosts.keys()) {
      if (this.tree.alive.has(name)) conductor.missingSince.delete(name);
      else if (!conductor.missingSince.has(name)) conductor.missingSince.set(name, this.nowMs);
    }
  }

  /** Carries out what follows from what the conductor has read last, however old that is. */
  act(which: number): RolloutAction[] {
    const conductor = this.conductors[which % 2 === 0 ? 0 : 1];
    const { tree } = conductor;
    const actions = conduct({
      wishes: tree.wishes,
      deploys: [...tree.deploys.values()],
      hosts: tree.hosts,
      status: new Map([...tree.statuses].map(([name, { status }]) => [name, status])),
      unreadable: { wishes: false, deploys: new Set(), hosts: new Set(), statuses: new Set() },
      alive: tree.alive,
      missingSince: conductor.missingSince,
      nowMs: this.nowMs,
      lostAfterMs: LOST_AFTER_MS,
    });
    for (const action of actions) this.#carryOut(conductor, action);
    return actions;
  }

  #carryOut(conductor: Conductor, action: RolloutAction): void {
    const read = conductor.tree.deploys.get(action.deploy);
    const now = this.tree.deploys.get(action.deploy);
    if (read === undefined || now === undefined) return;
    switch (action.kind) {
      case "grant": {
        // The multi of grantSlot: every gate, the deploy, the list of deploys, the host's status and its presence.
        const sameGates = [...conductor.tree.deploys.values()].every(
          ({ id, gateVersion }) => this.tree.deploys.get(id)?.gateVersion === gateVersion,
        );
        const sameStatus =
          conductor.tree.statuses.get(action.host)?.version === this.tree.statuses.get(action.host)?.version;
        const same = sameGates && sameStatus && conductor.tree.deploysVersion === this.tree.deploysVersion;
        if (!same || now.recordVersion !== read.recordVersion || !this.tree.alive.has(action.host)) return;
        const gate = withSlot(now.gate, action.host, { attempt: action.attempt, since: SINCE });
        this.#setGate(action.deploy, gate);
        const after = this.tree.deploys.get(action.deploy);
        if (after !== undefined)
          conductor.tree = { ...conductor.tree, deploys: new Map([...conductor.tree.deploys, [after.id, after]]) };
        return;
      }
      case "lose":
        if (now.gate.slots[action.host] !== undefined)
          this.#fail(action.deploy, action.host, buildWanted(now.record), false);
        return;
      case "reclaim":
        if (now.gate.slots[action.host]?.attempt === read.gate.slots[action.host]?.attempt)
          this.#setGate(action.deploy, withoutSlot(now.gate, action.host));
        return;
      case "heal":
        this.#setGate(action.deploy, withHealthy(now.gate, action.host));
        return;
      case "move":
        if (now.recordVersion === read.recordVersion) this.#setRecord(action.deploy, moved(now.record, action, NOW));
        return;
    }
  }

  #finish(host: Host, wish: { build: string; deploy: string }): void {
    const fate = this.#fate(wish.build, host.name);
    if (fate === "good") {
      host.build = wish.build;
      host.out = false;
      host.phase = "serving";
      const gate = this.tree.deploys.get(wish.deploy)?.gate ?? emptyGate;
      this.#setGate(wish.deploy, withHealthy(withoutSlot(gate, host.name), host.name));
      return this.#publish(host);
    }
    const victims = this.#victims.get(wish.deploy + wish.build) ?? new Set();
    this.#victims.set(wish.deploy + wish.build, victims.add(host.name));
    if (victims.size > this.#max + this.#budget) throw new Error(`${wish.build} took ${victims.size} hosts`);
    if (fate === "dies" && !this.#died.has(`${wish.deploy}/${host.name}`)) {
      this.#died.add(`${wish.deploy}/${host.name}`);
      return this.kill(this.hosts.indexOf(host));
    }
    // A host that died and came back goes back as well.
    host.phase = fate === "sick" ? "sick" : "failed";
    host.out = fate === "sick";
    this.#fail(wish.deploy, host.name, wish.build, fate !== "sick");
    this.#publish(host);
  }
  readonly #died = new Set<string>();

  #fail(deploy: string, host: string, build: string, healthy: boolean): void {
    const node = this.tree.deploys.get(deploy);
    if (node === undefined) return;
    const gate = withFailure(node.gate, host, { reason: "", build, healthy, since: SINCE });
    this.#setGate(deploy, gate);
    const counts = isRunning(node.record) && build === buildWanted(node.record);
    if (counts && failuresOf(gate, build).length > node.record.limits.budget)
      this.#setRecord(deploy, halted(node.record, "", NOW));
  }

  #publish(host: Host): void {
    const steps: Record<Host["phase"], HostStep> = {
      idle: "idle",
      preparing: "fetch",
      ready: "ready",
      active: "restart",
      serving: "serving",
      failed: "failed",
      sick: "failed",
    };
    const before = this.tree.statuses.get(host.name);
    const status: HostStatus = {
      build: host.build,
      health: host.phase === "sick" ? "unhealthy" : host.build === null ? "nothing" : "healthy",
      wish: host.wish,
      step: steps[host.phase],
      rollingBack: false,
      attempt: host.attempt,
      since: SINCE,
      error: null,
      log: "",
    };
    if (Bun.deepEquals(before?.status, status)) return;
    const version = (before?.version ?? 0) + 1;
    this.#change({ statuses: new Map([...this.tree.statuses, [host.name, { status, version }]]) });
  }

  #wish(stage: "canary" | "fleet", wish: { build: string; deploy: string }): void {
    const { enabled } = this.tree.wishes;
    this.#change({ wishes: stage === "fleet" ? { enabled: wish, canary: null } : { enabled, canary: wish } });
  }

  #setRecord(id: string, record: DeployRecord): void {
    const node = this.tree.deploys.get(id);
    if (node === undefined) return;
    const next = { ...node, record, recordVersion: node.recordVersion + 1 };
    this.#change({ deploys: new Map([...this.tree.deploys, [id, next]]) });
  }

  #setGate(id: string, gate: Gate): void {
    const node = this.tree.deploys.get(id);
    if (node === undefined || node.gate === gate) return;
    const next = { ...node, gate, gateVersion: node.gateVersion + 1 };
    this.#change({ deploys: new Map([...this.tree.deploys, [id, next]]) });
  }

  #change(changes: Partial<Tree>): void {
    this.tree = { ...this.tree, ...changes };
    this.#assertNobodyForgotten();
  }

  #assertFewOut(): void {
    // A host that never served takes nothing away; of those as well only so many are at work at once.
    const out = this.hosts.filter((host) => host.out && host.build !== null).map(({ name }) => name);
    if (out.length > this.#max) throw new Error(`${out.join(", ")} are out of service, at most ${this.#max} may be`);
    const slots = [...this.tree.deploys.values()].flatMap(({ gate }) => Object.keys(gate.slots));
    if (slots.length > this.#max) throw new Error(`${slots.join(", ")} hold slots, at most ${this.#max} may`);
  }

  /** A host that is out because of a deploy stands in a gate, alive or dead, until it is well. */
  #assertNobodyForgotten(): void {
    const known = new Set([...this.tree.deploys.values()].flatMap(({ gate }) => outOfService(gate)));
    for (const host of this.hosts)
      if (host.out && !known.has(host.name)) throw new Error(`${host.name} is out and no gate knows it`);
  }
}
