import type { ServiceMirror } from "../store/mirror.ts";

/** Since when the conductor has missed the agents of expected hosts, by its own monotonic clock. */
export class MissingHosts {
  /** By service: a host whose agent no longer runs one service is missing in that service only. */
  readonly #since = new Map<string, Map<string, number>>();

  /** @param running the hosts whose agents are connected and run the service */
  note({ service, deploys, hosts }: ServiceMirror, running: ReadonlySet<string>, nowMs: number): void {
    const holders = [...deploys.values()].flatMap(({ gate }) => Object.keys(gate.slots));
    const missing = this.#since.get(service) ?? new Map<string, number>();
    this.#since.set(service, missing);
    for (const host of [...hosts.keys(), ...holders]) {
      if (running.has(host)) missing.delete(host);
      else if (!missing.has(host)) missing.set(host, nowMs);
    }
  }

  of(service: string): ReadonlyMap<string, number> {
    return this.#since.get(service) ?? new Map();
  }
}
