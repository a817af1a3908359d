import type { ServiceMirror } from "../store/mirror.ts";

/** Since when the conductor has missed the agents of expected hosts, by its own monotonic clock. */
export class MissingHosts {
  /** By service: a host whose agent no longer runs one service is missing in that service only. */
  readonly #since = new Map<string, Map<string, number>>();

  /** @param running the hosts whose agents are connected and run the service */
  note({ service, gate, hosts }: ServiceMirror, running: ReadonlySet<string>, nowMs: number): void {
    const missing = this.#since.get(service) ?? new Map<string, number>();
    this.#since.set(service, missing);
    const note = (host: string): void => {
      if (running.has(host)) missing.delete(host);
      else if (!missing.has(host)) missing.set(host, nowMs);
    };
    for (const host of hosts.keys()) note(host);
    for (const host of gate?.gate.slots.keys() ?? []) note(host);
  }

  of(service: string): ReadonlyMap<string, number> {
    return this.#since.get(service) ?? new Map();
  }
}
