import type { Chance } from "./chance.ts";
import { Sockets } from "./sockets.ts";
import type { Accept, Stream } from "./stream.ts";
import type { VirtualTime } from "./time.ts";

/** What one machine may send to another, in this direction alone. */
export interface Link {
  /**
   * `cut`: connections between the two die at once, and new ones are refused. `black-holed`: what is sent vanishes and
   * nobody is told; when the link is open again, a connection may go on where it was or never say anything more.
   */
  state: "open" | "cut" | "black-holed";
  latencyMs: number;
  /** Up to this much more, for each piece anew; the pieces of one connection stay in order. */
  jitterMs: number;
  bytesPerSecond: number;
  /** The next piece is delivered in part, and its connection dies. */
  torn: boolean;
}

/** A machine as the network sees it. */
export interface Machine {
  readonly name: string;
  readonly ip: string;
  on: boolean;
  readonly processes: Set<Sockets>;
  readonly listeners: Map<number, { readonly sockets: Sockets; readonly accept: Accept }>;
  readonly links: Map<Machine, Link>;
}

type Character = Pick<Link, "latencyMs" | "jitterMs" | "bytesPerSecond">;

const lan: Character = { latencyMs: 0.3, jitterMs: 0.4, bytesPerSecond: Infinity };

/** The network between every two machines of a rehearsal. A machine exists as soon as somebody names it. */
export class Network {
  readonly time: VirtualTime;
  readonly chance: Chance;
  readonly streams = new Set<Stream>();
  readonly #usual: Character;
  readonly #machines = new Map<string, Machine>();
  readonly #listeners = new Set<() => void>();

  constructor(time: VirtualTime, chance: Chance, usual: Partial<Character> = {}) {
    this.time = time;
    this.chance = chance;
    this.#usual = { ...lan, ...usual };
  }

  /** The sockets of a new process on a machine. */
  process(machine: string): Sockets {
    return new Sockets(this, this.machine(machine));
  }

  /** Changes what `from` may send to `to`. */
  set(from: string, to: string, change: Partial<Link>): void {
    const [a, b] = [this.machine(from), this.machine(to)];
    const link = this.link(a, b);
    const before = link.state;
    Object.assign(link, change);
    if (link.state === before) return;
    for (const stream of this.streams) {
      if (!stream.joins(a, b)) continue;
      if (link.state === "cut") stream.die("the connection was reset");
      else if (link.state === "open") stream.resume();
    }
    this.#changed();
  }

  /** The same in both directions. */
  between(one: string, other: string, change: Partial<Link>): void {
    this.set(one, other, change);
    this.set(other, one, change);
  }

  /** Nothing passes between machines of different groups any more; within a group nothing changes. */
  partition(groups: readonly (readonly string[])[], state: "cut" | "black-holed" = "black-holed"): void {
    for (const group of groups) {
      for (const other of groups) {
        if (other === group) continue;
        for (const from of group) for (const to of other) this.set(from, to, { state });
      }
    }
  }

  /** All links are as at the beginning. Machines that are off stay off. */
  heal(): void {
    for (const machine of this.#machines.values()) {
      for (const other of machine.links.keys()) {
        this.set(machine.name, other.name, { state: "open", torn: false, ...this.#usual });
      }
    }
  }

  /** The power goes: nobody is told, and whoever writes to it hears nothing until it is on again. */
  powerOff(name: string): void {
    const machine = this.machine(name);
    machine.on = false;
    machine.listeners.clear();
    for (const sockets of machine.processes) sockets.vanish();
    this.#changed();
  }

  powerOn(name: string): void {
    this.machine(name).on = true;
    this.#changed();
  }

  /** Whether what `from` sends now reaches `to`. */
  reaches(from: string, to: string): boolean {
    const [a, b] = [this.machine(from), this.machine(to)];
    return a.on && b.on && (a === b || this.link(a, b).state === "open");
  }

  /** How long something small takes from one machine to another, drawn anew. */
  delayMs(from: string, to: string): number {
    return this.delayOf(this.link(this.machine(from), this.machine(to)));
  }

  delayOf(link: Link): number {
    return link.jitterMs === 0 ? link.latencyMs : link.latencyMs + link.jitterMs * this.chance.random();
  }

  /** Calls `listener` whenever a link or a machine has changed. */
  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  ipOf(name: string): string {
    return this.machine(name).ip;
  }

  /** The machine that has this address. */
  nameOf(ip: string): string | undefined {
    for (const machine of this.#machines.values()) if (machine.ip === ip) return machine.name;
    return undefined;
  }

  /** @param ip its address, where that matters; another for each machine otherwise */
  machine(name: string, ip?: string): Machine {
    const known = this.#machines.get(name);
    if (known !== undefined) return known;
    const number = this.#machines.size + 1;
    const made: Machine = {
      name,
      ip: ip ?? `10.0.${number >> 8}.${number & 255}`,
      on: true,
      processes: new Set(),
      listeners: new Map(),
      links: new Map(),
    };
    this.#machines.set(name, made);
    return made;
  }

  link(from: Machine, to: Machine): Link {
    const known = from.links.get(to);
    if (known !== undefined) return known;
    const made: Link = { state: "open", torn: false, ...this.#usual };
    from.links.set(to, made);
    return made;
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}
