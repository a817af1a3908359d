import type { Ensemble } from "./ensemble.ts";
import type { Replica } from "./replica.ts";
import type { Term } from "./term.ts";

/** How a server and its leader talk: in order both ways, and not at all while the network between them is disturbed. */
export class LeaderLink {
  readonly #ensemble: Ensemble;
  readonly #replica: Replica;
  #sentAtMs = 0;
  #arrivalAtMs = 0;
  /** What could not be sent, in order. */
  #held: ((term: Term) => void)[] = [];
  /** What was under way when some of it was lost does not count any more: a gap must not be seen. */
  #number = 0;

  constructor(ensemble: Ensemble, replica: Replica) {
    this.#ensemble = ensemble;
    this.#replica = replica;
  }

  /** Has the leader do something. */
  send(work: (term: Term) => void): void {
    const replica = this.#replica;
    const { term } = replica;
    if (term === null) return;
    if (term.leader === replica) {
      if (!term.over) work(term);
      return;
    }
    const { network, time } = this.#ensemble;
    const number = this.#number;
    this.#sentAtMs = Math.max(this.#sentAtMs, time.nowMs + network.delayMs(replica.name, term.leader.name));
    time.after(this.#sentAtMs - time.nowMs, () => {
      if (number === this.#number) this.#arrived(term, work);
    });
  }

  /** Has the replica do something that the leader tells it. */
  answer(work: () => void): void {
    const { time } = this.#ensemble;
    const { sockets, term } = this.#replica;
    if (this.#replica.leads) {
      work();
      return;
    }
    time.after(this.arrivalMs() - time.nowMs, () =>
      sockets.deliver(() => {
        if (this.#replica.term === term) work();
      }),
    );
  }

  /** When what the leader says now is heard here. */
  arrivalMs(): number {
    const { network, time } = this.#ensemble;
    const replica = this.#replica;
    const leader = replica.term?.leader ?? replica;
    const delayMs = leader === replica ? 0 : network.delayMs(leader.name, replica.name);
    this.#arrivalAtMs = Math.max(this.#arrivalAtMs, time.nowMs + delayMs);
    return this.#arrivalAtMs;
  }

  /** The network is whole again. */
  flush(): void {
    const { term } = this.#replica;
    const held = this.#held;
    this.#held = [];
    if (term !== null) for (const work of held) this.#arrived(term, work);
  }

  lost(): void {
    if (this.#held.length > 0) this.#number += 1;
    this.#held = [];
  }

  #arrived(term: Term, work: (term: Term) => void): void {
    if (this.#held.length > 0 || !this.#ensemble.connected(this.#replica, term.leader)) {
      if (this.#replica.term === term) this.#held.push(work);
      else this.#number += 1;
      return;
    }
    term.leader.sockets.deliver(() => {
      if (!term.over) work(term);
    });
  }
}
