import { heededBy } from "../core/between_services.ts";
import type { ConductedService } from "../core/conducted.ts";
import { grantsWithheld } from "../core/grants.ts";
import { deploysIn } from "../core/targets.ts";
import { conduct, type Round } from "../core/rollout.ts";
import { carryOut, type HeededService, type RoundBasis } from "../store/carry_out.ts";
import { restoreGate } from "../store/gate.ts";
import { LivingAgents } from "../store/living_agents.ts";
import { ServiceMirror } from "../store/mirror.ts";
import { agentPath, agentsPath, deployPath, servicesPath, statusPath } from "../store/paths.ts";
import { prunable, removeDeploy } from "../store/prune.ts";
import { childrenOf, ensurePath } from "../store/records.ts";
import { heldBackIn } from "../store/services_now.ts";
import { isOfTimelines } from "../store/timelines.ts";
import { Bell } from "../support/bell.ts";
import { every, type Clock } from "../support/clock.ts";
import { Adoption } from "./adoption.ts";
import type { FleetReport } from "./fleet_report.ts";
import type { Notifying } from "./notifying.ts";
import { roundTold } from "./round_told.ts";
import { MissingHosts } from "./missing_hosts.ts";
import { RoundPace } from "./round_pace.ts";
import { TimelineKeeper } from "./timeline_keeper.ts";
import type { Troubles } from "../store/troubles.ts";
import { serviceSettingsSchema } from "../schema/znodes.ts";
import type { WatchEvent } from "../zookeeper/client.ts";
import { isZooKeeperError } from "../zookeeper/errors.ts";
import type { Session } from "../zookeeper/session.ts";

export const CONDUCT = "conduct deploys";

/** The passing of time matters too: a slot holder that stays away counts as lost at some point. */
const TICK_MS = 2_000;
/** How many times in a row a round may be refused because what was read is out of date, until the next tick. */
const MOST_IN_VAIN = 10;
/** A large fleet in motion changes faster than it can be read; a decision made then is checked when it is written. */
const MAX_REFRESHES = 3;

export interface ConductorOptions {
  readonly session: Session;
  readonly clock: Clock;
  readonly sessionTimeoutMs: number;
  readonly log: (level: "info" | "warn", message: string, facts: Record<string, unknown>) => void;
  /** The agent's list of failures, for those that keep its conductor from conducting. */
  readonly troubles: Troubles;
  /** Called with what was read. */
  readonly report: Pick<FleetReport, "saw" | "keep" | "still" | "serverNowMs">;
  /** The same, for those who are told what becomes of deploys. */
  readonly notifying: Pick<Notifying, "saw" | "keep">;
}

/**
 * Grants slots and moves deploys through their states while this agent is elected. It keeps nothing that is not in the
 * tree, except how long it has missed an agent.
 */
export class Conductor {
  readonly #options: ConductorOptions;
  readonly #mirrors = new Map<string, ServiceMirror>();
  /** What could not be read, by service: logged when it changes, not in every round. */
  readonly #said = new Map<string, string>();
  readonly #adoption: Adoption;
  readonly #timelines: TimelineKeeper;
  readonly #missing = new MissingHosts();
  /** By service, how many rounds in a row were refused. */
  readonly #vain = new Map<string, number>();
  /** By service, the hosts of which a change was refused in the last round. */
  readonly #leftOut = new Map<string, ReadonlySet<string>>();
  readonly #bell: Bell;
  readonly #agents = new LivingAgents();
  #servicesStale = true;

  constructor(options: ConductorOptions) {
    this.#options = options;
    this.#adoption = new Adoption(options);
    this.#timelines = new TimelineKeeper(options);
    this.#bell = new Bell(options.clock);
  }

