import { noticeAfter, noticeId, type NoticeResult } from "../core/notices.ts";
import { asDeployError } from "../core/errors.ts";
import type { Network, PostAnswer } from "../machine/network.ts";
import type { DeployRead } from "../store/service_records.ts";
import { keepTold, readTold } from "../store/told.ts";
import type { Troubles } from "../store/troubles.ts";
import { backoffMs } from "../support/backoff.ts";
import { Bell, pause } from "../support/bell.ts";
import type { Clock } from "../support/clock.ts";
import { answerWithin } from "../support/wait.ts";
import type { Session } from "../zookeeper/session.ts";
import { noticeRequest, type NoticeOf, type NotifyTarget } from "./notice_request.ts";

/** How long a target may take to answer. */
const DEADLINE_MS = 10_000;
/** For how long a notice is tried; those that have waited behind it for as long get one try each. */
const GIVE_UP_MS = 3_600_000;
const PAUSES = { firstMs: 1_000, maxMs: 300_000 };
const KEEP_PAUSES = { firstMs: 500, maxMs: 10_000 };
/** Without news; and until a target that cannot be used is looked at again. */
const LOOK_AGAIN_MS = 30_000;

/** A deploy as the conductor has read it. */
export type TellableDeploy = Pick<DeployRead, "id" | "record">;

export interface LaneOptions {
  readonly service: string;
  /** The target's name. */
  readonly name: string;
  readonly session: Pick<Session, "client">;
  readonly clock: Clock;
  readonly log: (level: "info" | "warn", message: string, facts: Record<string, unknown>) => void;
  /** The agent's list of failures, for a target that this host cannot tell anything. */
  readonly troubles: Troubles;
  /** For one that does not take what it is told, which is no failure of this host. */
  readonly refusals: Troubles;
  readonly target: (name: string) => Promise<NotifyTarget>;
  readonly post: Network["post"];
  readonly onNoticed: (target: string, result: NoticeResult) => void;
  readonly isElected: () => boolean;
  /** Nothing new is begun. */
  readonly stop: AbortSignal;
  /** What is under way is called off. */
  readonly cut: AbortSignal;
}

/** How long to wait, and whether news ends the wait. */
interface Rest {
  readonly ms: number;
  readonly endsWithNews: boolean;
}

const UNTIL_NEWS: Rest = { ms: LOOK_AGAIN_MS, endsWithNews: true };
const GO_ON: Rest = { ms: 0, endsWithNews: true };

/**
 * Tells one target what becomes of one service's deploys, one notice after the other. What was told is kept in ZooKeeper
 * once it was answered, so a notice comes again only where its sender has died, or has lost its place, in between.
 */
export class NotifyLane {
  readonly #options: LaneOptions;
  readonly #bell: Bell;
  readonly #what: string;
  #deploys: readonly TellableDeploy[] = [];
  /** By deploy, the last notice that is known to be told; at most what ZooKeeper has. */
  readonly #upTo = new Map<string, number>();
  /** By notice, since when it has been due. */
  #dueSince = new Map<string, number>();
  #failures = 0;

  constructor(options: LaneOptions) {
    this.#options = options;
    this.#bell = new Bell(options.clock);
    this.#what = `tell "${options.name}" what becomes of "${options.service}"`;
  }

  /** @param deploys those that the target is to be told of, oldest first */
  offer(deploys: readonly TellableDeploy[]): void {
    const isNews =
      deploys.length !== this.#deploys.length || deploys.some((each, at) => each.record !== this.#deploys[at]?.record);
    this.#deploys = deploys;
    if (isNews) this.#bell.ring();
  }

  /** This agent conducts no more, or begins to: what others have told meanwhile is not known. */
  forget(): void {
    this.#deploys = [];
    this.#upTo.clear();
    this.#options.troubles.note(this.#what, null);
    this.#bell.ring();
  }

