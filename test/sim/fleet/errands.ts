import type { Chance } from "../chance.ts";
import { agentFile } from "../host/host_file.ts";
import { SERVICE, type Fleet } from "./fleet.ts";
import type { Hands } from "./hands.ts";
import type { Operator } from "./operator.ts";
import type { Workshop } from "./workshop.ts";

/** Fewer hosts than these are no fleet any more. */
const FEWEST_HOSTS = 3;

const LOOKS = [
  ["status", SERVICE],
  ["status", SERVICE, "--json"],
  ["hosts", "list", SERVICE],
  ["builds", "list", SERVICE],
  ["services", "list"],
  ["services", "show", SERVICE],
  ["services", "show", "wep"],
  ["history", SERVICE],
  ["deploy", SERVICE, "v-nowhere"],
  ["hosts", "role", SERVICE, "web-99", "canary"],
  ["wait", SERVICE, "--deploy", "20260101-000000-0000"],
] as const;

const QUESTIONS = ["/status", "/status?format=prometheus", "/status?format=xml", "/metrics", "/livez", "/readyz", "/"];

/** What people and programs do meanwhile, whatever the deploys are at: they look, tidy up, and lay hands on things. */
export class Errands {
  /** Told before and after each that others may feel. */
  onTrouble: () => void = () => {};
  readonly #fleet: Fleet;
  readonly #chance: Chance;
  readonly #cleo: Operator;
  readonly #hands: Hands;
  readonly #workshop: Workshop;

  constructor(fleet: Fleet, hands: Hands, workshop: Workshop) {
    this.#fleet = fleet;
    this.#hands = hands;
    this.#workshop = workshop;
    this.#chance = fleet.chance.fork("errands");
    this.#cleo = fleet.operator("cleo");
  }

  /** One after the other until the signal is aborted; none is left half done. */
  async run(signal: AbortSignal): Promise<void> {
    const { errandEveryS } = this.#fleet.plan;
    if (errandEveryS === 0) return;
    while (!signal.aborted) {
      await this.#pause(this.#chance.random() * 2_000 * errandEveryS);
      if (!signal.aborted) await this.#errand();
    }
  }

  async #errand(): Promise<void> {
    const errands: readonly (readonly [number, () => Promise<void>])[] = [
      [6, () => this.#look()],
      [6, () => this.#ask()],
      [2, () => this.#troubled(() => this.#hands.damage(this.#shortly()))],
      [1, () => this.#troubled(() => this.#hands.newerTree(this.#shortly()))],
      [2, () => this.#troubled(() => this.#hands.newerJournal(this.#anyHost(), this.#shortly()))],
      [2, async () => this.#hands.inTheWay(this.#anyHost(), this.#workshop.next)],
      [2, () => this.#troubled(() => this.#configure())],
      [2, () => this.#unlock()],
      [1, () => this.#troubled(() => this.#replace())],
    ];
    const weighted = errands.flatMap(([weight, errand]) => Array.from({ length: weight }, () => errand));
    await this.#chance.pick(weighted)();
  }

  async #look(): Promise<void> {
    await this.#cleo.run(...this.#chance.pick(LOOKS));
  }

  /** A monitoring system asks an agent. */
  async #ask(): Promise<void> {
    const host = this.#fleet.host(this.#anyHost());
    const question = this.#chance.pick(QUESTIONS);
    const answer = await host.ask(question);
    if (answer !== undefined) this.#fleet.story.tell(host.name, `answers ${question} with ${answer.status}`);
  }

  /** The other back end, where hosts began with a former one; the same file otherwise. */
  async #configure(): Promise<void> {
    const { ensemble, service, plan } = this.#fleet;
    const host = this.#anyHost();
    const file = agentFile(host, ensemble.connectString, [service], plan.sessionTimeoutS, plan.tells);
    await this.#hands.configure(host, file, this.#chance.happens(0.3) ? this.#chance.between(2_000, 10_000) : 0);
  }

  /** Of a host that keeps its share of max, where there is one. */
  async #unlock(): Promise<void> {
    const held = [...this.#fleet.tree.gate.failed].flatMap(([host, { healthy }]) => (healthy ? [] : [host]));
    const host = held.length === 0 ? "web-99" : this.#chance.pick(held);
    await this.#cleo.run("hosts", "unlock", SERVICE, host);
  }

  /** A machine goes for good, and is forgotten when its session is over. */
  async #replace(): Promise<void> {
    const { agents, tree } = this.#fleet;
    const host = this.#anyHost();
    if (tree.hosts.size <= FEWEST_HOSTS || !tree.hosts.has(host)) return;
    await this.#cleo.run("hosts", "forget", SERVICE, host);
    agents.get(host)?.retire();
    // Its agent may have registered it once more with its last breath.
    for (let looks = 0; looks < 5; looks += 1) {
      await this.#pause(3_000);
      if (!tree.hosts.has(host)) continue;
      await this.#cleo.run("hosts", "forget", SERVICE, host);
      looks = 0;
    }
  }

  async #troubled(work: () => Promise<void>): Promise<void> {
    this.onTrouble();
    await work();
    this.onTrouble();
  }

  #anyHost(): string {
    return this.#chance.pick([...this.#fleet.agents.keys()]);
  }

  #shortly(): number {
    return this.#chance.between(1_000, 15_000);
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#fleet.time.after(ms, resolve));
  }
}