  /** Conducts until the signal is aborted, because it is no longer elected or the agent ends. */
  async run(signal: AbortSignal): Promise<void> {
    const { session, clock, troubles } = this.#options;
    const { client } = session;
    const pace = new RoundPace(clock);
    let removals: { remove(): Promise<void> }[] = [];
    try {
      await ensurePath(client, servicesPath);
      await ensurePath(client, agentsPath);
      removals = await this.#watch(signal);
      while (!signal.aborted && session.client === client) {
        try {
          await pace.round(() => this.#round());
          troubles.note(CONDUCT, null);
        } catch (error) {
          if (!signal.aborted) troubles.note(CONDUCT, error);
          this.#markAll();
        }
        await this.#bell.wait(TICK_MS, signal);
        await pace.rest(signal);
      }
    } finally {
      await Promise.allSettled(removals.map((removal) => removal.remove()));
    }
  }

  async #watch(signal: AbortSignal): Promise<{ remove(): Promise<void> }[]> {
    const { clock, session } = this.#options;
    const { client } = session;
    try {
      return [
        await client.addWatch(servicesPath, "persistent-recursive", (event) => this.#onService(event), { signal }),
        await client.addWatch(agentsPath, "persistent-recursive", (event) => this.#onAgent(event), { signal }),
      ];
    } catch (error) {
      // Servers before 3.6 do not know such a watch (a persistent, recursive one); then everything is read at every tick.
      if (!isZooKeeperError(error, "UNIMPLEMENTED")) throw error;
      const stop = every(clock, TICK_MS, () => this.#markAll());
      return [{ remove: async () => stop() }];
    }
  }

  #onService(event: WatchEvent): void {
    if (event.type === "reconnected" || event.type === "lost") return this.#markAll();
    if (isOfTimelines(event.path)) return;
    const service = event.path.slice(servicesPath.length + 1).split("/")[0];
    const removed = event.type === "deleted" && event.path === `${servicesPath}/${service}`;
    if (service === undefined || service === "" || removed || !this.#mirrors.has(service)) this.#servicesStale = true;
    else this.#mirrors.get(service)?.mark(event.path);
    this.#bell.ring();
  }

  #onAgent(event: WatchEvent): void {
    if (event.type === "reconnected" || event.type === "lost") this.#agents.markAll();
    else this.#agents.mark(event.path);
    this.#bell.ring();
  }

  #markAll(): void {
    this.#servicesStale = true;
    this.#agents.markAll();
    for (const mirror of this.#mirrors.values()) mirror.markAll();
    this.#bell.ring();
  }

  async #round(): Promise<void> {
    const { session, report } = this.#options;
    const { client } = session;
    if (this.#servicesStale) {
      this.#servicesStale = false;
      const services = new Set(await childrenOf(client, servicesPath));
      for (const service of services)
        if (!this.#mirrors.has(service)) this.#mirrors.set(service, new ServiceMirror(service));
      for (const service of this.#mirrors.keys()) if (!services.has(service)) this.#mirrors.delete(service);
      report.keep(services);
      this.#options.notifying.keep(services);
    }
    await this.#agents.refresh(client);
    for (const mirror of this.#mirrors.values()) await this.#conductService(mirror);
  }

  async #conductService(mirror: ServiceMirror): Promise<void> {
    const { session, clock, report } = this.#options;
    const { service } = mirror;
    // What changed during the read is read again: a failure must not be judged by a status that is older than it.
    for (let tries = 0; mirror.isStale && tries < MAX_REFRESHES; tries++) await mirror.refresh(session.client);
    if (mirror.gate === null) await this.#makeGate(mirror);
    this.#sayUnreadable(mirror);
    await this.#adoption.adopt(mirror, session.client);
    report.saw(mirror, this.#agents);
    const alive = this.#agents.running(service);
    this.#missing.note(mirror, alive, clock.monotonicMs());
    const round = conduct(this.#view(mirror, alive));
    this.#leftOut.delete(service);
    if (round.moves.length + round.steps.length > 0) await this.#carryOut(mirror, round);
    else this.#vain.delete(service);
    await this.#timelines.keep(mirror, alive, session.client);
    await this.#prune(mirror);
    this.#options.notifying.saw(mirror);
  }

  #view(mirror: ServiceMirror, alive: ReadonlySet<string>): ConductedService {
    const { clock, sessionTimeoutMs, report } = this.#options;
    return {
      wishes: mirror.wishes,
      gate: mirror.gate?.gate ?? null,
      limits: mirror.settings ?? serviceSettingsSchema.parse({}),
      heldBack: heldBackIn(mirror.service, [...this.#mirrors.values()]),
      deploys: mirror.deploysThatCount,
      hosts: mirror.hosts,
      status: mirror.statuses,
      unreadable: mirror.unreadable,
      barred: mirror.barred,
      builds: new Set(mirror.builds.keys()),
      alive,
      missingSince: this.#missing.of(mirror.service),
      nowMs: clock.monotonicMs(),
      // Its session had to expire first, which took as long.
      lostAfterMs: sessionTimeoutMs,
      now: new Date(clock.now()),
      serverNowMs: report.serverNowMs,
      still: report.still(mirror),
      leftOut: this.#leftOut.get(mirror.service) ?? new Set(),
    };
  }

  /** The services that this one's rules look at: a grant rests on what was read of them. */
  #heeded(service: string): HeededService[] {
    const rules = new Map([...this.#mirrors].map(([name, { settings }]) => [name, settings?.between ?? {}]));
    return heededBy(service, rules).flatMap((name) => {
      const { gate = null, deploysVersion = 0 } = this.#mirrors.get(name) ?? {};
      return gate === null ? [] : [{ service: name, gateVersion: gate.version, deploysVersion }];
    });
  }

  async #carryOut(mirror: ServiceMirror, round: Round): Promise<void> {
    const { session, clock, log } = this.#options;
    const { service, gate } = mirror;
    if (gate === null) return;
    const outcome = await carryOut(
      session.client,
      service,
      round,
      { ...basisOf(mirror), gate, heeded: this.#heeded(service) },
      new Date(clock.now()),
    );
    mirror.keepGate(outcome.gate, outcome.moved);
    for (const id of outcome.written.keys()) mirror.mark(deployPath(service, id));
    // The gate is known as it stands now. So must the deploys be: rules between services look at both, and what is granted
    // by them checks the gate's version alone.
    if (outcome.written.size > 0) await mirror.refresh(session.client);
    if (outcome.moved.length + outcome.written.size > 0)
      log("info", "conductor: moves", roundTold(service, round, outcome));
    const { refused } = outcome;
    if (refused === null) {
      this.#vain.delete(service);
      this.#bell.ring();
      return;
    }
    if (refused.kind !== "host") mirror.markAll();
    else {
      // Whatever of it has changed is read again before the next decision.
      this.#leftOut.set(service, new Set([refused.host]));
      mirror.mark(statusPath(service, refused.host));
      this.#agents.mark(agentPath(refused.host));
    }
    // What blocks a round repeatedly goes away by itself or not at all: it can wait for the next tick.
    const tries = this.#vain.get(service) ?? 0;
    this.#vain.set(service, tries + 1);
    if (tries < MOST_IN_VAIN) this.#bell.ring();
  }

  /** Somebody has deleted a node of the gate, or an agent that was stopped half-way has not made it. */
  async #makeGate(mirror: ServiceMirror): Promise<void> {
    const { session, log } = this.#options;
    if (!mirror.isComplete) return;
    log("warn", "the gate of the service is made again: a node of it was missing", { service: mirror.service });
    await restoreGate(session.client, mirror.service);
    mirror.markAll();
    await mirror.refresh(session.client);
  }

  async #prune(mirror: ServiceMirror): Promise<void> {
    // The wished deploy must not be pruned, and here it is not known which one that is.
    if (mirror.unreadable.wishes || mirror.gate === null) return;
    const { service, wishes } = mirror;
    for (const id of prunable([...mirror.deploys.values()], deploysIn(wishes))) {
      await removeDeploy(this.#options.session.client, service, id);
      mirror.mark(deployPath(service, id));
    }
  }

  #sayUnreadable({ service, problems, unreadable, gate }: ServiceMirror): void {
    const withheld = grantsWithheld(unreadable, gate !== null);
    const all = [...(withheld === null ? [] : [withheld]), ...problems].join(" ");
    if (all === (this.#said.get(service) ?? "")) return;
    this.#said.set(service, all);
    const { log } = this.#options;
    if (all === "") log("info", "every record of the service can be read again", { service });
    else log("warn", withheld ?? "some records of the service cannot be read", { service, problems });
  }
}

function basisOf(mirror: ServiceMirror): Omit<RoundBasis, "gate" | "heeded"> {
  const { deploysVersion, pointer, statuses, statusNodes, builds, wishNodes } = mirror;
  return { deploysVersion, pointer, statuses, statusNodes, builds, wishNodes };
}
