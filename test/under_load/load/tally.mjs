// What became of every request. A request has exactly one outcome; there are no retries, so a failure is a failure.
//
//   refused  no connection could be made
//   stale    a connection kept open from an earlier answer was closed, unannounced, while idle or as this one came
//   broken   the connection was lost later, when the request was being served, or before a new connection's first answer
//   timeout  no whole answer within 6 s
//   5xx      an answer of a proxy, or of the service, that there is nobody to serve
//   garbled  an answer that breaks the protocol or has a status nobody expects; says that this program is wrong

export const CLASSES = ["refused", "stale", "broken", "timeout", "5xx", "garbled"];
export const TIMEOUT_MS = 6_000;
/** An answer that took this much longer than the service needs for it is late; it is no failure. */
const LATE_MS = 800;
const MAX_SAMPLES = 40;

export class Failure extends Error {
  constructor(kind, detail) {
    super(detail);
    this.kind = kind;
  }
}

function emptyCounts() {
  return { requests: 0, ok: 0, failed: 0, late: 0, classes: Object.fromEntries(CLASSES.map((name) => [name, 0])) };
}

/** Counts of one sort of clients, in all and for each roll. */
export class Tally {
  #total = emptyCounts();
  #rolls = [];
  #builds = {};
  #processes = {};
  #clients = {};
  #worstMs = 0;
  #samples = [];

  begin(name) {
    this.#rolls.push({ name, beganAt: Date.now(), endedAt: null, ...emptyCounts() });
  }

  end() {
    const roll = this.#rolls.at(-1);
    if (roll !== undefined) roll.endedAt ??= Date.now();
  }

  #lag;

  /** @param lag tells how late this program itself was since a time, which is not the service's fault */
  constructor(lag) {
    this.#lag = lag;
  }

  /**
   * @param askedAt by performance.now()
   * @param served who answered: `{ build, process }`
   */
  succeeded(client, askedAt, expectedMs, served) {
    const overMs = performance.now() - askedAt - expectedMs - this.#lag(askedAt);
    this.#worstMs = Math.max(this.#worstMs, Math.round(overMs));
    this.#builds[served.build] = (this.#builds[served.build] ?? 0) + 1;
    this.#processes[served.process] = (this.#processes[served.process] ?? 0) + 1;
    this.#count(client, (counts) => {
      counts.ok += 1;
      if (overMs > LATE_MS) counts.late += 1;
    });
    if (overMs > LATE_MS) this.#sample(client, "late", `${Math.round(overMs)} ms over, from ${served.process}`);
  }

  failed(client, error) {
    // Whatever is not foreseen is a fault of this program, which must not look like a success.
    const kind = error instanceof Failure ? error.kind : "garbled";
    this.#count(client, (counts) => {
      counts.failed += 1;
      counts.classes[kind] += 1;
    });
    this.#sample(client, kind, error.message);
  }

  /** To the roll that is on when the outcome is known. */
  #count(client, add) {
    this.#clients[client] ??= emptyCounts();
    const roll = this.#rolls.at(-1);
    const into = [this.#total, this.#clients[client]];
    if (roll !== undefined && roll.endedAt === null) into.push(roll);
    for (const counts of into) {
      counts.requests += 1;
      add(counts);
    }
  }

  #sample(client, kind, detail) {
    if (this.#samples.length < MAX_SAMPLES) this.#samples.push({ at: Date.now(), client, kind, detail });
  }

  report() {
    return {
      ...this.#total,
      rolls: this.#rolls,
      clients: this.#clients,
      builds: this.#builds,
      processes: this.#processes,
      worstMs: this.#worstMs,
      samples: this.#samples,
    };
  }
}
