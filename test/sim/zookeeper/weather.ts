import type { Chance } from "../chance.ts";
import type { Network } from "../network.ts";
import type { VirtualTime } from "../time.ts";
import type { Ensemble } from "./ensemble.ts";

/** Faults of servers, and of the network between them and their clients, one after the other and some at once. */
export class Weather {
  /** How often each fault has come. */
  readonly counts = new Map<string, number>();
  readonly #ensemble: Ensemble;
  readonly #network: Network;
  readonly #time: VirtualTime;
  readonly #chance: Chance;
  readonly #clients: readonly string[];
  readonly #meanMs: number;
  #over = false;

  /**
   * @param clients machines
   * @param meanMs between two faults
   */
  constructor(ensemble: Ensemble, chance: Chance, clients: readonly string[], meanMs: number) {
    this.#ensemble = ensemble;
    this.#network = ensemble.network;
    this.#time = ensemble.time;
    this.#chance = chance;
    this.#clients = clients;
    this.#meanMs = meanMs;
    this.#next();
  }

  /** No fault comes any more, and those that there are end now. */
  clear(): void {
    this.#over = true;
    this.#network.heal();
    this.#ensemble.heal();
    for (const [index] of this.#ensemble.servers.entries()) this.#ensemble.setLag(index, 1);
  }

  #next(): void {
    this.#time.after(-Math.log(1 - this.#chance.random()) * this.#meanMs, () => {
      if (this.#over) return;
      this.#fault();
      this.#next();
    });
  }

  #fault(): void {
    const [chance, ensemble, network] = [this.#chance, this.#ensemble, this.#network];
    const index = chance.between(0, ensemble.servers.length - 1);
    const server = ensemble.servers[index]?.name ?? "";
    const client = chance.pick(this.#clients);
    const faults: Record<string, () => void> = {
      "leader changes": () => ensemble.changeLeader(),
      "server killed": () => {
        ensemble.crash(index);
        this.#ends(() => ensemble.restart(index, chance.pick(["as it was", "a snapshot"])));
      },
      "server without power": () => {
        ensemble.crash(index, "power");
        this.#ends(() => ensemble.restart(index));
      },
      "server stopped": () => {
        ensemble.freeze(index);
        this.#ends(() => ensemble.thaw(index));
      },
      "server lags": () => {
        ensemble.setLag(index, 300);
        this.#ends(() => ensemble.setLag(index, 1));
      },
      "servers apart": () => {
        const names = ensemble.servers.map(({ name }) => name);
        const some = names.filter(() => chance.happens(0.4));
        network.partition(
          [some, names.filter((each) => !some.includes(each))],
          chance.pick(["cut", "black-holed"] as const),
        );
        this.#ends(() => {
          for (const one of names) {
            for (const other of names) if (one !== other) network.set(one, other, { state: "open" });
          }
        });
      },
      "client torn off": () => network.set(client, server, { torn: true }),
      "answer torn off": () => network.set(server, client, { torn: true }),
      "client half open": () => this.#link(client, server, "black-holed", [chance.happens(0.5)]),
      "client cut off": () => this.#link(client, server, chance.pick(["cut", "black-holed"] as const), [true, false]),
      "client alone": () => {
        for (const { name } of ensemble.servers) this.#link(client, name, "black-holed", [true, false]);
      },
      "client far away": () => {
        network.between(client, server, { latencyMs: 300, jitterMs: 500 });
        this.#ends(() => network.between(client, server, { latencyMs: 0.3, jitterMs: 0.4 }));
      },
    };
    const [name, begin] = chance.pick(Object.entries(faults));
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
    begin();
  }

  #link(client: string, server: string, state: "cut" | "black-holed", ways: readonly boolean[]): void {
    for (const there of ways) {
      const [from, to] = there ? [client, server] : [server, client];
      this.#network.set(from, to, { state });
      this.#ends(() => this.#network.set(from, to, { state: "open" }));
    }
  }

  #ends(end: () => void): void {
    this.#time.after(200 + 9_000 * this.#chance.random(), () => {
      if (!this.#over) end();
    });
  }
}
