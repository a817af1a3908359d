/** What must hold in every rehearsal, at every instant or at its end. */
export const INVARIANTS = {
  "max-out": "never more than max hosts out of service by our doing, over all deploys of the service",
  "slots-within-max": "no grant brings more hosts into slots and failures than max allows",
  granted: "nobody takes a host from service without a slot",
  "granted-then-lost": "nor where it was lost before it began, and its place is still taken",
  "one-writer": "a host writes only its own status, and slots and failures change only through their gate",
  forgotten:
    "who is out of service by our doing stands in the slots or failures until it is well, or says itself that it is ill",
  "failed-again": "a build that failed on a host is not begun there again in the same deploy",
  tries: "nothing that fails is tried more often than it may be",
  "stays-stopped":
    "what was stopped on a host that leaves is started by nobody but who takes it back, and it is held until it runs",
  "stays-held": "a host that a person holds is given back by nobody but a person",
  "dead-holder": "a slot goes by its host's own word, or becomes a failure; a dead holder never frees it",
  budget: "past the budget nobody is granted a slot, and no deploy is done",
  "own-grant": "nobody begins by a grant that was given to an attempt before",
  "begun-after-halt": "nobody begins once its deploy has halted, or while it is paused",
  barred: "a barred build is neither deployed nor activated, and one that is taken back is barred with it",
  genuine: "nothing runs that was not verified for its digest and installed",
  current: "current is never missing once it was there, and never torn",
  "older-wish": "no host goes back to an older wish",
  "min-available": "traffic is never on fewer instances than min_available",
  "batch-size": "never more instances of a host restart at once than a batch may have",
  "early-traffic": "no instance gets traffic after its restart before it has answered",
  attempts: "attempts only grow",
  "write-ahead": "nothing is stopped, started or given back that the journal did not say before",
  "journal-whole": "the journal is whole after any kill and any power cut",
  "said-served": "no host says that it serves before its journal says that it is through",
  soak: "no slot is given back before its host has soaked",
  "slot-while-serving": "in quiet times a host that says that it serves holds no slot for long",
  "hot-loop": "no host does anything over and over",
  prompt: "in quiet times a wish is taken up at once",
  "no-mistake": "no error that nobody foresaw",
  converged: "when faults have ceased, everybody reachable serves the wish, with all its instances in traffic",
  "final-state": "every deploy ends in one final state, with nobody left in a slot",
  history: "every deploy has one history entry that matches what happened",
  timeline: "what a deploy leaves of how it went fits, adds up, and ends as the deploy has ended",
  "exit-code": "ctl's exit code was true",
  shown: "at the end the monitor, the page and status show what ZooKeeper has, host by host",
  told: "every event of a deploy is told, in order, and again only by one who could not know that it was",
  "true-done": "a deploy that is done is served by everybody who says so",
} as const;

export type Invariant = keyof typeof INVARIANTS;

export interface Violation {
  readonly invariant: Invariant;
  readonly atMs: number;
  readonly what: string;
}

/** How near a rehearsal came to what must not be: each must be reached now and then, or the checker sees nothing. */
export const EDGES = [
  "exactly max out of service",
  "the last slot of max granted",
  "the last slot of a zone granted",
  "a host that no stage had reached",
  "a paused deploy went on",
  "a host that failed tried once more",
  "a deploy that halted went back by itself",
  "a holder was lost",
  "the budget used up, not exceeded",
  "a deploy halted past its budget",
  "a newer wish came in an activation",
  "a slot taken back that was not used",
  "a host took itself back",
  "a host could not go back either",
  "a lost answer resolved",
  "two conductors at once",
  "a session expired while a slot was held",
  "a kill between journal and act",
  "an activation taken up by the agent's successor",
  "a power cut lost what was not flushed",
  "a write cut in the middle",
  "exactly min_available left in traffic",
  "an instance left without traffic given it again",
  "a barred build refused",
  "a build refused for its digest",
  "a download taken up again",
  "a full disk in the way",
  "a clock set in an activation",
  "a soak begun again by a successor",
  "a build failed after it was healthy",
  "ctl interrupted",
  "ctl lived through a lost connection",
  "two operators at once",
  "a wish written by hand adopted",
  "a role changed in a deploy",
  "an event told once more by another conductor",
  "a host learnt of its former life",
  "a host left",
  "a host came back",
  "a slot lost with its host's disk",
] as const;

export type Edge = (typeof EDGES)[number];

/** What a rehearsal has found out. */
export class Ledger {
  readonly violations: Violation[] = [];
  readonly edges = new Map<Edge, number>();
  readonly #nowMs: () => number;
  /** Told of each violation at once. */
  onViolation: (violation: Violation) => void = () => {};

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  broken(invariant: Invariant, what: string): void {
    // What is broken at one instant is often broken at the next as well, in the same words.
    if (this.violations.some((each) => each.invariant === invariant && each.what === what)) return;
    const violation = { invariant, atMs: this.#nowMs(), what };
    this.violations.push(violation);
    this.onViolation(violation);
  }

  reached(edge: Edge): void {
    this.edges.set(edge, (this.edges.get(edge) ?? 0) + 1);
  }
}
