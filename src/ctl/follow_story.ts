import { buildWanted, endedAt, goesBack, reasonOf } from "../core/deploy_state.ts";
import { failuresIn, type DeployView, type HostFailure } from "./deploy_model.ts";
import {
  costText,
  failureLines,
  illnessLines,
  nextSteps,
  progressText,
  servingText,
  stateText,
  warningLines,
} from "./deploy_text.ts";
import type { Outcome } from "./follow_model.ts";
import { phaseOf } from "./host_model.ts";
import type { Paint } from "./paint.ts";
import { count, oneLine } from "./text.ts";
import { clockTime, duration, secondsBetween } from "./times.ts";

/** Up to so many hosts each of them is told of when it restarts, and when it serves; of more, how many serve. */
const FEW_HOSTS = 5;
const MANY_HOSTS = 20;

/** What a host does for this deploy. */
type Doing =
  | { readonly kind: "nothing" | "preparing" | "ready" | "restarting" | "going back" | "serving" }
  /** Something goes wrong and is tried again. */
  | {
      readonly kind: "in trouble";
      readonly step: string;
      readonly message: string;
      readonly until: string | undefined;
    };

/**
 * A deploy as it is told to people, reading by reading: what changes by it and by nothing else, each thing once. What hosts
 * say of an older deploy, a build that they served before and a sentence that was told already are no news.
 */
export class Story {
  readonly #paint: Paint;
  #before: DeployView | null = null;
  readonly #doing = new Map<string, Doing["kind"]>();
  /** Failures that were told, by host and time. */
  readonly #failures = new Set<string>();
  /** Sentences that were told, and of which host first. */
  readonly #sentences = new Map<string, string>();
  /** Reasons of failures that were told with all that helps. */
  readonly #helped = new Set<string>();
  #outcomeTold: Outcome["kind"] | null = null;
  #hasPrepared = false;
  #tenths = 0;

  constructor(paint: Paint) {
    this.#paint = paint;
  }

