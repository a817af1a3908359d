import { readDeploy } from "../store/deploys.ts";
import { readOverview } from "../store/overview.ts";
import { servicePath } from "../store/paths.ts";
import type { ZooKeeper } from "../zookeeper/client.ts";
import type { Ctl } from "./command.ts";
import { lastMovement, newestDeploy, STUCK_AFTER_MS, waitingFor, type DeployView } from "./deploy_model.ts";
import { exit, type ExitCode } from "./exit.ts";
import { changesBetween, exitForOutcome, outcomeOf, type FollowEvent, type Purpose } from "./follow_model.ts";
import { Story } from "./follow_story.ts";
import { asideLine, followDocument, type AsideEvent } from "./follow_text.ts";
import type { Link } from "./link.ts";
import { readings } from "./readings.ts";

export interface FollowRequest {
  readonly service: string;
  readonly id: string;
  readonly purpose: Purpose;
  /** Seconds; endless unless given. */
  readonly timeoutS: number | undefined;
}

/** Prints what happens to a deploy until it has come to an outcome, and returns the exit code for that. */
export async function follow(ctl: Ctl, link: Link, request: FollowRequest): Promise<ExitCode> {
  const { service, id, purpose, timeoutS } = request;
  const { output } = ctl;
  const timeout = timeoutS === undefined ? null : ctl.process.clock.deadline(timeoutS * 1000);
  const signal = timeout === null ? ctl.signal : AbortSignal.any([ctl.signal, timeout]);
  const document = (event: FollowEvent): void =>
    output.document(followDocument(event, ctl.process.now(), { service, id }, purpose));
  const say = (event: AsideEvent): void => {
    if (output.json) document(event);
    else output.lines([asideLine(event, ctl.process.now(), output.paint)]);
  };
  const story = new Story(output.paint);

  let before: DeployView | null = null;
  let stale = false;
  const patience = new Patience(ctl.process.now());
  for await (const reading of readings(link, servicePath(service), (zk) => readView(zk, service, id), signal)) {
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
        const after = reading.value;
        const outcome = outcomeOf(after, purpose);
        if (output.json) {
          for (const event of changesBetween(before, after)) document(event);
          if (outcome !== null) document({ event: "outcome", outcome, view: after });
        } else output.lines(story.tell(after, outcome, ctl.process.now()));
        before = after;
        if (outcome !== null) return exitForOutcome(outcome, purpose);
        break;
      }
    }
    const waiting = before === null ? null : patience.over(before, ctl.process.now());
    if (waiting !== null) say(waiting);
  }
  if (!ctl.signal.aborted) say({ event: "timed-out", afterMs: (timeoutS ?? 0) * 1000 });
  output.note(`Follow it with: deployd ctl wait ${service} --deploy ${id}`);
  return exit.timedOut;
}

async function readView(zk: ZooKeeper, service: string, id: string): Promise<DeployView> {
  const overview = await readOverview(zk, service);
  const newest = newestDeploy(overview);
  if (newest?.id === id) return newest;
  // It may be this one: nobody knows then how it goes on.
  if (overview.damaged !== null) throw overview.damaged;
  const { record } = await readDeploy(zk, service, id);
  return {
    service,
    id,
    record,
    barred: new Set(),
    live: null,
    statuses: overview.statuses,
    connected: new Set(overview.agents.keys()),
  };
}

/** Says when nothing moves: at once where nobody is there to move, later and less and less often where somebody is. */
class Patience {
  /** Since when the reader itself has seen nothing move, in milliseconds; no other clock is asked. */
  #stillSinceMs: number;
  #nextMs = STUCK_AFTER_MS;
  #moved = "";
  #saidNobody = false;

  constructor(now: Date) {
    this.#stillSinceMs = now.getTime();
  }

  over(view: DeployView, now: Date): AsideEvent | null {
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
