import { readDeploy } from "../store/deploys.ts";
import { lastMovement, newestDeploy, STUCK_AFTER_MS, waitingFor, type DeployView } from "../view/deploy.ts";
import { changesBetween, outcomeOf, type DeployEvent, type Purpose } from "../view/deploy_events.ts";
import type { Overview } from "../view/overview.ts";
import type { SpanLine } from "../view/spans.ts";
import { ServerClock } from "../view/server_clock.ts";
import { Story } from "../view/story.ts";
import type { Clock } from "../support/clock.ts";
import type { ZooKeeper } from "../zookeeper/client.ts";
import type { Ctl } from "./verb.ts";
import { exit, type ExitCode } from "../cli/exit.ts";
import type { LastingConnection } from "../watch/lasting_connection.ts";
import { exitForOutcome } from "./outcome_exit.ts";
import { compactLines } from "../monitor/compact.ts";
import type { ServiceSeen } from "../view/service_seen.ts";
import { seenIn } from "../view/service_seen.ts";
import { FollowedScreen } from "./followed_screen.ts";
import { readings } from "../watch/readings.ts";
import { storyLines } from "./story_text.ts";
import { asideLine, deployEventDocument, type AsideEvent } from "./watch_text.ts";
import { watchedService, type Watched } from "../watch/watched.ts";

export interface WatchRequest {
  readonly service: string;
  readonly id: string;
  readonly purpose: Purpose;
  /** How many acts its record has after the change that was requested. */
  readonly acts?: number;
  /** Seconds; no timeout unless given. */
  readonly timeoutS: number | undefined;
}

/** In a fleet where something always changes, an outcome is believed after so many readings. */
const MOST_OVERTAKEN = 20;
/** Where nothing is drawn in place, it is told this often how the deploy stands, in milliseconds. */
const SUMMARY_MS = 10_000;

/** Prints what happens to a deploy until it reaches an outcome, and returns the exit code for that. */
export async function watchDeploy(ctl: Ctl, connection: LastingConnection, request: WatchRequest): Promise<ExitCode> {
  const { service, id, purpose, timeoutS, acts } = request;
  const { output } = ctl;
  const timeout = timeoutS === undefined ? null : ctl.process.clock.deadline(timeoutS * 1000);
  const signal = timeout === null ? ctl.signal : AbortSignal.any([ctl.signal, timeout]);
  const document = (event: DeployEvent): void =>
    output.document(deployEventDocument(event, ctl.process.now(), { service, id }, purpose));
  await using block = followedScreen(ctl, service);
  const print = (lines: readonly string[]): void => (block === null ? output.lines(lines) : block.tell(lines));
  const say = (event: AsideEvent): void => {
    if (output.json) document(event);
    else print([asideLine(event, ctl.process.now(), output.paint)]);
  };
  const compact = new Compact();
  const summaries = new Summaries(ctl.process.clock);
  const story = new Story();

  let before: DeployView | null = null;
  let stale = false;
  /** How many readings in a row something has changed in. */
  let overtaken = 0;
  const standstill = new Standstill(ctl.process.now());
  for await (const reading of readings(connection, watchedDeploy(service, id), signal)) {
    switch (reading.kind) {
      case "stale":
        if (!stale) say({ event: "stale", forMs: reading.forMs, reason: reading.reason });
        stale = true;
        continue;
      case "tick":
        break;
      case "read": {
        if (stale) say({ event: "fresh" });
        stale = false;
        const { view: after, isWhole } = reading.value;
        overtaken = isWhole ? 0 : overtaken + 1;
        const outcome = overtaken > 0 && overtaken < MOST_OVERTAKEN ? null : outcomeOf(after, purpose, acts);
        if (output.json) {
          for (const event of changesBetween(before, after)) document(event);
          if (outcome !== null) document({ event: "outcome", outcome, view: after });
        } else {
          // What is printed last stays, and the block does not.
          if (outcome !== null) {
            await block?.free();
            block?.show([]);
          }
          print(storyLines(story.tell(after, outcome, ctl.process.now()), ctl.process.now(), output.paint));
        }
        before = after;
        if (outcome !== null) return exitForOutcome(outcome, purpose);
        compact.see(reading.value.overview, ctl.process.now());
        break;
      }
    }
    block?.show(compact.lines(ctl.process.now(), ctl.process.columns() - 1));
    if (block === null && !output.json && before !== null && summaries.isDue())
      print(storyLines([{ kind: "progress", view: before }], ctl.process.now(), output.paint));
    const waiting = before === null ? null : standstill.notice(before, ctl.process.now());
    if (waiting !== null) say(waiting);
  }
  if (!ctl.signal.aborted) say({ event: "timed-out", afterMs: (timeoutS ?? 0) * 1000 });
  output.note(`Follow it with: deployd ctl wait ${service} --deploy ${id}`);
  return exit.timedOut;
}