  /** The lines for one more reading; the first of each piece of news begins with the time of day, in UTC. */
  tell(view: DeployView, outcome: Outcome | null, at: Date): string[] {
    const before = this.#before;
    this.#before = view;
    const news = [
      ...(before === null ? [[startedText(view, this.#paint)]] : this.#turns(before, view)),
      // One that is over when it is first seen is told by its outcome.
      ...(before === null && outcome !== null ? [] : this.#hosts(before, view)),
      ...this.#failed(view, outcome !== null),
      ...(outcome === null ? this.#progress(before, view) : []),
      ...(outcome === null || outcome.kind === this.#outcomeTold ? [] : [this.#outcome(outcome, view, at)]),
    ];
    this.#outcomeTold = outcome?.kind ?? null;
    return news.flatMap(([first = "", ...rest]) => [
      `${this.#paint.dim(clockTime(at))}  ${first}`,
      ...rest.map((line) => `          ${line}`),
    ]);
  }

  /** What a person has decided meanwhile. */
  #turns({ record: from }: DeployView, { record }: DeployView): string[][] {
    if (record.state === "rolling back" && from.state !== "rolling back") {
      const why = reasonOf(record) === "" ? "" : `: ${oneLine(reasonOf(record))}`;
      return [[this.#paint.warn(`↺ rolling back to ${record.rollback.to}, by ${oneLine(record.rollback.who)}${why}`)]];
    }
    if (record.state === "rolling" && from.stage === "canary")
      return [[`${this.#paint.busy("↻ on to the fleet")}, by ${oneLine(record.promoted?.who ?? "unknown")}`]];
    return [];
  }

  #hosts(before: DeployView | null, view: DeployView): string[][] {
    const hosts = view.live?.progress.hosts ?? [];
    const isFew = hosts.length <= FEW_HOSTS;
    const isMany = hosts.length > MANY_HOSTS;
    const build = buildWanted(view.record);
    let served = [...this.#doing.values()].filter((kind) => kind === "serving").length;
    return hosts.flatMap((host): string[][] => {
      const name = oneLine(host);
      const lines: string[][] = [];
      const connected = view.connected.has(host);
      if (before !== null && before.connected.has(host) !== connected && !isMany)
        lines.push([connected ? `· ${name} is connected` : this.#paint.warn(`? ${name} is not connected any more`)]);
      const doing = doingOf(view, host);
      const last = this.#doing.get(host) ?? "nothing";
      this.#doing.set(host, doing.kind);
      if (doing.kind === "in trouble") return [...lines, ...this.#trouble(host, doing, build)];
      if (doing.kind === last) return lines;
      // At the first look it is as it is, and the progress says it.
      if (doing.kind === "serving") served += 1;
      if (before === null || isMany) return lines;
      if (doing.kind === "serving")
        lines.push([this.#paint.good(`✓ ${name} serves ${build}`) + ` (${served} of ${hosts.length})`]);
      if (doing.kind === "restarting" && isFew) lines.push([this.#paint.busy(`↻ ${name} restarts into ${build}`)]);
      if (doing.kind === "going back") lines.push([this.#paint.warn(`↺ ${name} failed and goes back by itself`)]);
      return lines;
    });
  }

  #trouble(host: string, { step, message, until }: Extract<Doing, { kind: "in trouble" }>, build: string): string[][] {
    const said = this.#sentence(host, message);
    const end = until === undefined ? "" : ` until ${clockTime(new Date(until))}`;
    return said === null
      ? []
      : [[this.#paint.warn(`! ${oneLine(host)} tries again to ${step} ${build}${end}: ${said}`)]];
  }

  /** A sentence that many hosts say is told once, and of the others that they say it too; null where this one has said it. */
  #sentence(host: string, message: string): string | null {
    // How far a download came before it broke off makes no other sentence of it.
    const same = message.replace(/\bafter \d+ of /, "after some of ");
    const first = this.#sentences.get(same);
    const own = `${host}\n${same}`;
    if (this.#sentences.has(own)) return null;
    this.#sentences.set(own, host);
    if (first !== undefined) return `as ${oneLine(first)}`;
    this.#sentences.set(same, host);
    return oneLine(message);
  }

  #failed(view: DeployView, isLast: boolean): string[][] {
    return ownFailures(view).flatMap((failure) => {
      const { host } = failure;
      const since = view.live?.gate.failed[host]?.since ?? "";
      const isToldWhole = failure.step !== "" || !view.connected.has(host) || isLast;
      if (this.#failures.has(`${host} ${since}`) || !isToldWhole) return [];
      this.#failures.add(`${host} ${since}`);
      // What it has said as a trouble is not repeated; what helps, which a trouble does not have, is told by the first.
      const reason = this.#sentence(host, failure.reason) ?? "as said";
      const rest = this.#helped.has(failure.reason) ? { hint: "", log: "" } : {};
      this.#helped.add(failure.reason);
      return [failureLines({ ...failure, reason, ...rest }, this.#paint)];
    });
  }

  #progress(before: DeployView | null, view: DeployView): string[][] {
    if (view.live === null) return [];
    const { hosts, serving } = view.live.progress;
    const lines: string[][] = [];
    if (!this.#hasPrepared) {
      const kinds = hosts.filter((host) => view.connected.has(host)).map((host) => this.#doing.get(host));
      const waits = kinds.filter((kind) => kind === "nothing" || kind === "preparing" || kind === "in trouble");
      this.#hasPrepared = kinds.length > 0 && waits.length === 0;
      if (this.#hasPrepared && before !== null && !goesBack(view.record))
        lines.push([`· ${buildWanted(view.record)} is prepared on ${count(kinds.length, "host")}`]);
    }
    const tenths = Math.floor((10 * serving.length) / Math.max(1, hosts.length));
    const isWorthIt = before === null ? serving.length > 0 : hosts.length > MANY_HOSTS && tenths !== this.#tenths;
    this.#tenths = tenths;
    if (isWorthIt) lines.push([this.#paint.bold(`  ${progressText(view)}`)]);
    return lines;
  }

  #outcome(outcome: Outcome, view: DeployView, at: Date): string[] {
    const { record } = view;
    const paint = this.#paint;
    const took = duration(secondsBetween(record.times.created, endedAt(record) ?? at) * 1000);
    const reason = oneLine(reasonOf(record));
    const cost = [costText(view)].filter((text) => text !== "");
    const steps = nextSteps(view);
    const warnings = [...illnessLines(view, paint), ...warningLines(view, paint)];
    switch (outcome.kind) {
      case "done":
        return [paint.good(`✓ done after ${took}: ${servingText(view)}`), ...cost, ...warnings];
      case "awaiting-promotion":
        return [
          paint.good(`◆ healthy on the canary hosts after ${took}: ${servingText(view)}`),
          ...cost,
          ...warnings,
          ...steps,
        ];
      case "halted": {
        // The failure that the reason tells of stands above it.
        const isTold = ownFailures(view).some((failure) => reason.includes(oneLine(failure.host)));
        const counted = `${count(ownFailures(view).length, "host")} failed, ${record.limits.budget} may`;
        return [paint.bad(`✗ halted after ${took}: ${isTold ? counted : reason}`), ...cost, ...steps];
      }
      case "rolled-back": {
        const why = reason === "" ? "" : ` (${reason})`;
        return [paint.warn(`↺ rolled back after ${took}${why}: ${servingText(view)}`), ...warnings];
      }
      case "aborted":
        return [paint.bad(`✗ aborted after ${took}: ${reason}`), ...steps];
      case "held":
        return [
          paint.bad(
            `✗ ${count(outcome.hosts.length, "host")} hold the wish for ${record.build}: it is older than what they have followed`,
          ),
          `follow it:  deployd ctl services accept ${view.service}`,
        ];
      case "overtaken":
        return [paint.bad("✗ a newer deploy has taken its hosts over before it was done")];
    }
  }
}

/** Failures of the build that its hosts are being brought to: on a way back, what led to it is known. */
function ownFailures(view: DeployView): HostFailure[] {
  const build = buildWanted(view.record);
  return failuresIn(view).filter((failure) => failure.build === build);
}

function doingOf({ id, record, statuses, live }: DeployView, host: string): Doing {
  const status = statuses.get(host);
  const build = buildWanted(record);
  if (status === undefined || status.wish?.deploy !== id || status.wish.build !== build) return { kind: "nothing" };
  const hasSlot = live?.gate.slots[host] !== undefined;
  const isOwn = status.error === null || status.error.build === build;
  const hasWayBack = record.previous !== null;
  if (status.rollingBack) return { kind: isOwn && hasSlot && hasWayBack ? "going back" : "nothing" };
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
      // Without a slot of this deploy it ends what an older one has begun.
      return { kind: hasSlot ? "restarting" : "nothing" };
    default:
      return { kind: "nothing" };
  }
}

function startedText({ service, id, record, live }: DeployView, paint: Paint): string {
  const from = record.previous === null ? "" : ` after ${record.previous}`;
  const hosts =
    live === null ? "" : ` on ${count(live.progress.hosts.length, record.stage === "canary" ? "canary host" : "host")}`;
  const why = record.why === "" ? "" : ` (${oneLine(record.why)})`;
  const { word } = stateText(record, paint);
  return `${paint.bold(`${service} ${record.build}`)}${from}${hosts}, deploy ${id} by ${oneLine(record.who)}${why}: ${word}`;
}
