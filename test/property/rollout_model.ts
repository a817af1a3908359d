import type { ConductedService } from "../../src/core/conducted.ts";
import { moved, paused, resumed, retried, started, turnedRound } from "../../src/core/deploy.ts";
import { buildWanted, goesBack, grantsSlots, isRunning } from "../../src/core/deploy_state.ts";
import { emptyGate, gateAfter, outBy, outOfService, type Gate, type GateMove } from "../../src/core/gate.ts";
import { isOverBudget } from "../../src/core/grants.ts";
import { conduct, type Round } from "../../src/core/rollout.ts";
import { toEverybody } from "../../src/core/stages.ts";
import type { DeployRecord } from "../../src/schema/deploy_record.ts";
import type { HostRecord, HostStatus } from "../../src/schema/znodes.ts";
import { nothingHeldBack, readable } from "../core/conducted_view.ts";
import { hostStatus } from "../harness/host_status.ts";

const now = new Date("2026-01-02T03:04:05.000Z");
const since = now.toISOString();
const LOST_AFTER_MS = 100;
const ana = { who: "ana", why: "", now };

/** A node: what it holds, and how often that was written. */
interface Node<T> {
  readonly value: T;
  readonly version: number;
}
const written = <T>(node: Node<T>, value: T): Node<T> => ({ value, version: node.version + 1 });

/** A host as its journal has it, and what it has said of that so far. */
interface Host {
  isAlive: boolean;
  is: HostStatus;
  said: Node<HostStatus>;
  /** The slot by which it has begun was granted because it was out of service before. */
  wasOut: boolean;
  /** How many times the deploy had been tried again when it took up its wish. */
  again: number;
  /** The attempt of which a person has said that what comes of it is to be disregarded. */
  disregarded: number | null;
}

/** What a conductor has read: the gate first, and the rest later. */
interface Reading {
  readonly gate: Node<Gate>;
  rest: {
    readonly view: Omit<ConductedService, "gate" | "deploys">;
    readonly record: Node<DeployRecord>;
    readonly statusVersions: ReadonlyMap<string, number>;
  } | null;
}

export const hostNames = ["a", "b", "c", "d"] as const;
export type HostName = (typeof hostNames)[number];

/** What a host can come to by itself, where it is in a state in which that can happen. */
export type HostEvent =
  | "take up"
  | "prepare"
  | "fail to prepare"
  | "begin"
  | "serve"
  | "serve ill"
  | "fail"
  | "go back"
  | "go back in vain"
  | "recover"
  | "fall ill"
  | "publish"
  | "die"
  | "return";

/**
 * Hosts, two conductors and a person at one service, as small as they can be: each does one thing at a time, in any
 * order, and each `multi` is refused that rests on something that has changed.
 */
export class RolloutModel {
  readonly hosts = new Map<HostName, Host>();
  gate: Node<Gate> = { value: emptyGate, version: 0 };
  record: Node<DeployRecord>;
  #records: ReadonlyMap<string, HostRecord>;
  #nowMs = 0;
  /** Hosts that a person works on and that were in service until then. */
  readonly #heldFresh = new Set<string>();
  readonly #missingSince = new Map<string, number>();
  readonly #readings: [Reading | null, Reading | null] = [null, null];

  constructor(readonly limits: { readonly max: number; readonly budget: number }) {
    const plan = { build: "v2", previous: "v1", before: null, stages: [...toEverybody], onHalt: "ask" as const };
    this.record = { value: started({ ...plan, limits: { ...limits, soakMs: 0 }, who: "", why: "", now }), version: 0 };
    this.#records = new Map(hostNames.map((name) => [name, { role: "fleet" as const }]));
    for (const name of hostNames) {
      const is = hostStatus({ build: "v1", health: "healthy", step: "serving", since });
      this.hosts.set(name, {
        isAlive: true,
        is,
        said: { value: is, version: 0 },
        wasOut: false,
        again: 0,
        disregarded: null,
      });
    }
  }

  pass(ms: number): void {
    this.#nowMs += ms;
  }

  /** The person turns the deploy round, where it can be. */
  turnRound(): void {
    if (goesBack(this.record.value)) return;
    this.record = written(this.record, turnedRound(this.record.value, ana));
  }

  /** The person stops the deploy, where it can be. */
  pause(): void {
    const { value } = this.record;
    if (isRunning(value) && value.state !== "paused") this.record = written(this.record, paused(value, ana));
  }

  /** The person has it go on, where it stands still. */
  resume(): void {
    const { value } = this.record;
    if (value.state === "paused" || value.state === "halted") this.record = written(this.record, resumed(value, ana));
  }

  /** The person has those that failed try once more. */
  retry(): void {
    this.record = written(this.record, retried(this.record.value, ana));
  }

