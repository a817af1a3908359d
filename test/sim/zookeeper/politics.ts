import type { Transaction } from "../../../src/zookeeper/server/transaction.ts";
import type { Ensemble } from "./ensemble.ts";
import type { Replica } from "./replica.ts";
import { Term } from "./term.ts";

/** Who leads and who follows: what servers conclude from whom they hear, and the disasters that befall them. */
export class Politics {
  /** The last term that began; it may be over. */
  term: Term | null = null;
  epoch = 0;
  readonly #ensemble: Ensemble;
  /** What was put in order, not committed, and survives the leader that did it. */
  #inherited: Transaction[] = [];
  readonly #suspicions = new Map<Replica, () => void>();
  readonly #joining = new Set<Replica>();
  #deposed: Replica | null = null;
  #considering = false;
  #electing = false;

  constructor(ensemble: Ensemble) {
    this.#ensemble = ensemble;
  }

  /** The first leader leads from the beginning. */
  begin(): void {
    this.#establish(this.#ensemble.chance.pick(this.#ensemble.servers));
  }

  /** Something has changed that servers may notice. */
  consider(): void {
    if (this.#considering) return;
    this.#considering = true;
    this.#ensemble.time.after(0, () => {
      this.#considering = false;
      this.#look();
    });
  }

  crash(replica: Replica, silently: boolean): void {
    if (replica.state === "down") return;
    this.#trust(replica);
    this.#endTermOf(replica);
    replica.stop(silently);
    this.consider();
  }

  restart(replica: Replica): void {
    this.#ensemble.network.powerOn(replica.name);
    replica.start();
    this.consider();
  }

  freeze(replica: Replica): void {
    if (replica.state !== "up") return;
    replica.state = "frozen";
    replica.sockets.freeze();
    this.consider();
  }

  thaw(replica: Replica): void {
    if (replica.state !== "frozen") return;
    replica.state = "up";
    // What the others did meanwhile counts before what it was told meanwhile.
    this.#look();
    replica.sockets.thaw();
  }

  depose(): void {
    const { term } = this;
    if (term === null || term.leader.state === "down") return;
    this.#deposed = term.leader;
    this.#quit(term.leader);
    this.consider();
  }

  /** All that was under way is gone. */
  forget(epoch: number): void {
    this.#inherited = [];
    this.epoch = epoch;
    this.#deposed = null;
  }

  #look(): void {
    for (const replica of this.#ensemble.servers) {
      if (replica.state !== "up") continue;
      const { term } = replica;
      if (term === null) this.#invite(replica);
      else if (replica.leads) this.#lookAtFollowers(replica, term);
      else this.#lookAtLeader(replica, term);
    }
    this.#elect();
  }

  #lookAtFollowers(leader: Replica, term: Term): void {
    const { servers } = this.#ensemble;
    term.quorate =
      servers.filter((each) => each.term === term && this.#hears(each, leader)).length * 2 > servers.length;
    if (term.over && this.term !== null && !this.term.over && this.#hears(this.term.leader, leader)) this.#quit(leader);
    else if (term.over || !term.quorate) this.#suspect(leader);
    else {
      this.#trust(leader);
      leader.sockets.deliver(() => term.commitReady());
    }
  }

  #lookAtLeader(replica: Replica, term: Term): void {
    const { leader } = term;
    if (this.#ensemble.connected(replica, leader) && (leader.state === "down" || leader.term !== term)) {
      this.#quit(replica);
    } else if (this.#hears(leader, replica)) {
      this.#trust(replica);
      replica.reconnected();
    } else {
      this.#suspect(replica);
    }
  }

  /** Whether `replica` hears that `other` is alive, and the other way round. */
  #hears(other: Replica, replica: Replica): boolean {
    return other.state === "up" && this.#ensemble.connected(other, replica);
  }

  /** A server that hears nothing waits for a while before it draws a conclusion. */
  #suspect(replica: Replica): void {
    if (this.#suspicions.has(replica)) return;
    const { time, chance } = this.#ensemble;
    const { sockets } = replica;
    const cancel = time.after(400 + 1_100 * chance.random(), () =>
      sockets.deliver(() => {
        if (this.#suspicions.get(replica) === cancel) this.#quit(replica);
      }),
    );
    this.#suspicions.set(replica, cancel);
  }

  #trust(replica: Replica): void {
    this.#suspicions.get(replica)?.();
    this.#suspicions.delete(replica);
  }

  /** A server stops serving and looks for a leader. */
  #quit(replica: Replica): void {
    this.#trust(replica);
    if (replica.term === null) return;
    this.#endTermOf(replica);
    replica.leave();
    this.consider();
  }

  #endTermOf(replica: Replica): void {
    const { term } = replica;
    if (term !== null && replica.leads && !term.over) this.#inherited = term.finish();
  }

  /** Has a server join the leader that it can hear. */
  #invite(replica: Replica): void {
    if (this.#joining.has(replica) || !this.#hasLeader(replica)) return;
    this.#joining.add(replica);
    const { time, chance } = this.#ensemble;
    time.after(5 + 150 * chance.random(), () => {
      this.#joining.delete(replica);
      if (replica.state !== "up" || replica.term !== null || this.term === null) return;
      if (this.#hasLeader(replica)) replica.join(this.term);
      this.consider();
    });
  }

  #hasLeader(replica: Replica): boolean {
    const { term } = this;
    return term !== null && !term.over && this.#hears(term.leader, replica);
  }

  #elect(): void {
    if (this.#electing || this.#candidates().length === 0) return;
    this.#electing = true;
    const { time, chance } = this.#ensemble;
    time.after(150 + 400 * chance.random(), () => {
      this.#electing = false;
      const candidates = this.#candidates();
      const others = candidates.filter((each) => each !== this.#deposed);
      if (candidates.length > 0) this.#establish(chance.pick(others.length > 0 ? others : candidates));
      this.consider();
    });
  }

  /** Servers that look for a leader and that a majority which does so too can hear. */
  #candidates(): Replica[] {
    const { servers } = this.#ensemble;
    const voters = servers.filter((each) => each.state === "up" && each.term === null && !this.#hasLeader(each));
    return voters.filter(
      (each) => voters.filter((other) => this.#ensemble.connected(each, other)).length * 2 > servers.length,
    );
  }

  #establish(leader: Replica): void {
    const { servers, chance } = this.#ensemble;
    if (this.term !== null && !this.term.over) this.#inherited = this.term.finish();
    this.#deposed = null;
    this.epoch += 1;
    this.#ensemble.believe(leader);
    const term = new Term(this.#ensemble, leader, this.epoch);
    this.term = term;
    leader.join(term);
    const inherited = this.#inherited;
    this.#inherited = [];
    for (const transaction of inherited) this.#ensemble.commit(transaction, term);
    term.begin();
    const voters = servers.filter((each) => each !== leader && each.term === null && this.#hears(each, leader));
    // As many as it takes at once, the others when they come to it.
    let missing = (servers.length - 1) / 2;
    while (missing > 0 && voters.length > 0) {
      missing -= 1;
      const [voter] = voters.splice(chance.between(0, voters.length - 1), 1);
      voter?.join(term);
    }
    this.consider();
  }
}
