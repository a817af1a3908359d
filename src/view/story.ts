import { buildWanted, endedAt, goesBack, isInLastStage, isRunning } from "../core/deploy_state.ts";
import { phaseOf } from "../core/host_state.ts";
import { failuresIn, goingBack, type DeployView, type HostFailure } from "./deploy.ts";
import type { DeployOutcome } from "./deploy_events.ts";
import { secondsBetween } from "./times.ts";

/** With up to this many hosts, the restart and the serving of each host are told; with more, only how many serve. */
const FEW_HOSTS = 5;
const MANY_HOSTS = 20;

/** What a host does for this deploy. */
type Doing =
  | { readonly kind: "nothing" | "preparing" | "ready" | "restarting" | "going back" | "serving" }
  /** Something failed and is being retried. */
  | {
      readonly kind: "in trouble";
      readonly step: string;
      readonly message: string;
      readonly until: string | undefined;
    };

/** What a host says; `as` names another host that has said the same before. */
export type Said = { readonly text: string } | { readonly as: string };

/** One piece of news of a deploy. */
export type News =
  | { readonly kind: "first seen"; readonly view: DeployView }
  | { readonly kind: "turned back"; readonly view: DeployView }
  /** Who has promoted it; null where its wait was over. */
  | { readonly kind: "next stage"; readonly to: string; readonly who: string | null }
  | { readonly kind: "resumed"; readonly who: string }
  | { readonly kind: "connected" | "disconnected"; readonly host: string }
  | {
      readonly kind: "serves";
      readonly host: string;
      readonly build: string;
      readonly nth: number;
      readonly of: number;
    }
  | { readonly kind: "restarts"; readonly host: string; readonly build: string }
  | { readonly kind: "goes back"; readonly host: string }
  | {
      readonly kind: "in trouble";
      readonly host: string;
      readonly build: string;
      readonly step: string;
      readonly until: string | undefined;
      readonly said: Said;
    }
  /** `said` is null if it was already told when the host was in trouble with it. */
  | { readonly kind: "failed"; readonly failure: HostFailure; readonly said: Said | null }
  | { readonly kind: "prepared"; readonly build: string; readonly hosts: number }
  | { readonly kind: "progress"; readonly view: DeployView }
  | {
      readonly kind: "outcome";
      readonly outcome: DeployOutcome;
      readonly view: DeployView;
      readonly tookMs: number;
      /** Failures of the build that the deploy brings to its hosts. */
      readonly failures: readonly HostFailure[];
    };

/**
 * A deploy as it is told to people, reading by reading: only what this deploy changes, and each thing once. What hosts
 * say about an older deploy or about the build that they served before, and a sentence that was told already, are no
 * news.
 */
export class Story {
  #before: DeployView | null = null;
  readonly #doing = new Map<string, Doing["kind"]>();
  /** Failures that were told already, by host and time. */
  readonly #failures = new Set<string>();
  /** Sentences that were told already, each with the host that said it first. */
  readonly #sentences = new Map<string, string>();
  /** Reasons of failures that were told already with their hint and log. */
  readonly #helped = new Set<string>();
  #outcomeTold: DeployOutcome["kind"] | null = null;
  #hasPrepared = false;
  #tenths = 0;

