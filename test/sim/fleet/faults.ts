import type { Chance } from "../chance.ts";
import type { Death } from "../host/life.ts";
import type { SimHost } from "../host/sim_host.ts";
import type { Fleet } from "./fleet.ts";

/** What can go wrong in the world of a rehearsal. */
const FAULTS = [
  "agent killed",
  "agent killed at an effect",
  "agent told to end",
  "agent frozen",
  "power cut",
  "power cut at an effect",
  "link cut",
  "link torn within a frame",
  "link black-holed",
  "link half open",
  "link slow",
  "host cut off",
  "answer lost",
  "server crashed",
  "server frozen",
  "server lags",
  "leader changed",
  "disk full",
  "disk slow",
  "disk gives damaged bytes",
  "front broken",
  "clients cling",
  "clock set",
  "artefacts away",
  "artefacts cut",
  "artefacts lie",
  "service killed",
] as const;

/** As often as the plan says: a machine is not replaced as often as a link breaks. */
const REIMAGED = "host re-imaged";
const REIMAGED_EVERY_MS = 90_000;

export type Fault = (typeof FAULTS)[number] | typeof REIMAGED;

/** How often each fault happens against the others; a seed leaves some out altogether. */
const WEIGHTS: Readonly<Record<(typeof FAULTS)[number], number>> = {
  "agent killed": 3,
  "agent killed at an effect": 6,
  "agent told to end": 1,
  "agent frozen": 3,
  "power cut": 1,
  "power cut at an effect": 3,
  "link cut": 3,
  "link torn within a frame": 3,
  "link black-holed": 2,
  "link half open": 2,
  "link slow": 2,
  "host cut off": 2,
  "answer lost": 4,
  "server crashed": 2,
  "server frozen": 2,
  "server lags": 2,
  "leader changed": 2,
  "disk full": 1,
  "disk slow": 2,
  "disk gives damaged bytes": 1,
  "front broken": 1,
  "clients cling": 1,
  "clock set": 2,
  "artefacts away": 1,
  "artefacts cut": 2,
  "artefacts lie": 2,
  "service killed": 1,
};

const LEFT_OUT = 0.25;
/** An agent that is to die at an effect dies at one of its next so many. */
const EFFECTS_AHEAD = 70;

/** Makes things go wrong, at times and in ways that follow from the seed. */
export class Weather {
  readonly counts = new Map<Fault, number>();
  /** Told of each fault. */
  onFault: (fault: Fault, host: string | null) => void = () => {};
  /** Told when somebody dies in the middle of a write. */
  onTorn: () => void = () => {};
  readonly #fleet: Fleet;
  readonly #chance: Chance;
  /** Of the machines that are replaced. */
  readonly #images: Chance;
  readonly #choices: readonly (typeof FAULTS)[number][];
  #lasts = false;
  /** What puts things right again, of the faults that last. */
  readonly #remedies = new Set<() => void>();

  constructor(fleet: Fleet) {
    this.#fleet = fleet;
    this.#chance = fleet.chance.fork("weather");
    this.#images = this.#chance.fork("images");
    const kept = FAULTS.filter(() => !this.#chance.happens(LEFT_OUT));
    const some = kept.length === 0 ? FAULTS : kept;
    this.#choices = some.flatMap((fault) => Array.from({ length: WEIGHTS[fault] }, () => fault));
  }

  get total(): number {
    return [...this.counts.values()].reduce((sum, count) => sum + count, 0);
  }

  begin(): void {
    if (this.#lasts || this.#fleet.plan.faultsPerMinute === 0) return;
    this.#lasts = true;
    this.#next();
    this.#reimageLater(this.#fleet.plan.reimages);
  }

  /** No more faults, and those that last are over. */
  end(): void {
    this.#lasts = false;
    for (const remedy of this.#remedies) remedy();
    this.#remedies.clear();
    for (const host of this.#fleet.hosts) host.plan = () => null;
    this.#fleet.network.heal();
    this.#fleet.ensemble.heal();
    this.#fleet.listener.heal();
  }

  #next(): void {
    const meanMs = 60_000 / this.#fleet.plan.faultsPerMinute;
    // Exponential, as of things that happen independently of each other.
    const waitMs = -Math.log(1 - this.#chance.random()) * meanMs;
    this.#fleet.time.after(waitMs, () => {
      if (!this.#lasts) return;
      this.#strike(this.#chance.pick(this.#choices));
      this.#next();
    });
  }

  #reimageLater(left: number): void {
    if (left <= 0) return;
    this.#fleet.time.after(-Math.log(1 - this.#images.random()) * REIMAGED_EVERY_MS, () => {
      if (!this.#lasts) return;
      // Whoever is at work has more to lose.
      const busy = this.#fleet.hosts.filter(({ name }) => this.#fleet.tree.gate.slots.has(name));
      const agent = this.#fleet.agents.get(
        this.#images.pick(busy.length > 0 && this.#images.happens(0.6) ? busy : this.#fleet.hosts).name,
      );
      if (agent?.reimage() === true) this.#happened(REIMAGED, agent.host.name, agent.host.name);
      this.#reimageLater(left - 1);
    });
  }

