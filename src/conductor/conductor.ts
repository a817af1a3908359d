import { newDeployId } from "../core/deploy_id.ts";
import { buildWanted } from "../core/deploy_state.ts";
import { conduct, grantsWithheld, type RolloutAction } from "../core/rollout.ts";
import { adoptWish } from "../store/adopt.ts";
import { moveDeploy } from "../store/change_deploy.ts";
import { healHost, loseHolder, reclaimSlot } from "../store/gate.ts";
import { grantSlot } from "../store/grants.ts";
import { LivingAgents } from "../store/living_agents.ts";
import { ServiceMirror } from "../store/mirror.ts";
import { agentsPath, servicesPath } from "../store/paths.ts";
import { prunable, removeDeploy } from "../store/prune.ts";
import { childrenOf, ensurePath } from "../store/records.ts";
import { Bell, pause } from "../support/bell.ts";
import { every, type Clock } from "../support/clock.ts";
import type { FleetReport } from "./fleet_report.ts";
import { MissingHosts } from "./missing_hosts.ts";
import { Troubles } from "../store/troubles.ts";
import type { Wish } from "../schema/znodes.ts";
import type { WatchEvent } from "../zookeeper/client.ts";
import { isZooKeeperError } from "../zookeeper/errors.ts";
import type { Session } from "../zookeeper/session.ts";

export const CONDUCT = "conduct deploys";