  /** The news of one more reading. */
  tell(view: DeployView, outcome: DeployOutcome | null, at: Date): News[] {
    const before = this.#before;
    this.#before = view;
    const news: News[] = [
      ...(before === null ? [{ kind: "first seen", view } as const] : turns(before, view)),
      // A deploy that is already over when it is first seen is told by its outcome alone.
      ...(before === null && outcome !== null ? [] : this.#hosts(before, view)),
      ...this.#failed(view, outcome !== null),
      ...(outcome === null ? this.#progress(before, view) : []),
      ...(outcome === null || outcome.kind === this.#outcomeTold ? [] : [outcomeNews(outcome, view, at)]),
    ];
    this.#outcomeTold = outcome?.kind ?? null;
    return news;
  }

  #hosts(before: DeployView | null, view: DeployView): News[] {
    const hosts = view.live?.progress.hosts ?? [];
    const isFew = hosts.length <= FEW_HOSTS;
    const isMany = hosts.length > MANY_HOSTS;
    const build = buildWanted(view.record);
    let served = [...this.#doing.values()].filter((kind) => kind === "serving").length;
    return hosts.flatMap((host): News[] => {
      const news: News[] = [];
      const connected = view.connected.has(host);
      if (before !== null && before.connected.has(host) !== connected && !isMany)
        news.push({ kind: connected ? "connected" : "disconnected", host });
      const doing = doingOf(view, host);
      const last = this.#doing.get(host) ?? "nothing";
      this.#doing.set(host, doing.kind);
      if (doing.kind === "in trouble") {
        const { message, ...rest } = doing;
        const said = this.#sentence(host, message);
        return said === null ? news : [...news, { ...rest, host, build, said }];
      }
      if (doing.kind === last) return news;
      // On the first reading nothing has changed yet, and the progress tells the current state.
      if (doing.kind === "serving") served += 1;
      if (before === null || isMany) return news;
      if (doing.kind === "serving") news.push({ kind: "serves", host, build, nth: served, of: hosts.length });
      if (doing.kind === "restarting" && isFew) news.push({ kind: "restarts", host, build });
      if (doing.kind === "going back") news.push({ kind: "goes back", host });
      return news;
    });
  }

  /**
   * A sentence that many hosts say is told once in full; for the others it is told that they say the same. Null if this
   * host has said it already.
   */
  #sentence(host: string, message: string): Said | null {
    // The number of bytes after which a download broke off does not make the sentence a different one.
    const same = message.replace(/\bafter \d+ of /, "after some of ");
    const first = this.#sentences.get(same);
    const own = `${host}\n${same}`;
    if (this.#sentences.has(own)) return null;
    this.#sentences.set(own, host);
    if (first !== undefined) return { as: first };
    this.#sentences.set(same, host);
    return { text: message };
  }

  #failed(view: DeployView, isLast: boolean): News[] {
    const unfinished = goingBack(view);
    return ownFailures(view).flatMap((failure): News[] => {
      const { host, reason } = failure;
      const since = view.live?.out.failed[host]?.since ?? "";
      const isToldWhole = failure.step !== "" || !view.connected.has(host) || isLast;
      if (this.#failures.has(`${host} ${since}`) || !isToldWhole || unfinished.includes(host)) return [];
      this.#failures.add(`${host} ${since}`);
      // What the host said while in trouble is not repeated. The hint and the log, which a trouble does not have, are
      // told for the first host.
      const said = this.#sentence(host, reason);
      const rest = this.#helped.has(reason) ? { hint: "", log: "" } : {};
      this.#helped.add(reason);
      return [{ kind: "failed", failure: { ...failure, ...rest }, said }];
    });
  }

  #progress(before: DeployView | null, view: DeployView): News[] {
    if (view.live === null) return [];
    const { hosts, serving } = view.live.progress;
    const news: News[] = [];
    if (!this.#hasPrepared) {
      const kinds = hosts.filter((host) => view.connected.has(host)).map((host) => this.#doing.get(host));
      const waits = kinds.filter((kind) => kind === "nothing" || kind === "preparing" || kind === "in trouble");
      this.#hasPrepared = kinds.length > 0 && waits.length === 0;
      if (this.#hasPrepared && before !== null && !goesBack(view.record))
        news.push({ kind: "prepared", build: buildWanted(view.record), hosts: kinds.length });
    }
    const tenths = Math.floor((10 * serving.length) / Math.max(1, hosts.length));
    const isWorthIt = before === null ? serving.length > 0 : hosts.length > MANY_HOSTS && tenths !== this.#tenths;
    this.#tenths = tenths;
    if (isWorthIt) news.push({ kind: "progress", view });
    return news;
  }
}

/** What a person has decided meanwhile. */
function turns({ record: from }: DeployView, view: DeployView): News[] {
  const { record } = view;
  if (record.state === "rolling back" && from.state !== "rolling back") return [{ kind: "turned back", view }];
  if (record.stage > from.stage) {
    const by = record.acts.length > from.acts.length ? record.acts.at(-1) : undefined;
    const to = isInLastStage(record) ? "the fleet" : (record.stages[record.stage]?.hosts ?? "");
    return [{ kind: "next stage", to, who: by?.act === "promoted" ? by.who : null }];
  }
  if (from.state === "paused" && isRunning(record) && record.state !== "paused") {
    return [{ kind: "resumed", who: record.acts.at(-1)?.who ?? "" }];
  }
  return [];
}

function outcomeNews(outcome: DeployOutcome, view: DeployView, at: Date): News {
  const { record } = view;
  const tookMs = secondsBetween(record.times.created, endedAt(record) ?? at) * 1000;
  return { kind: "outcome", outcome, view, tookMs, failures: ownFailures(view) };
}

/**
 * Failures of the build that the deploy brings to its hosts: on a rollback, the failures that led to it are known
 * already.
 */
function ownFailures(view: DeployView): HostFailure[] {
  const build = buildWanted(view.record);
  return failuresIn(view).filter((failure) => failure.build === build);
}

function doingOf(view: DeployView, host: string): Doing {
  const { id, record, statuses, live } = view;
  const status = statuses.get(host);
  const build = buildWanted(record);
  if (status === undefined || status.wish?.deploy !== id || status.wish.build !== build) return { kind: "nothing" };
  const hasSlot = live?.out.slots[host] !== undefined;
  const isOwn = status.error === null || status.error.build === build;
  const hasWayBack = record.previous !== null;
  if (status.rollingBack) {
    // Its slot becomes a failure as soon as it says that it failed.
    const isOfDeploy = hasSlot || goingBack(view).includes(host);
    return { kind: isOwn && isOfDeploy && hasWayBack ? "going back" : "nothing" };
  }
  const phase = phaseOf(status, true);
  if (status.error !== null && isOwn && phase === "preparing") {
    const { step, message, until } = status.error;
    return { kind: "in trouble", step, message, until };
  }
  if (status.step === "serving") return { kind: status.build === build ? "serving" : "nothing" };
  switch (phase) {
    case "preparing":
    case "ready":
      return { kind: phase };
    case "restarting":
      // Without a slot of this deploy, the host is finishing what an older deploy began.
      return { kind: hasSlot ? "restarting" : "nothing" };
    default:
      return { kind: "nothing" };
  }
}