  /** The person wants to work on the host, or is through with it. */
  hold(name: HostName, isHeld: boolean): void {
    const { hold: _, ...record } = this.#records.get(name) ?? { role: "fleet" as const };
    const hold = { who: "ana", why: "", time: since };
    this.#records = new Map(this.#records).set(name, isHeld ? { ...record, hold } : record);
  }

  /** The person says that a host may be counted on, or is not needed, whatever it is at. */
  unlock(name: HostName): void {
    const held = this.gate.value.slots.get(name) ?? this.gate.value.failed.get(name);
    if (held === undefined) return;
    const unlocked = { deploy: held.deploy, attempt: held.attempt, who: "ana", time: since };
    const record = this.#records.get(name) ?? { role: "fleet" as const };
    this.#records = new Map(this.#records).set(name, { ...record, unlocked });
    this.#host(name).disregarded = held.attempt;
  }

  host(name: HostName, event: HostEvent): void {
    const host = this.#host(name);
    if (host.isAlive !== (event !== "return")) return;
    const { is } = host;
    const to = (changes: Partial<HostStatus>): void => void (host.is = { ...is, ...changes });
    const wished = { build: buildWanted(this.record.value), deploy: "d1" };
    const isAtRest = !is.begun;
    const told = {
      deploy: "d1",
      attempt: is.attempt,
      build: is.wish?.build ?? "",
      again: host.again,
      reason: "it is bad",
      since,
    };
    switch (event) {
      case "die":
        host.isAlive = false;
        return;
      case "return":
        host.isAlive = true;
        return;
      case "publish":
        if (host.is !== host.said.value) host.said = written(host.said, host.is);
        return;
      case "take up": {
        const { again } = this.record.value;
        // Where a person has it tried again since, it is taken up once more, unless it is served.
        const isToTry = is.step !== "serving" && host.again < again;
        if (!isAtRest || (is.wish?.build === wished.build && !isToTry)) return;
        host.again = again;
        const isServed = is.build === wished.build && is.health === "healthy";
        to({ wish: wished, attempt: is.attempt + 1, step: isServed ? "serving" : "fetch" });
        return;
      }
      case "prepare":
        if (is.step === "fetch") to({ step: "ready" });
        return;
      case "fail to prepare":
        if (is.step === "fetch") to({ step: "failed", failure: { ...told, healthy: is.health === "healthy" } });
        return;
      case "begin":
        this.#begin(name, host);
        return;
      case "serve":
      case "serve ill":
        if (isAtRest || is.rollingBack) return;
        to({
          step: "serving",
          begun: false,
          build: is.wish?.build ?? null,
          health: event === "serve" ? "healthy" : "unhealthy",
          failure: null,
        });
        return;
      case "fail":
        if (isAtRest || is.rollingBack) return;
        to({ step: "check", rollingBack: true, health: "unhealthy", failure: { ...told, healthy: false } });
        return;
      case "go back":
      case "go back in vain": {
        if (isAtRest || !is.rollingBack) return;
        const healthy = event === "go back";
        const health = healthy ? "healthy" : "unhealthy";
        to({ step: "failed", begun: false, rollingBack: false, health, failure: { ...told, healthy } });
        return;
      }
      case "recover":
      case "fall ill":
        if (isAtRest) to({ health: event === "recover" ? "healthy" : "unhealthy" });
        return;
    }
  }

