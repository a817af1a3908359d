import type { Base, DeployRecord } from "../schema/deploy_record.ts";
import { zoneOf } from "../schema/stages.ts";
import type { HostRecord, HostStatus, ServiceSettings } from "../schema/znodes.ts";
import { nothingHeldBack } from "./between_services.ts";
import type { ConductedService } from "./conducted.ts";
import { activating } from "./deploy.ts";
import { isOnCanaries } from "./deploy_state.ts";
import { emptyGate, outBy, type Gate } from "./gate.ts";
import { grants } from "./grants.ts";
import { allowedBy, baseNow, type Allowed } from "./limit_base.ts";
import { soakMsOf } from "./limits.ts";
import { nothingReached, reachAfter, reaches, stageText } from "./stages.ts";

/*
 * What a deploy would do, computed before there is one. The order of its hosts and how many of them go at once come from
 * the function that grants slots (core/grants.ts), asked round after round as if every host went well, so that a plan
 * cannot say anything else than what a conductor does.
 */

/** A service as it stands. */
export interface PlannedService {
  readonly hosts: ReadonlyMap<string, HostRecord>;
  readonly statuses: ReadonlyMap<string, HostStatus>;
  /** Hosts whose agent is connected. */
  readonly alive: ReadonlySet<string>;
  readonly gate: Gate | null;
  readonly settings: ServiceSettings;
}

/** Hosts that restart at once. */
type Wave = readonly string[];

export interface PlannedStage {
  /** As it is typed: "canary", "10%/5m". */
  readonly stage: string;
  /** The hosts that it comes to, and that no stage before it came to. */
  readonly hosts: readonly string[];
  /** The hosts that would change, as far as they can be reached and are not held. */
  readonly waves: readonly Wave[];
  /** Hosts that would change and are in none of the waves, since there would be too many of those to list. */
  readonly uncounted: number;
  /** How many waves those make at the least. */
  readonly moreWaves: number;
  /** The most hosts that are out of service in it at once. */
  readonly atOnce: number;
  /** Hosts that would change and that never get a slot while others are held or ill, as those take up the limits. */
  readonly blocked: readonly string[];
  /** For what it waits before the next stage: a person, or so many milliseconds; null for the last. */
  readonly wait: "promote" | number | null;
  /** How long a host must stay healthy, in milliseconds. */
  readonly soakMs: number;
}

/** A host that the deploy cannot simply be brought to, and why. */
export interface SpecialHost {
  readonly host: string;
  readonly is: "unreachable" | "held" | "unhealthy";
}

export interface RolloutPlan {
  readonly stages: readonly PlannedStage[];
  readonly limits: Allowed;
  readonly base: Base;
  /** Hosts that serve the build already. */
  readonly serving: readonly string[];
  /** Hosts that would change, those that cannot be reached now among them. */
  readonly changing: readonly string[];
  readonly special: readonly SpecialHost[];
}

/** How many waves of a stage are computed; of a large fleet with a small limit there may be thousands. */
const MOST_WAVES = 100;
/** Of how many hosts the next ones are chosen, unless those are too few. */
const LEAST_LOOKED_AT = 64;

/** @param record the deploy as it would be started */
export function planRollout(service: PlannedService, id: string, record: DeployRecord, now: Date): RolloutPlan {
  const { hosts, statuses, alive, gate } = service;
  const base = baseNow({ hosts, status: statuses });
  const started = activating(record, base, now);
  const limits = allowedBy(started, () => base);
  const isServing = (host: string): boolean =>
    record.restarts !== true && statuses.get(host)?.build === record.build && statuses.get(host)?.health !== "nothing";
  const isHeld = (host: string): boolean => gate?.holds.has(host) === true || hosts.get(host)?.hold !== undefined;
  const all = [...hosts.keys()].toSorted(byName);
  const changing = all.filter((host) => !isServing(host));
  const fleet = new Fleet(service, id, now);
  const stages = stagesOf(started, id, hosts).map(({ at, names, record: inStage }): PlannedStage => {
    const { hosts: which, wait } = inStage.stages[at] ?? { hosts: "100%", wait: 0 };
    const going = names.filter((host) => !isServing(host) && alive.has(host) && !isHeld(host));
    const { waves, left } = fleet.roll(going, inStage);
    const atOnce = Math.max(0, ...waves.map((wave) => wave.length));
    const isCut = waves.length >= MOST_WAVES;
    return {
      stage: stageText({ hosts: which, wait }),
      hosts: names,
      waves,
      uncounted: isCut ? left.length : 0,
      moreWaves: isCut && atOnce > 0 ? Math.ceil(left.length / atOnce) : 0,
      atOnce,
      blocked: isCut ? [] : left,
      wait: at === inStage.stages.length - 1 ? null : wait,
      soakMs: soakMsOf(record, zoneOf(which) ?? undefined),
    };
  });
  const special = changing.flatMap((host): SpecialHost[] => {
    if (isHeld(host)) return [{ host, is: "held" }];
    if (!alive.has(host)) return [{ host, is: "unreachable" }];
    return statuses.get(host)?.health === "unhealthy" ? [{ host, is: "unhealthy" }] : [];
  });
  return { stages, limits, base, serving: all.filter(isServing), changing, special };
}