  #strike(fault: (typeof FAULTS)[number]): void {
    const host = this.#chance.pick(this.#fleet.hosts);
    const what = this.#make(fault, host);
    if (what === null) return;
    this.#happened(fault, what, host.name);
  }

  #happened(fault: Fault, what: string, host: string | null = null): void {
    this.#fleet.story.tell("FAULT", what === "" ? fault : `${fault}: ${what}`);
    this.counts.set(fault, (this.counts.get(fault) ?? 0) + 1);
    this.onFault(fault, host);
  }

  /** Does it. Null where there was nothing to do it to; what happens later says so itself. */
  #make(fault: (typeof FAULTS)[number], host: SimHost): string | null {
    const { network, server, zookeepers, agents } = this.#fleet;
    const chance = this.#chance;
    const { name } = host;
    switch (fault) {
      case "agent killed":
        if (host.life === null) return null;
        host.killAgent();
        return name;
      case "agent told to end":
        if (host.life === null) return null;
        agents.get(name)?.terminate();
        return name;
      case "agent frozen": {
        // Whoever conducts matters most: it may go on long after another has taken over.
        const whom = (chance.happens(0.5) ? this.#fleet.conductor : null) ?? host;
        const { life } = whom;
        if (life === null) return null;
        whom.freezeAgent();
        const forMs = chance.pick([chance.between(100, 3_000), chance.between(3_000, 25_000)]);
        this.#later(forMs, () => (whom.life === life ? whom.thawAgent() : undefined));
        return `${whom.name} for ${forMs} ms`;
      }
      case "agent killed at an effect":
        return this.#planDeath(fault, host, "kill");
      case "power cut at an effect":
        return this.#planDeath(fault, host, "power-cut");
      case "power cut":
        if (!host.isUp) return null;
        host.powerCut();
        return name;
      case "link cut":
      case "link black-holed": {
        const other = chance.pick(zookeepers);
        network.between(name, other, { state: fault === "link cut" ? "cut" : "black-holed" });
        this.#later(chance.between(200, 15_000), () => network.between(name, other, { state: "open" }));
        return `${name} and ${other}`;
      }
      case "link half open": {
        const other = chance.pick(zookeepers);
        const [from, to] = chance.happens(0.5) ? [name, other] : [other, name];
        network.set(from, to, { state: "black-holed" });
        this.#later(chance.between(500, 20_000), () => network.set(from, to, { state: "open" }));
        return `${from} to ${to}`;
      }
      case "link torn within a frame": {
        const other = chance.pick(zookeepers);
        network.set(...(chance.happens(0.5) ? ([name, other] as const) : ([other, name] as const)), { torn: true });
        return `${name} and ${other}`;
      }
      case "link slow": {
        const other = chance.pick(zookeepers);
        network.between(name, other, { latencyMs: chance.between(50, 1_500) });
        this.#later(chance.between(1_000, 30_000), () => network.between(name, other, { latencyMs: 0.3 }));
        return `${name} and ${other}`;
      }
      case "host cut off": {
        const state = chance.pick(["cut", "black-holed"] as const);
        network.partition([[name], zookeepers], state);
        const forMs = chance.pick([chance.between(500, 5_000), chance.between(5_000, 60_000)]);
        this.#later(forMs, () => {
          for (const other of zookeepers) network.between(name, other, { state: "open" });
        });
        return `${name}, ${state} for ${forMs} ms`;
      }
      case "answer lost":
        this.#fleet.loseAnswer(chance.pick([name, name, ...this.#fleet.laptops]), (what) =>
          this.#happened(fault, what),
        );
        return null;
      case "server crashed": {
        const index = chance.between(0, zookeepers.length - 1);
        this.#fleet.ensemble.crash(index, chance.pick(["process", "power"] as const));
        const from = chance.pick(["as it was", "a snapshot"] as const);
        this.#later(chance.between(500, 20_000), () => this.#fleet.ensemble.restart(index, from));
        return `${zookeepers[index]}`;
      }
      case "server frozen": {
        const index = chance.between(0, zookeepers.length - 1);
        this.#fleet.ensemble.freeze(index);
        this.#later(chance.between(500, 15_000), () => this.#fleet.ensemble.thaw(index));
        return `${zookeepers[index]}`;
      }
      case "server lags": {
        const index = chance.between(0, zookeepers.length - 1);
        this.#fleet.ensemble.setLag(index, chance.between(50, 4_000));
        this.#later(chance.between(2_000, 30_000), () => this.#fleet.ensemble.setLag(index, 1));
        return `${zookeepers[index]}`;
      }
      case "leader changed":
        this.#fleet.ensemble.changeLeader();
        return "";
      case "disk full":
        host.disk.full = true;
        this.#later(chance.between(500, 20_000), () => (host.disk.full = false));
        return name;
      case "disk slow":
        host.slowness = chance.between(5, 80);
        this.#later(chance.between(2_000, 30_000), () => (host.slowness = 1));
        return name;
      case "disk gives damaged bytes":
        host.disk.damages = (path) => path.includes("/.staging-") && path.includes("archive");
        this.#later(chance.between(1_000, 10_000), () => (host.disk.damages = () => false));
        return name;
      case "front broken":
        if (this.#fleet.service.traffic === "none") return null;
        host.front.isBroken = true;
        this.#later(chance.between(200, 8_000), () => (host.front.isBroken = false));
        return name;
      case "clients cling":
        if (this.#fleet.service.traffic === "none") return null;
        host.front.clings = 0.3;
        this.#later(chance.between(1_000, 20_000), () => (host.front.clings = 0));
        return name;
      case "clock set": {
        const byMs = chance.pick([-3_600_000, -5_000, 5_000, 3_600_000, 86_400_000]);
        host.wall.offsetMs += byMs;
        return `${name} by ${byMs} ms`;
      }
      case "artefacts away": {
        // Nobody answers, or somebody in between says that nobody does, and when to come back.
        const how = chance.pick(["away", "overloaded"] as const);
        server.faults[how] = true;
        server.faults.retryAfterMs = chance.pick([0, 3_000, 20_000]);
        this.#later(chance.between(1_000, 15_000), () => (server.faults[how] = false));
        return "";
      }
      case "artefacts cut":
        server.faults.cuts = 0.7;
        this.#later(chance.between(2_000, 20_000), () => (server.faults.cuts = 0));
        return "";
      case "artefacts lie":
        server.faults.lies = 0.5;
        this.#later(chance.between(2_000, 20_000), () => (server.faults.lies = 0));
        return "";
      case "service killed": {
        const running = host.processes.ofService(this.#fleet.service.root);
        const victim = running.length === 0 ? undefined : chance.pick(running);
        if (victim === undefined) return null;
        victim.end({ kind: "signalled", signal: "SIGKILL" });
        return `process ${victim.pid} of ${name}`;
      }
    }
  }

  /** At one of its next effects, and counted when it happens. */
  #planDeath(fault: Fault, host: SimHost, how: Death["how"]): null {
    const chance = this.#chance;
    const at = host.effects + chance.between(1, EFFECTS_AHEAD);
    const when = chance.pick(["before", "halfway", "after"] as const);
    const spared = host.plan;
    host.plan = (effect) => {
      if (!this.#lasts || effect.number < at) return spared(effect);
      host.plan = () => null;
      if (when === "halfway" && effect.kind === "write") this.onTorn();
      this.#happened(fault, `${host.name}, ${when} effect ${effect.number}: ${effect.what}`);
      return { how, when };
    };
    return null;
  }

  #later(ms: number, work: () => void): void {
    const remedy = (): void => {
      if (this.#remedies.delete(remedy)) work();
    };
    this.#remedies.add(remedy);
    this.#fleet.time.after(ms, remedy);
  }
}
