import { isRunning } from "../core/deploy_state.ts";
import { deployShown, newestOf, placesOf, type ServiceReport } from "../core/service_report.ts";
import type { LivingAgents } from "../store/living_agents.ts";
import type { ServiceMirror } from "../store/mirror.ts";
import type { DeployRead } from "../store/service_records.ts";
import type { Clock } from "../support/clock.ts";
import { ProgressWatch } from "./progress_watch.ts";

interface Watched {
  readonly mirror: ServiceMirror;
  readonly agents: LivingAgents;
  readonly progress: ProgressWatch;
}

interface Term {
  readonly watched: Map<string, Watched>;
  /** How far ZooKeeper's clock is ahead of this machine's monotonic one; null where that is not known. */
  readonly serverAheadMs: number | null;
}

/** The state of all services, for anyone who asks this agent while it conducts. */
export class FleetReport {
  readonly #clock: Pick<Clock, "monotonicMs">;
  #term: Term | null = null;

  constructor(clock: Pick<Clock, "monotonicMs">) {
    this.#clock = clock;
  }

  /** This agent conducts from now on. @param serverNowMs the time by ZooKeeper's clock; null where that is not known */
  begin(serverNowMs: number | null): void {
    const serverAheadMs = serverNowMs === null ? null : serverNowMs - this.#clock.monotonicMs();
    this.#term = { watched: new Map(), serverAheadMs };
  }

  /** This agent conducts no more, though a round of its conductor may still be under way. */
  end(): void {
    this.#term = null;
  }

  /** Keeps only the services that exist; nothing is reported of others any more. */
  keep(services: ReadonlySet<string>): void {
    for (const service of this.#term?.watched.keys() ?? [])
      if (!services.has(service)) this.#term?.watched.delete(service);
  }

  /** The conductor has read a service. */
  saw(mirror: ServiceMirror, agents: LivingAgents): void {
    if (this.#term === null) return;
    const { watched } = this.#term;
    const known = watched.get(mirror.service);
    const progress = known?.mirror === mirror ? known.progress : new ProgressWatch();
    if (known?.mirror !== mirror) watched.set(mirror.service, { mirror, agents, progress });
    const nowMs = this.#clock.monotonicMs();
    progress.look(newestIn(mirror), mirror.statuses, nowMs, ({ id }) => this.#stillBefore(mirror, id, nowMs));
  }

  /** The time by ZooKeeper's clock, in epoch milliseconds; null where it is not known. */
  get serverNowMs(): number | null {
    const ahead = this.#term?.serverAheadMs ?? null;
    return ahead === null ? null : this.#clock.monotonicMs() + ahead;
  }

  /** The newest deploy of the service, and for how long nothing has moved in it; null where there is none. */
  still(mirror: ServiceMirror): { readonly deploy: string; readonly forMs: number } | null {
    const watched = this.#term?.watched.get(mirror.service);
    const deploy = newestIn(mirror);
    if (watched === undefined || deploy === null) return null;
    return { deploy: deploy.id, forMs: watched.progress.stillForMs(this.#clock.monotonicMs()) };
  }

  /** Null while this agent does not conduct. */
  get services(): readonly ServiceReport[] | null {
    if (this.#term === null) return null;
    const nowMs = this.#clock.monotonicMs();
    return [...this.#term.watched.values()].map(({ mirror, agents, progress }): ServiceReport => {
      const { service, wishes, hosts, statuses } = mirror;
      const alive = agents.running(service);
      const deploy = newestIn(mirror);
      const connected = [...hosts.keys()].filter((host) => alive.has(host)).length;
      return {
        service,
        deploy: deploy === null ? null : deployShown(deploy),
        hosts:
          deploy === null
            ? { serving: 0, failed: 0, away: 0, restarting: 0, waiting: 0 }
            : placesOf({ wishes, hosts, status: statuses, alive }, deploy),
        agents: { connected, away: hosts.size - connected },
        unreadable: mirror.problems.length,
        stillForMs:
          deploy !== null && isRunning(deploy.record) && deploy.record.state !== "paused"
            ? progress.stillForMs(nowMs)
            : 0,
      };
    });
  }

  /**
   * How long nothing has moved, by the times at which ZooKeeper says records were written: a deploy that stands still
   * keeps that time under the next conductor.
   */
  #stillBefore({ deploys, statuses, statusNodes }: ServiceMirror, id: string, nowMs: number): number {
    const serverAheadMs = this.#term?.serverAheadMs ?? null;
    if (serverAheadMs === null) return 0;
    let lastMs = deploys.get(id)?.writtenAtMs ?? 0;
    for (const [host, { wish }] of statuses)
      if (wish?.deploy === id) lastMs = Math.max(lastMs, statusNodes.get(host)?.writtenAtMs ?? 0);
    return Math.max(0, nowMs + serverAheadMs - lastMs);
  }
}

/** Null also where the wished deploy cannot be read: an older one must not be shown in its place. */
function newestIn({ deploys, wishes, unreadable }: ServiceMirror): DeployRead | null {
  const wished = [wishes.enabled?.deploy, wishes.canary?.deploy];
  const isHidden = unreadable.wishes || wished.some((id) => id !== undefined && unreadable.deploys.has(id));
  return isHidden ? null : newestOf(deploys.values());
}
