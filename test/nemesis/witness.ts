import type { FleetHost } from "../harness/fleet_host.ts";
import { ask } from "../harness/http.ts";
import type { Chronicle } from "./chronicle.ts";

/** Between two questions to the same service. */
const PAUSE_MS = 120;
const ANSWER_MS = 2_000;
/** Between two failed questions that lie further apart the service may have been well for a while. */
const SURE_MS = 250;

interface Asked {
  readonly atMs: number;
  readonly answeredMs: number;
  readonly answer: string;
}

/** A time in which a host was surely out of service. */
interface Outage {
  readonly host: string;
  readonly fromMs: number;
  readonly untilMs: number;
}

/** A load on every service, and what it was answered. */
export class Witness implements AsyncDisposable {
  readonly asked = new Map<string, Asked[]>();
  readonly #over = new AbortController();
  readonly #loops: Promise<void>[];

  constructor(hosts: readonly FleetHost[], addressOf: (host: FleetHost) => string, chronicle: Chronicle) {
    this.#loops = hosts.map((host) => this.#askOn(host, addressOf(host), chronicle));
  }

  get questions(): number {
    return [...this.asked.values()].reduce((sum, each) => sum + each.length, 0);
  }

  /** The most hosts that were surely out of service at one moment, with that moment. */
  mostOut(): { readonly hosts: readonly string[]; readonly atMs: number } {
    const outages = [...this.asked].flatMap(([host, asked]) => outagesIn(host, asked));
    let most: { hosts: readonly string[]; atMs: number } = { hosts: [], atMs: 0 };
    for (const { fromMs } of outages) {
      const out = outages.filter((each) => each.fromMs <= fromMs && fromMs < each.untilMs);
      const hosts = [...new Set(out.map(({ host }) => host))];
      if (hosts.length > most.hosts.length) most = { hosts, atMs: fromMs };
    }
    return most;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over.abort();
    await Promise.all(this.#loops);
  }

  async #askOn({ name }: FleetHost, address: string, chronicle: Chronicle): Promise<void> {
    const asked: Asked[] = [];
    this.asked.set(name, asked);
    while (!this.#over.signal.aborted) {
      const atMs = Date.now();
      const answer = await ask(`http://${address}/`, ANSWER_MS);
      if (answer !== asked.at(-1)?.answer) chronicle.tell(`${name} answers ${answer.slice(0, 100)}`);
      asked.push({ atMs, answeredMs: Date.now(), answer });
      await Bun.sleep(PAUSE_MS);
    }
  }
}

/** Who was slow to answer may have been well: only a refusal, or an error, shows that it was not. */
function isOut(answer: string): boolean {
  return answer.startsWith("5") || (answer.startsWith("no answer") && !/time[d ]*out/i.test(answer));
}

function outagesIn(host: string, asked: readonly Asked[]): Outage[] {
  const outages: Outage[] = [];
  for (const [at, one] of asked.entries()) {
    const next = asked[at + 1];
    if (next === undefined || !isOut(one.answer) || !isOut(next.answer)) continue;
    if (next.answeredMs - one.atMs > SURE_MS) continue;
    outages.push({ host, fromMs: one.answeredMs, untilMs: next.atMs });
  }
  return outages;
}