  /** Until it is told to stop, and what it has begun is over. */
  async run(): Promise<void> {
    const { clock, stop, isElected, troubles } = this.#options;
    while (!stop.aborted) {
      let rest = UNTIL_NEWS;
      try {
        rest = await this.#step();
      } catch (error) {
        if (isElected()) troubles.note(this.#what, error);
        rest = { ms: backoffMs(this.#failures, PAUSES, clock.random) + 100, endsWithNews: false };
      }
      if (rest === GO_ON) continue;
      if (rest.endsWithNews) await this.#bell.wait(rest.ms, stop);
      else await pause(clock, rest.ms, stop);
    }
  }

  async #step(): Promise<Rest> {
    const { service, name, session, target, troubles, isElected } = this.#options;
    if (!isElected()) return UNTIL_NEWS;
    await this.#readWhatWasTold();
    const next = this.#next();
    if (next === null) {
      this.#failures = 0;
      troubles.note(this.#what, null);
      return UNTIL_NEWS;
    }
    let where: NotifyTarget;
    try {
      where = await target(name);
    } catch (error) {
      if (isElected()) troubles.note(this.#what, asDeployError(error, "Cannot read its files"));
      // Only what was tried can be given up.
      this.#dueSince = new Map();
      return { ms: LOOK_AGAIN_MS, endsWithNews: false };
    }
    // Another server may lag behind what the conductor before this one has kept.
    const { client } = session;
    await client.sync("/");
    const told = (await readTold(client, service, name, [next.deploy])).get(next.deploy) ?? 0;
    this.#knows(next.deploy, told);
    troubles.note(this.#what, null);
    if (told >= next.notice.number || !isElected()) return GO_ON;
    return this.#tell(where, next, told);
  }

  async #readWhatWasTold(): Promise<void> {
    const { service, name, session } = this.#options;
    const unread = this.#deploys.map(({ id }) => id).filter((id) => !this.#upTo.has(id));
    if (unread.length === 0) return;
    for (const [id, upTo] of await readTold(session.client, service, name, unread)) this.#knows(id, upTo);
  }

  #knows(deploy: string, upTo: number): void {
    this.#upTo.set(deploy, Math.max(upTo, this.#upTo.get(deploy) ?? 0));
  }

  /** The first notice that is due. */
  #next(): NoticeOf | null {
    const { service, clock } = this.#options;
    const nowMs = clock.monotonicMs();
    const since = new Map<string, number>();
    let first: NoticeOf | null = null;
    for (const { id, record } of this.#deploys) {
      const upTo = this.#upTo.get(id) ?? 0;
      const notice = noticeAfter(record, upTo);
      if (notice !== null) first ??= { service, deploy: id, record, notice };
      for (const each of record.telling?.notices ?? []) {
        const key = noticeId(service, id, each);
        if (each.number > upTo) since.set(key, this.#dueSince.get(key) ?? nowMs);
      }
    }
    this.#dueSince = since;
    return first;
  }

  async #tell(where: NotifyTarget, told: NoticeOf, before: number): Promise<Rest> {
    const { clock, log, name, post, refusals, cut, onNoticed } = this.#options;
    const event = noticeId(told.service, told.deploy, told.notice);
    const otherwise: Record<"late" | "calledOff", PostAnswer> = {
      late: { kind: "unanswered", why: `no answer within ${DEADLINE_MS / 1000} s` },
      calledOff: { kind: "unanswered", why: "called off" },
    };
    const answer = await answerWithin(
      (signal) => post(noticeRequest(where, told, clock.now()), signal),
      DEADLINE_MS,
      otherwise,
      cut,
      clock,
    );
    const why = answer.kind === "unanswered" ? answer.why : whyNotTaken(answer.status);
    if (cut.aborted && why !== "") return UNTIL_NEWS;
    if (why === "") {
      this.#failures = 0;
      refusals.note(this.#what, null);
      onNoticed(name, "told");
      log("info", "an event is told", { target: name, event });
      // For a long time nobody conducted, and people did much.
      const count = told.notice.number - before - 1;
      if (count > 0) log("warn", "events before it were too many to be kept", { target: name, event, count });
      await this.#keep(told, false);
      return GO_ON;
    }
    refusals.note(this.#what, new Error(why));
    const forMs = clock.monotonicMs() - (this.#dueSince.get(event) ?? clock.monotonicMs());
    if (forMs >= GIVE_UP_MS) {
      onNoticed(name, "given up");
      log("warn", "an event is given up: its target has not taken it for an hour", { target: name, event, error: why });
      await this.#keep(told, true);
      return GO_ON;
    }
    onNoticed(name, "refused");
    const ms = 100 + backoffMs(this.#failures, PAUSES, clock.random);
    this.#failures += 1;
    return { ms, endsWithNews: false };
  }

  /** Until it is kept: a sender that forgets what was answered tells it again. */
  async #keep({ service, deploy, notice }: NoticeOf, isGivenUp: boolean): Promise<void> {
    const { session, clock, name, troubles, cut } = this.#options;
    for (let tries = 0; !cut.aborted; tries += 1) {
      try {
        await keepTold(session.client, service, deploy, { target: name, number: notice.number, isGivenUp });
        this.#knows(deploy, notice.number);
        return;
      } catch (error) {
        troubles.note(this.#what, error);
        await pause(clock, 100 + backoffMs(tries, KEEP_PAUSES, clock.random), cut);
      }
    }
  }
}

/** "" where it has taken it. What it says beside its status is read by nobody. */
function whyNotTaken(status: number): string {
  if (status >= 200 && status < 300) return "";
  return status >= 300 && status < 400
    ? `it answered ${status}, and redirects are not followed`
    : `it answered ${status}`;
}
