import type { Clock } from "../../../src/support/clock.ts";
import { ZooKeeper, type ZooKeeperOptions } from "../../../src/zookeeper/client.ts";
import { Session } from "../../../src/zookeeper/session.ts";
import { chanceOf, type Chance } from "../chance.ts";
import { Network } from "../network.ts";
import type { Sockets } from "../sockets.ts";
import { VirtualTime, virtualClock } from "../time.ts";
import { Ensemble } from "./ensemble.ts";
import type { RequestHooks } from "./hooked_wire.ts";

/** A client's process on a machine of its own. */
export interface Seat {
  readonly machine: string;
  readonly sockets: Sockets;
  readonly clock: Clock;
  readonly options: ZooKeeperOptions;
}

/** An ensemble, a network, and clients on virtual time, for tests of the simulated servers themselves. */
export class Stage {
  readonly time = new VirtualTime();
  readonly chance: Chance;
  readonly network: Network;
  readonly ensemble: Ensemble;
  readonly errors: unknown[] = [];

  constructor(seed: string, servers: 1 | 3 | 5, sessionTimeouts?: readonly [number, number]) {
    this.chance = chanceOf(seed);
    const { time, chance } = this;
    this.network = new Network(time, chance.fork("network"));
    this.ensemble = new Ensemble({
      time,
      network: this.network,
      chance: chance.fork("ensemble"),
      servers,
      ...(sessionTimeouts === undefined ? {} : { sessionTimeouts }),
    });
  }

  seat(machine: string, hooks: RequestHooks = {}, options: Partial<ZooKeeperOptions> = {}): Seat {
    const sockets = this.network.process(machine);
    const clock = virtualClock(this.time, this.chance.fork(machine));
    return {
      machine,
      sockets,
      clock,
      options: {
        clock,
        servers: this.ensemble.connectString,
        dial: this.ensemble.dialFrom(sockets, hooks),
        sessionTimeoutMs: 6_000,
        onError: (error) => void this.errors.push(error),
        ...options,
      },
    };
  }

  client(machine: string, hooks?: RequestHooks, options?: Partial<ZooKeeperOptions>): ZooKeeper {
    return new ZooKeeper(this.seat(machine, hooks, options).options);
  }

  session(machine: string, options?: Partial<ZooKeeperOptions>): Session {
    return new Session(this.seat(machine, {}, options).options);
  }

  /**
   * Lets time pass until `work` is done, and returns what it returned.
   * @throws what `work` throws; an error when it takes more than `limitMs` of virtual time
   */
  play<T>(work: () => Promise<T>, limitMs = 600_000): T {
    let state: { readonly value: T } | { readonly error: unknown } | null = null;
    work().then(
      (value) => (state = { value }),
      (error: unknown) => (state = { error }),
    );
    const endsAtMs = this.time.nowMs + limitMs;
    this.time.run(endsAtMs, () => state !== null);
    const settled = state as { readonly value: T } | { readonly error: unknown } | null;
    if (settled === null) throw new Error(`not done after ${limitMs} ms of virtual time`);
    if ("error" in settled) throw settled.error;
    return settled.value;
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => void this.time.after(ms, resolve));
  }

  /** Resolves as soon as `claim` holds. */
  async until(claim: () => boolean): Promise<void> {
    while (!claim()) await this.sleep(10);
  }
}
