import { isRunning, stageNow } from "../core/deploy_state.ts";
import { inOrderOfFailing, type OutHosts } from "../core/gate.ts";
import { HostStates } from "../core/host_state.ts";
import { progressOf, type Progress } from "../core/progress.ts";
import {
  isNews,
  newTimeline,
  timelineAfter,
  timelineLeft,
  type DeployChange,
  type Timeline,
} from "../core/timeline.ts";
import { timelineText } from "../core/timeline_record.ts";
import type { HostState } from "../schema/host_state.ts";
import type { ServiceMirror } from "../store/mirror.ts";
import type { DeployRead } from "../store/service_records.ts";
import { readTimeline, writeTimeline } from "../store/timelines.ts";
import { Troubles } from "../store/troubles.ts";
import type { Clock } from "../support/clock.ts";
import type { ZooKeeper } from "../zookeeper/client.ts";
import type { FleetReport } from "./fleet_report.ts";
import { HostTimes } from "./host_times.ts";

/** To tell what every host of a large fleet is to a deploy takes a while, so it is not done in each round. */
const LOOK_MS = 1_000;
/** How often it is written, while there is something new, and while there is not. */
const WRITE_MS = 5_000;
const WRITE_STILL_MS = 30_000;
const MOST_SLOW = 10;
/** How often somebody else may write the timeline of a deploy that is left. */
const MOST_TRIES = 3;

interface Options {
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly log: (level: "info" | "warn", message: string, facts: Record<string, unknown>) => void;
  readonly report: Pick<FleetReport, "serverNowMs">;
}

/** The timeline of one deploy, as this conductor carries it on. */
interface Kept {
  readonly deploy: string;
  readonly times: HostTimes;
  timeline: Timeline;
  /** Of its node, when it was read or written last; null where there is none. */
  version: number | null;
  /** Whether the last writing has come through is not known, or somebody else has written. */
  isUncertain: boolean;
  /** By the monotonic clock. */
  lookedAtMs: number;
  writtenAtMs: number;
  /** What it tells has changed since it was written. */
  isNew: boolean;
  /** The deploy has ended, all of that is written, and nothing moves any more. */
  isOver: boolean;
}

/**
 * Keeps the timeline of the newest deploy of each service, beside its record, for as long as it moves: from what the
 * conductor has read anyway. A conductor that comes later carries on what the one before has written. Whatever goes wrong
 * with it is said and tried again, and is nobody else's trouble.
 */
export class TimelineKeeper {
  readonly #options: Options;
  readonly #kept = new Map<string, Kept>();
  /** By service, before when nothing is tried again. */
  readonly #againAtMs = new Map<string, number>();
  readonly #troubles: Troubles;

  constructor(options: Options) {
    this.#options = options;
    this.#troubles = new Troubles(options.log);
  }

  /** After each round. @param alive the hosts whose agents are connected and run the service */
  async keep(mirror: ServiceMirror, alive: ReadonlySet<string>, client: ZooKeeper): Promise<void> {
    const { service } = mirror;
    const nowMs = this.#options.clock.monotonicMs();
    if (nowMs < (this.#againAtMs.get(service) ?? nowMs)) return;
    const what = `keep the timeline of the newest deploy of "${service}"`;
    try {
      await this.#keep(mirror, alive, client);
      this.#againAtMs.delete(service);
      this.#troubles.note(what, null);
    } catch (error) {
      this.#againAtMs.set(service, nowMs + WRITE_MS);
      this.#troubles.note(what, error);
    }
  }

  async #keep(mirror: ServiceMirror, alive: ReadonlySet<string>, client: ZooKeeper): Promise<void> {
    const { service, newest, deploys } = mirror;
    const deploy = newest.id === null ? undefined : deploys.get(newest.id);
    const known = this.#kept.get(service);
    if (known !== undefined && known.deploy !== newest.id) await this.#leave(mirror, known, client);
    // Without the wishes nobody knows who is to serve what: every host would look as if nothing were to come to it.
    if (deploy === undefined || mirror.unreadable.wishes || mirror.gate === null) return;
    const kept = this.#kept.get(service) ?? (await this.#open(service, deploy, client));
    this.#kept.set(service, kept);
    const isUrgent = this.#look(mirror, alive, deploy, kept);
    const { writtenAtMs, isNew, isOver } = kept;
    const sinceMs = this.#options.clock.monotonicMs() - writtenAtMs;
    const isDue = isNew ? sinceMs >= WRITE_MS : !isOver && sinceMs >= WRITE_STILL_MS;
    if (isUrgent || isDue) await this.#write(service, kept, client);
  }

  async #open(service: string, deploy: DeployRead, client: ZooKeeper): Promise<Kept> {
    const found = await readTimeline(client, service, deploy.id);
    if (found !== null && found.problem !== null)
      this.#options.log("warn", "a timeline that cannot be read is begun anew", { service, problem: found.problem });
    return {
      deploy: deploy.id,
      times: new HostTimes(deploy.id),
      timeline: found?.timeline ?? newTimeline(deploy.madeAtMs),
      version: found?.version ?? null,
      isUncertain: false,
      lookedAtMs: Number.NEGATIVE_INFINITY,
      writtenAtMs: Number.NEGATIVE_INFINITY,
      isNew: false,
      // Of a deploy that had ended before anybody kept a timeline of it there is nothing to tell.
      isOver:
        !isRunning(deploy.record) && (found === null || !isNews(found.timeline ?? newTimeline(0), saidBy(deploy))),
    };
  }

