import type { Ground, HostInstance, HostService } from "./ground.ts";

/** How many clients an instance has at most, and how long the last of them stays once it gets no new ones. */
const MOST_CLIENTS = 6;
const LONGEST_STAY_MS = 2_000;
const CLINGING_MS = 120_000;

interface Clients {
  readonly steady: number;
  /** When each of them leaves; null while the instance gets new ones. */
  leaveAtMs: readonly number[] | null;
}

/**
 * What stands between the clients and the instances of a host: rules in its kernel, which a reboot takes away, and the
 * connections that were made through them.
 */
export class SimFront {
  /** Every change fails, and every question about the back end. */
  isBroken = false;
  /** How often a client stays on, long after any deadline; from 0 to 1. */
  clings = 0;
  readonly #ground: Ground;
  /** The instances that get new connections, by service and by the back end that keeps the others away. */
  readonly #rules = new Map<string, Map<HostService["traffic"], ReadonlySet<string>>>();
  readonly #clients = new Map<number, Clients>();
  #refused = 0;

  constructor(ground: Ground) {
    this.#ground = ground;
  }

  /** A kernel begins without rules and counts anew. */
  boot(): void {
    this.#rules.clear();
    this.#clients.clear();
    this.#refused = 0;
  }

  /** Connections that were refused because no instance got any. */
  get refused(): number {
    return this.#refused;
  }

  rule(service: string, by: HostService["traffic"]): ReadonlySet<string> | null {
    return this.#rules.get(service)?.get(by) ?? null;
  }

  steer(service: string, by: HostService["traffic"], on: ReadonlySet<string>): void {
    const rules = this.#rules.get(service) ?? new Map<HostService["traffic"], ReadonlySet<string>>();
    this.#rules.set(service, rules.set(by, on));
    this.#settle(service);
    if (on.size === 0) this.#refused += this.#ground.chance.between(0, 3);
  }

  remove(service: string, by: HostService["traffic"]): void {
    this.#rules.get(service)?.delete(by);
    this.#settle(service);
  }

  /** Whether new connections come to this instance. */
  reaches({ name, traffic }: HostService, instance: HostInstance): boolean {
    const rules = [...(this.#rules.get(name)?.values() ?? [])];
    // Whichever keeps clients away is enough; those that only lead there agree where one replaces the other.
    if (rules.length > 0) return rules.every((on) => on.has(instance.name));
    // A port that is spread by a rule leads nowhere without one; clients of the others come until somebody keeps them away.
    return traffic !== "nft" && traffic !== "iptables";
  }

  /** The port of an instance that a connection to this one gets to, or null when nobody takes it. */
  route(port: number): number | null {
    const service = this.#ground.services.find(({ frontPort }) => frontPort === port);
    if (service === undefined) return port;
    const on = service.instances.filter((instance) => this.reaches(service, instance));
    if (on.length === 0) return null;
    return this.#ground.chance.pick(on).port;
  }

  /** Connections that this process has open. */
  openOf(pid: number): number {
    const process = this.#ground.processes.get(pid);
    if (process === null || process.port === null) return 0;
    const { leaveAtMs, steady } = this.#clientsOf(pid);
    return leaveAtMs === null ? steady : leaveAtMs.filter((atMs) => atMs > this.#ground.time.nowMs).length;
  }

  openAt(port: number): number {
    const process = this.#ground.processes.at(port);
    return process === null ? 0 : this.openOf(process.pid);
  }

  /** The process asks its clients to go, or takes that back. */
  tell(pid: number, leave: boolean): void {
    this.#clientsOf(pid).leaveAtMs = leave ? this.#departures(pid) : null;
  }

  #settle(name: string): void {
    const service = this.#ground.services.find((service) => service.name === name);
    for (const instance of service?.instances ?? []) {
      const process = this.#ground.processes.at(instance.port);
      if (service === undefined || process === null) continue;
      const clients = this.#clientsOf(process.pid);
      if (this.reaches(service, instance)) clients.leaveAtMs = null;
      else clients.leaveAtMs ??= this.#departures(process.pid);
    }
  }

  #departures(pid: number): number[] {
    const { time, chance } = this.#ground;
    return Array.from({ length: this.#clientsOf(pid).steady }, () => {
      const longestMs = chance.happens(this.clings) ? CLINGING_MS : LONGEST_STAY_MS;
      return time.nowMs + chance.random() * longestMs;
    });
  }

  #isReached(pid: number): boolean {
    const port = this.#ground.processes.get(pid)?.port;
    const all = this.#ground.services.flatMap((service) =>
      service.instances.map((instance) => ({ service, instance })),
    );
    const found = all.find(({ instance }) => instance.port === port);
    return found !== undefined && this.reaches(found.service, found.instance);
  }

  #clientsOf(pid: number): Clients {
    const known = this.#clients.get(pid);
    if (known !== undefined) return known;
    const steady = this.#ground.chance.between(0, MOST_CLIENTS);
    // One that starts while nothing leads to it has no clients yet.
    const clients: Clients = { steady, leaveAtMs: this.#isReached(pid) ? null : [] };
    this.#clients.set(pid, clients);
    this.#ground.processes.get(pid)?.onEnd(() => this.#clients.delete(pid));
    return clients;
  }
}