  /** As HostSlot.begin does: in one `multi` the slot is there, the record allows it, and the status says so. */
  #begin(name: HostName, host: Host): void {
    const slot = this.gate.value.slots.get(name);
    const { is } = host;
    if (slot === undefined || is.step !== "ready" || slot.attempt !== is.attempt) return;
    if (slot.build !== is.wish?.build || (slot.wasOut === true && is.health === "healthy")) return;
    const { value, version } = this.record;
    if (version !== slot.record && !(grantsSlots(value) && buildWanted(value) === slot.build)) return;
    host.is = { ...is, step: "begun", begun: true, rollingBack: false };
    host.said = written(host.said, host.is);
    host.wasOut = slot.wasOut === true;
  }

  /** A conductor reads the gate. */
  look(conductor: 0 | 1): void {
    this.#readings[conductor] = { gate: this.gate, rest: null };
  }

  /** A conductor that has read the gate reads everything else. */
  read(conductor: 0 | 1): void {
    const reading = this.#readings[conductor];
    if (reading !== null) reading.rest = this.#rest();
  }

  /** A conductor that has read everything decides, and carries it out; whether anything was to be done. */
  act(conductor: 0 | 1): boolean {
    const reading = this.#readings[conductor];
    if (reading === null || reading.rest === null) return false;
    this.#readings[conductor] = null;
    const { view, record, statusVersions } = reading.rest;
    const gate = reading.gate.value;
    const deploy = {
      id: "d1",
      record: record.value,
      recordVersion: record.version,
      writtenAtMs: 0,
      out: outBy(gate, "d1"),
    };
    const round = conduct({ ...view, gate, deploys: [deploy] });
    if (round.moves.length + round.steps.length === 0) return false;
    if (this.#isRefused(round, reading.gate.version, statusVersions)) return true;
    for (const { move } of round.steps) this.record = written(this.record, moved(this.record.value, move, now));
    for (const { kind, host } of round.moves) {
      const said = this.#host(host as HostName).said.value;
      if (kind === "unhold") this.#heldFresh.delete(host);
      if (kind === "hold" && said.health === "healthy" && !outOfService(gate).has(host)) this.#heldFresh.add(host);
    }
    this.gate = written(this.gate, gateAfter(gate, round.moves));
    return true;
  }

  #rest(): NonNullable<Reading["rest"]> {
    const names = [...this.hosts];
    for (const [name, { isAlive }] of names) {
      if (isAlive) this.#missingSince.delete(name);
      else if (!this.#missingSince.has(name)) this.#missingSince.set(name, this.#nowMs);
    }
    return {
      record: this.record,
      statusVersions: new Map(names.map(([name, { said }]) => [name, said.version])),
      view: {
        wishes: { enabled: { build: buildWanted(this.record.value), deploy: "d1" }, canary: null },
        hosts: this.#records,
        status: new Map(names.map(([name, { said }]) => [name, said.value])),
        unreadable: readable,
        limits: { ...this.limits, soakMs: 0 },
        heldBack: nothingHeldBack,
        barred: new Map(),
        builds: new Set(["v1", "v2"]),
        alive: new Set(names.flatMap(([name, { isAlive }]) => (isAlive ? [name] : []))),
        missingSince: new Map(this.#missingSince),
        nowMs: this.#nowMs,
        lostAfterMs: LOST_AFTER_MS,
        serverNowMs: null,
        still: null,
        now,
        leftOut: new Set(),
      },
    };
  }

  /** As the `multi` of a round is checked. */
  #isRefused({ moves, steps }: Round, gateVersion: number, statusVersions: ReadonlyMap<string, number>): boolean {
    if (gateVersion !== this.gate.version) return true;
    if (steps.some(({ deploy }) => deploy.recordVersion !== this.record.version)) return true;
    const version = this.record.version + steps.length;
    return moves.some((move) => {
      const { said, isAlive } = this.#host(move.host as HostName);
      const isChanged = move.kind !== "clear" && statusVersions.get(move.host) !== said.version;
      return isChanged || this.#isNoMore(move, isAlive, version);
    });
  }

  #isNoMore(move: GateMove, isAlive: boolean, recordVersion: number): boolean {
    switch (move.kind) {
      case "grant":
        return !isAlive || move.slot.record !== recordVersion;
      case "lose":
        return isAlive;
      default:
        return false;
    }
  }

  /**
   * The hosts that are at work, or that a person works on, and were in service before, but for those that a person does not
   * count.
   */
  get takenOut(): string[] {
    return [...this.hosts].flatMap(([name, { is, wasOut, disregarded }]) => {
      const isAtWork = is.begun && !wasOut && disregarded !== is.attempt;
      return isAtWork || this.#heldFresh.has(name) ? [name] : [];
    });
  }

  /** The hosts that are at work and hold neither a slot nor a failure for which they count as out of service. */
  get unaccounted(): string[] {
    const { slots, failed } = this.gate.value;
    return [...this.hosts].flatMap(([name, { is, disregarded }]) => {
      const isHeld = slots.get(name)?.attempt === is.attempt || failed.get(name)?.healthy === false;
      return is.begun && disregarded !== is.attempt && !isHeld ? [name] : [];
    });
  }

  /** The hosts that a person works on while they are at work for the deploy. */
  get worked(): string[] {
    return [...this.gate.value.holds.keys()].filter((name) => this.gate.value.slots.has(name));
  }

  get isOverBudget(): boolean {
    const { value: record, version: recordVersion } = this.record;
    const deploy = { id: "d1", record, recordVersion, writtenAtMs: 0, out: outBy(this.gate.value, "d1") };
    return isOverBudget(this.#rest().view, deploy);
  }

  /** Everybody is there, everything that is tried works, and one conductor conducts, until there is nothing to do. */
  settle(): void {
    const order = [
      "return",
      "go back",
      "serve",
      "recover",
      "take up",
      "prepare",
      "publish",
      "begin",
      "publish",
    ] as const;
    for (const name of hostNames) this.hold(name, false);
    if (this.record.value.state === "paused") this.resume();
    for (let rounds = 0; rounds < 40; rounds += 1) {
      for (const name of hostNames) for (const event of order) this.host(name, event);
      this.pass(LOST_AFTER_MS);
      this.look(0);
      this.read(0);
      this.act(0);
    }
    this.look(0);
    this.read(0);
    if (this.act(0)) throw new Error("there is always something to do");
  }

  #host(name: HostName): Host {
    const host = this.hosts.get(name);
    if (host === undefined) throw new Error(`there is no host ${name}`);
    return host;
  }
}