  /** @returns whether there is something that has to be written at once */
  #look(mirror: ServiceMirror, alive: ReadonlySet<string>, deploy: DeployRead, kept: Kept): boolean {
    const { clock } = this.#options;
    const said = saidBy(deploy);
    const isChanged = isNews(kept.timeline, said);
    const mayGoOn = kept.version !== null || isRunning(deploy.record);
    if (kept.isOver && !(isChanged && mayGoOn)) return false;
    // In each round, since what a host says next hides what it said before.
    kept.times.look(mirror.statuses, mirror.statusNodes);
    const nowMs = clock.monotonicMs();
    if (!isChanged && nowMs - kept.lookedAtMs < LOOK_MS) return false;
    kept.lookedAtMs = nowMs;
    const progress = progressOf({ wishes: mirror.wishes, hosts: mirror.hosts, status: mirror.statuses, alive }, deploy);
    const serverNowMs = this.#options.report.serverNowMs ?? lastWrittenMs(mirror, deploy);
    const startedAtMs = kept.timeline.startedAtMs;
    const before = kept.timeline;
    kept.timeline = timelineAfter(before, {
      atMs: serverNowMs - startedAtMs,
      counts: countsIn(mirror, alive, deploy, progress),
      change: { ...said, atMs: said.atMs - startedAtMs },
      slowest: kept.times.slowest(MOST_SLOW, serverNowMs),
      failed: failuresIn(deploy.out),
    });
    const { samples, failed } = kept.timeline;
    kept.isNew ||= samples.at(-1) !== before.samples.at(-1) || failed !== before.failed;
    const wasOver = kept.isOver;
    kept.isOver = !isRunning(deploy.record) && !progress.moving;
    return isChanged || kept.isOver !== wasOver;
  }

  /** A newer deploy has come: what its record says last is all that there is to tell of this one. */
  async #leave({ service, deploys }: ServiceMirror, kept: Kept, client: ZooKeeper): Promise<void> {
    const deploy = deploys.get(kept.deploy);
    if (deploy !== undefined && kept.version !== null) {
      const said = saidBy(deploy);
      for (let tries = 1; tries <= MOST_TRIES; tries += 1) {
        const timeline = timelineLeft(kept.timeline, { ...said, atMs: said.atMs - kept.timeline.startedAtMs });
        if (timeline === kept.timeline && !kept.isNew) break;
        kept.timeline = timeline;
        await this.#write(service, kept, client);
      }
    }
    // Not before it is written: one that could not be is written in a later round.
    this.#kept.delete(service);
  }

  async #write(service: string, kept: Kept, client: ZooKeeper): Promise<void> {
    kept.writtenAtMs = this.#options.clock.monotonicMs();
    kept.isNew = true;
    if (kept.isUncertain && !(await this.#isOurs(service, kept, client))) return;
    const { text, timeline } = timelineText(kept.timeline);
    kept.timeline = timeline;
    kept.isUncertain = true;
    const version = await writeTimeline(client, service, kept.deploy, text, kept.version);
    if (version === null) return;
    kept.version = version;
    kept.isUncertain = false;
    kept.isNew = false;
  }

  /** Of two conductors at once the one writes that has seen more; the other goes on from what that one has written. */
  async #isOurs(service: string, kept: Kept, client: ZooKeeper): Promise<boolean> {
    const found = await readTimeline(client, service, kept.deploy);
    kept.version = found?.version ?? null;
    const theirs = found?.timeline ?? null;
    if (theirs === null || theirs.untilMs <= kept.timeline.untilMs) return true;
    kept.timeline = theirs;
    kept.isUncertain = false;
    return false;
  }
}

/** Where the time is not known by ZooKeeper's clock it is later than this. */
function lastWrittenMs({ statusNodes }: ServiceMirror, { writtenAtMs }: DeployRead): number {
  let last = writtenAtMs;
  for (const node of statusNodes.values()) last = Math.max(last, node.writtenAtMs);
  return last;
}

function saidBy({ record, writtenAtMs }: DeployRead): DeployChange {
  return { state: record.state, stage: stageNow(record), atMs: writtenAtMs };
}

/** Every host of the service, by what it is to the deploy: as a monitor shows them. */
function countsIn(
  { hosts, statuses }: ServiceMirror,
  alive: ReadonlySet<string>,
  { record }: DeployRead,
  progress: Progress,
): Partial<Record<HostState, number>> {
  const states = new HostStates(record, progress);
  const counts: Partial<Record<HostState, number>> = {};
  for (const [host, each] of hosts) {
    const state = states.of(host, each, statuses.get(host) ?? null, alive.has(host));
    counts[state] = (counts[state] ?? 0) + 1;
  }
  return counts;
}

function failuresIn(out: OutHosts): { readonly host: string; readonly reason: string }[] {
  return inOrderOfFailing(out, Object.keys(out.failed)).map(({ host, failure }) => ({ host, reason: failure.reason }));
}