/** The deploy and, while it is its service's newest, all of the service. */
interface DeployRead {
  readonly view: DeployView;
  readonly overview: Overview | null;
  /**
   * Nothing changed while it was read. Otherwise a deploy may be seen to have halted, and not yet who failed: one change
   * of ZooKeeper, of which one part was read before and the other after it.
   */
  readonly isWhole: boolean;
}

function watchedDeploy(service: string, id: string): Watched<DeployRead> {
  const watched = watchedService(service);
  return {
    ...watched,
    read: async (zk) => {
      const overview = await watched.read(zk);
      const view = await viewOf(zk, overview, id);
      return { view, overview: view.live === null ? null : overview, isWhole: !watched.isStale() };
    },
  };
}

/** Where somebody looks at a terminal that can be drawn on, a few lines stay below what is printed. */
function followedScreen(ctl: Ctl, service: string): FollowedScreen | null {
  const isDrawn = ctl.process.stdoutIsTerminal && !ctl.output.json && ctl.process.env["TERM"] !== "dumb";
  return isDrawn ? new FollowedScreen(ctl, service) : null;
}

/** What the lines below say, reading by reading. */
class Compact {
  readonly #clock = new ServerClock();
  #seen: ServiceSeen | null = null;

  see(overview: Overview | null, now: Date): void {
    if (overview !== null) this.#clock.see(overview, now);
    this.#seen = overview === null ? null : seenIn(overview, this.#seen, this.#clock.at(now));
  }

  lines(now: Date, columns: number): readonly SpanLine[] {
    return this.#seen === null ? [] : compactLines(this.#seen, this.#clock.at(now), columns);
  }
}

async function viewOf(zk: ZooKeeper, overview: Overview, id: string): Promise<DeployView> {
  const newest = newestDeploy(overview);
  if (newest?.id === id) return newest;
  // The damaged record may be this deploy: then nobody knows how it goes on.
  if (overview.damaged !== null) throw overview.damaged;
  const { service, statuses, agents } = overview;
  const { record } = await readDeploy(zk, service, id);
  return { service, id, record, barred: new Set(), live: null, statuses, connected: new Set(agents.keys()) };
}

/** How a deploy stands, for whoever reads what is printed later or through a pipe: every so often. */
class Summaries {
  readonly #clock: Pick<Clock, "monotonicMs">;
  #nextMs: number;

  constructor(clock: Pick<Clock, "monotonicMs">) {
    this.#clock = clock;
    this.#nextMs = clock.monotonicMs() + SUMMARY_MS;
  }

  isDue(): boolean {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs < this.#nextMs) return false;
    this.#nextMs = nowMs + SUMMARY_MS;
    return true;
  }
}

/** Says when nothing moves: at once if no agent is connected, otherwise after a while and then less and less often. */
class Standstill {
  /** When something was last seen to move, in milliseconds by the `now` that is handed in; no other clock is asked. */
  #stillSinceMs: number;
  #nextMs = STUCK_AFTER_MS;
  #moved = "";
  #saidNobody = false;

  constructor(now: Date) {
    this.#stillSinceMs = now.getTime();
  }

  notice(view: DeployView, now: Date): AsideEvent | null {
    if (view.live === null) return null;
    const { hosts } = view.live.progress;
    const agents = hosts.filter((host) => view.connected.has(host)).length;
    const moved = lastMovement(view);
    if (moved !== this.#moved) {
      if (this.#moved !== "") this.#stillSinceMs = now.getTime();
      this.#moved = moved;
      this.#nextMs = STUCK_AFTER_MS;
    }
    const forMs = now.getTime() - this.#stillSinceMs;
    const nobody = agents === 0 && !this.#saidNobody;
    if (!nobody && forMs < this.#nextMs) return null;
    if (nobody) this.#saidNobody = true;
    else this.#nextMs *= 2;
    return { event: "waiting", forMs, for: waitingFor(view, now), agents };
  }
}
