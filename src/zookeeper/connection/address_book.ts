import { lookup as resolve } from "node:dns/promises";
import { isIP } from "node:net";
import type { Clock } from "../clock.ts";
import type { Server } from "../connect_string.ts";
import type { ServerAddress } from "../dial.ts";
import type { Lookup } from "../options.ts";

/** Asks the system's resolver, which also reads the hosts file. */
export const systemLookup: Lookup = async (host) => {
  const found = await resolve(host, { all: true, verbatim: true });
  return found.map((each) => each.address);
};

/**
 * The addresses of the servers, resolved again on every call, because a name may point to other machines by now. If a
 * name cannot be resolved, its last known addresses are kept, so that a DNS outage does not become a ZooKeeper outage.
 */
export class AddressBook {
  readonly #servers: readonly Server[];
  readonly #lookup: Lookup;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #known = new Map<string, readonly string[]>();

  /** @param timeoutMs how long to wait for the answer about one name, in milliseconds */
  constructor(servers: readonly Server[], lookup: Lookup, clock: Clock, timeoutMs: number) {
    this.#servers = servers;
    this.#lookup = lookup;
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
  }

  /** Every address once, in the order of the servers; `failures` says which names have none and why. */
  async all(): Promise<{ readonly addresses: readonly ServerAddress[]; readonly failures: readonly string[] }> {
    const failures: string[] = [];
    const found = await Promise.all(
      this.#servers.map(async (server) => {
        try {
          const ips = await this.#ipsOf(server.host);
          return ips.map((ip) => ({ server, ip }));
        } catch (error) {
          failures.push(`cannot look up ${server.host}: ${error instanceof Error ? error.message : String(error)}`);
          return [];
        }
      }),
    );
    const byPlace = new Map<string, ServerAddress>();
    for (const address of found.flat()) {
      const place = `${address.ip} ${address.server.port}`;
      if (!byPlace.has(place)) byPlace.set(place, address);
    }
    return { addresses: [...byPlace.values()], failures };
  }

  async #ipsOf(host: string): Promise<readonly string[]> {
    if (isIP(host) !== 0) return [host];
    try {
      const ips = await withDeadline(this.#clock, this.#lookup(host), this.#timeoutMs);
      if (ips.length === 0) throw new Error("the name has no address");
      this.#known.set(host, ips);
      return ips;
    } catch (error) {
      const known = this.#known.get(host);
      if (known === undefined) throw error;
      return known;
    }
  }
}

async function withDeadline<T>(clock: Clock, work: Promise<T>, timeoutMs: number): Promise<T> {
  const late = Promise.withResolvers<never>();
  const cancel = clock.after(timeoutMs, () => late.reject(new Error(`no answer within ${timeoutMs} ms`)));
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    cancel();
  }
}