/** Each stage, the hosts that it is the first to come to, and the record of the deploy in that stage. */
function stagesOf(
  started: DeployRecord,
  id: string,
  hosts: ReadonlyMap<string, HostRecord>,
): { readonly at: number; readonly names: string[]; readonly record: DeployRecord }[] {
  const come = new Set<string>();
  let reach = started.reach ?? nothingReached;
  return started.stages.map((_, at) => {
    const onCanaries = isOnCanaries({ stages: started.stages, stage: at });
    if (!onCanaries) reach = reachAfter(started.stages, at, id, hosts, reach);
    const names = [...hosts]
      .filter(([host, { role, zone }]) => {
        if (come.has(host)) return false;
        return role === "canary" || (!onCanaries && reaches(reach, id, host, zone));
      })
      .map(([host]) => host)
      .toSorted(byName);
    for (const host of names) come.add(host);
    const state = onCanaries ? "canary" : "rolling";
    const { reach: __, ...rest } = started;
    return { at, names, record: { ...rest, stage: at, state, ...(onCanaries ? {} : { reach }) } };
  });
}

/** The fleet while hosts are granted slots, restart and serve; what one stage has done is there in the next. */
class Fleet {
  readonly #service: PlannedService;
  readonly #id: string;
  readonly #now: Date;
  readonly #statuses: Map<string, HostStatus>;
  /** Who is out of service now for another reason: held, or unhealthy since it failed. */
  #gate: Gate;

  constructor(service: PlannedService, id: string, now: Date) {
    this.#service = service;
    this.#id = id;
    this.#now = now;
    this.#statuses = new Map(service.statuses);
    const { holds, failed } = service.gate ?? emptyGate;
    this.#gate = { ...emptyGate, holds, failed };
  }

  /** Grants slots to these hosts, as if each of them went well, until all have served. */
  roll(names: readonly string[], record: DeployRecord): { readonly waves: Wave[]; readonly left: string[] } {
    const { hosts } = this.#service;
    const isCanary = (host: string): boolean => hosts.get(host)?.role === "canary";
    // The order in which slots are granted, so that the first of them are all that has to be looked at.
    let left = names.toSorted((a, b) => Number(isCanary(b)) - Number(isCanary(a)) || byName(a, b));
    const { max } = allowedBy(record, () => ({ hosts: 0, zones: {} }));
    const room = Math.max(1, max - this.#gate.holds.size);
    let looked = Math.max(LEAST_LOOKED_AT, 2 * max);
    const waves: Wave[] = [];
    while (left.length > 0 && waves.length < MOST_WAVES) {
      const granted = grants(this.#view(new Set(left.slice(0, looked)), record), new Set()).map(({ host }) => host);
      if (granted.length < room && looked < left.length) {
        // The zones of the first may be full.
        looked *= 2;
        continue;
      }
      if (granted.length === 0) break;
      waves.push(granted);
      const gone = new Set(granted);
      left = left.filter((host) => !gone.has(host));
      for (const host of granted) this.#serves(host, record.build);
    }
    return { waves, left: left.toSorted(byName) };
  }

  #serves(host: string, build: string): void {
    this.#statuses.set(host, { ...this.#ready(host, build), build, step: "serving", health: "healthy" });
    const failed = new Map(this.#gate.failed);
    failed.delete(host);
    this.#gate = { ...this.#gate, failed };
  }

  /** What a host says that has prepared the build and waits; what it serves, and how that is, stays as it is. */
  #ready(host: string, build: string): HostStatus {
    const said = this.#statuses.get(host) ?? nothingSaid(this.#now);
    return { ...said, step: "ready", begun: false, wish: { build, deploy: this.#id }, since: this.#now.toISOString() };
  }

  /** Only those that count are looked at, so that a large fleet takes no longer than its waves. */
  #view(left: ReadonlySet<string>, record: DeployRecord): ConductedService {
    const { hosts, alive, settings } = this.#service;
    const { build } = record;
    const counted = [...hosts].filter(([host]) => left.has(host) || this.#isOut(host));
    const wish = { build, deploy: this.#id, ...(record.reach === undefined ? {} : { reach: record.reach }) };
    return {
      wishes: isOnCanaries(record) ? { enabled: null, canary: wish } : { enabled: wish, canary: null },
      gate: this.#gate,
      limits: settings,
      heldBack: nothingHeldBack,
      deploys: [{ id: this.#id, record, recordVersion: 0, writtenAtMs: 0, out: outBy(this.#gate, this.#id) }],
      hosts: new Map(counted),
      status: new Map(
        counted.flatMap(([host]) => {
          const said = left.has(host) ? this.#ready(host, build) : this.#statuses.get(host);
          return said === undefined ? [] : [[host, said] as const];
        }),
      ),
      unreadable: noneUnreadable,
      barred: new Map(),
      builds: new Set([build]),
      alive,
      missingSince: new Map(),
      nowMs: 0,
      lostAfterMs: 0,
      serverNowMs: null,
      still: null,
      now: this.#now,
      leftOut: new Set(),
    };
  }

  #isOut(host: string): boolean {
    const { holds, failed } = this.#gate;
    return holds.has(host) || failed.has(host) || this.#statuses.get(host)?.health === "unhealthy";
  }
}

const noneUnreadable = {
  wishes: false,
  deploys: new Set<string>(),
  hosts: new Set<string>(),
  statuses: new Set<string>(),
  builds: new Set<string>(),
};

/** What a host says that has registered and done nothing yet. */
function nothingSaid(now: Date): HostStatus {
  return {
    build: null,
    health: "nothing",
    wish: null,
    step: "idle",
    rollingBack: false,
    attempt: 0,
    begun: false,
    since: now.toISOString(),
    failure: null,
    error: null,
    log: "",
  };
}

/** As the conductor orders hosts that wait for the same time. */
function byName(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