/** How long changes are collected before they are read together. */
const COALESCE_MS = 50;
/** The passing of time matters too: a slot holder that stays away counts as lost at some point. */
const TICK_MS = 2_000;
/** How many times in a row an action may fail because what was read is out of date. */
const MOST_IN_VAIN = 3;
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
  readonly report: Pick<FleetReport, "saw" | "keep">;
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
  /** Wishes that cannot be followed: the operator's mistake, shown by `ctl status`, and no failure of this agent. */
  readonly #unfollowed: Troubles;
  readonly #missing = new MissingHosts();
  /** How many times an action has failed since it last succeeded. */
  readonly #vain = new Map<string, number>();
  readonly #bell: Bell;
  readonly #agents = new LivingAgents();
  #servicesStale = true;

  constructor(options: ConductorOptions) {
    this.#options = options;
    this.#unfollowed = new Troubles(options.log);
    this.#bell = new Bell(options.clock);
  }

  /** Conducts until the signal is aborted, because it is no longer elected or the agent ends. */
  async run(signal: AbortSignal): Promise<void> {
    const { session, clock, troubles } = this.#options;
    const { client } = session;
    let removals: { remove(): Promise<void> }[] = [];
    try {
      await ensurePath(client, servicesPath);
      await ensurePath(client, agentsPath);
      removals = await this.#watch(signal);
      while (!signal.aborted && session.client === client) {
        try {
          await this.#round();
          troubles.note(CONDUCT, null);
        } catch (error) {
          if (!signal.aborted) troubles.note(CONDUCT, error);
          this.#markAll();
        }
        await this.#bell.wait(TICK_MS, signal);
        await pause(clock, COALESCE_MS, signal);
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
    }
    await this.#agents.refresh(client);
    for (const mirror of this.#mirrors.values()) await this.#conductService(mirror);
  }

  async #conductService(mirror: ServiceMirror): Promise<void> {
    const { session, clock, sessionTimeoutMs, log, report } = this.#options;
    // What changed during the read is read again: a failure must not be judged by a status that is older than it.
    for (let tries = 0; mirror.isStale && tries < MAX_REFRESHES; tries++) await mirror.refresh(session.client);
    this.#sayUnreadable(mirror);
    await this.#adopt(mirror);
    report.saw(mirror, this.#agents);
    const nowMs = clock.monotonicMs();
    const alive = this.#agents.running(mirror.service);
    this.#missing.note(mirror, alive, nowMs);
    const counted = mirror.deploysThatCount;
    const actions = conduct({
      wishes: mirror.wishes,
      deploys: counted,
      hosts: mirror.hosts,
      status: mirror.statuses,
      unreadable: mirror.unreadable,
      barred: mirror.barred,
      alive,
      missingSince: this.#missing.of(mirror.service),
      nowMs,
      lostAfterMs: 2 * sessionTimeoutMs,
    });
    let isWorthAnother = false;
    for (const action of actions) {
      const name = `${mirror.service} ${action.deploy} ${action.kind} ${"host" in action ? action.host : action.to}`;
      const tries = this.#vain.get(name) ?? 0;
      if (tries === 0) log("info", `conductor: ${action.kind}`, { service: mirror.service, ...action });
      const done = await this.#carryOut(mirror, action);
      if (done) this.#vain.delete(name);
      else this.#vain.set(name, tries + 1);
      isWorthAnother ||= done || tries < MOST_IN_VAIN;
      // Everything that was read together with it is read again before the next decision.
      mirror.mark(`${servicesPath}/${mirror.service}/deploys/${action.deploy}`);
      if (!done) mirror.markAll();
    }
    if (actions.length === 0) this.#vain.clear();
    // What blocks an action that fails repeatedly goes away by itself or not at all: it can wait for the next tick.
    if (isWorthAnother) this.#bell.ring();
    // The wished deploy must not be pruned, and here it is not known which one that is.
    if (mirror.unreadable.wishes) return;
    const wished = new Set(
      [mirror.wishes.enabled?.deploy, mirror.wishes.canary?.deploy].filter((id) => id !== undefined),
    );
    for (const id of prunable([...mirror.deploys.values()], wished)) {
      await removeDeploy(session.client, mirror.service, id);
      mirror.mark(`${servicesPath}/${mirror.service}/deploys/${id}`);
    }
  }

  #sayUnreadable({ service, problems, unreadable }: ServiceMirror): void {
    const withheld = grantsWithheld(unreadable);
    const all = [...(withheld === null ? [] : [withheld]), ...problems].join(" ");
    if (all === (this.#said.get(service) ?? "")) return;
    this.#said.set(service, all);
    const { log } = this.#options;
    if (all === "") log("info", "every record of the service can be read again", { service });
    else log("warn", withheld ?? "some records of the service cannot be read", { service, problems });
  }

  async #adopt(mirror: ServiceMirror): Promise<void> {
    const { enabled, canary } = mirror.wishes;
    const isRecorded = (wish: Wish | null): boolean =>
      wish === null ||
      (wish.deploy !== undefined && (mirror.deploys.has(wish.deploy) || mirror.unreadable.deploys.has(wish.deploy)));
    const what = `follow the wish that was written by hand for "${mirror.service}"`;
    if (isRecorded(enabled) && isRecorded(canary)) {
      this.#unfollowed.note(what, null);
      return;
    }
    const { session, clock, log } = this.#options;
    try {
      const now = new Date(clock.now());
      const id = await adoptWish(session.client, mirror.service, newDeployId(now, clock.random), now);
      if (id !== null) log("info", "a wish written by hand became a deploy", { service: mirror.service, deploy: id });
    } catch (error) {
      this.#unfollowed.note(what, error);
      return;
    }
    mirror.markAll();
    await mirror.refresh(session.client);
  }

  /** False when what was read is out of date, so that no further decision may be based on it. */
  async #carryOut(mirror: ServiceMirror, action: RolloutAction): Promise<boolean> {
    const { clock, session } = this.#options;
    const zk = session.client;
    const { service } = mirror;
    const deploy = mirror.deploys.get(action.deploy);
    if (deploy === undefined) return false;
    const now = new Date(clock.now());
    const move = (host: string) => ({ service, deploy: action.deploy, host, signal: clock.deadline(30_000) });
    try {
      switch (action.kind) {
        case "grant": {
          const build = buildWanted(deploy.record);
          const hasIt = mirror.statuses.get(action.host)?.build === build;
          const record = hasIt ? undefined : mirror.builds.get(build);
          const basis = {
            build: record === undefined ? null : { id: build, version: record.version },
            others: [...mirror.deploys.values()].filter((other) => other.id !== deploy.id),
            deploysVersion: mirror.deploysVersion,
            statusVersion: mirror.statusNodes.get(action.host)?.version ?? -1,
          };
          const zone = mirror.hosts.get(action.host)?.zone;
          const slot = {
            attempt: action.attempt,
            since: now.toISOString(),
            build,
            ...(zone === undefined ? {} : { zone }),
            ...(action.wasOut ? { wasOut: true } : {}),
          };
          const after = await grantSlot(zk, service, deploy, basis, action.host, slot);
          if (after !== null) mirror.keep(after);
          return after !== null;
        }
        case "lose":
          await loseHolder(zk, move(action.host), deploy.gate.slots[action.host]?.attempt ?? -1, now);
          return true;
        case "reclaim":
          await reclaimSlot(
            zk,
            move(action.host),
            deploy.gate.slots[action.host]?.attempt ?? -1,
            mirror.statusNodes.get(action.host)?.version ?? -1,
          );
          return true;
        case "heal":
          await healHost(zk, move(action.host));
          return true;
        case "move": {
          const { id, record, recordVersion: version } = deploy;
          await moveDeploy(zk, service, { id, record, version }, action, now);
          return true;
        }
      }
    } catch (error) {
      if (isZooKeeperError(error, "BAD_VERSION", "NO_NODE", "NODE_EXISTS")) return false;
      throw error;
    }
  }
}
