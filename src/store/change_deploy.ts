import { aborted, promoted } from "../core/deploy.ts";
import { goesBack, isInLastStage, isOnCanaries, isRunning, reasonOf, stageNow } from "../core/deploy_state.ts";
import { DeployError } from "../core/errors.ts";
import { reachAfter } from "../core/stages.ts";
import { wayBackFrom } from "../core/ways_out.ts";
import type { Act, DeployRecord } from "../schema/deploy_record.ts";
import { op, type ZooKeeper } from "../zookeeper/client.ts";
import { assertNotBarred, barredOf } from "./bar.ts";
import { readBuild } from "./builds.ts";
import { readHead, type ServiceHead } from "./deploys.ts";
import { attempting } from "./errors.ts";
import { assertOpen } from "./opening.ts";
import { buildPath, deployPath } from "./paths.ts";
import { encode } from "./records.ts";
import { readService } from "./services.ts";
import { ServiceMirror } from "./mirror.ts";
import { wishOf, wishOps } from "./wishes.ts";

export interface Change {
  readonly service: string;
  /** The build whose deploy is to be changed; unless given, the newest deploy is changed whatever its build. */
  readonly build?: string | undefined;
  /**
   * The id of the deploy to be changed: nothing is changed when a newer one exists. Unless given, the newest deploy is
   * changed.
   */
  readonly deploy?: string | undefined;
  readonly who: string;
  readonly why: string;
  readonly now: Date;
  /** Why it is done although the service is frozen, or none of its windows is open. */
  readonly override?: string | undefined;
}

export interface Changed {
  readonly id: string;
  readonly record: DeployRecord;
}

export type Latest = NonNullable<ServiceHead["latest"]>;

/**
 * Takes a deploy whose hosts serve its build to its next stage.
 *
 * @throws DeployError `nothing-to-do` when no deploy waits for it, `deploy-running` while the hosts of its stage are not
 * done, `build-barred`, `deploy-mismatch` when the newest deploy is not the one that the caller means
 */
export async function promote(zk: ZooKeeper, change: Change): Promise<Changed> {
  const { service, now } = change;
  const attempted = `Cannot promote "${service}"`;
  const head = await readHead(zk, service);
  const latest = latestOf(head, attempted, change, "promote");
  const { id, record } = latest;
  if (wasMade(record, "promoted", change)) return { id, record };
  if (record.state !== "awaiting promotion") {
    // Called twice, it leaves the deploy as the first call did.
    const goesOn = record.state === "rolling" || record.state === "done";
    if (goesOn && wasPromoted(record)) return { id, record };
    throw notToPromote(service, latest, attempted);
  }
  assertOpen(service, await readService(zk, service), latest, attempted, change);
  const build = await readBuild(zk, service, record.build);
  assertNotBarred(build.value, attempted, {
    what: `"${record.build}"`,
    hint:
      `Take it off its hosts with: ${wayBackFrom(service, record, await barredOf(zk, service, record)).line}, or allow ` +
      `it again first: deployd ctl builds unbar ${service} ${record.build}`,
  });
  const { hosts, statuses } = await ServiceMirror.look(zk, service, ["hosts", "statuses"]);
  const reach = reachAfter(record.stages, record.stage + 1, id, hosts, record.reach);
  const next = promoted(record, reach, change, now);
  const { to, wish } = wishOf(id, next);
  await attempting(attempted, async () =>
    zk.multi([
      op.check(buildPath(service, record.build), build.version),
      op.set(deployPath(service, id), encode(next), latest.version),
      ...wishOps(service, head, to, wish, statuses),
    ]),
  );
  return { id, record: next };
}

/**
 * Whether this very change has been made: its answer was lost, and it is asked for again. A deploy may meanwhile have come
 * to where the change could be made once more.
 */
export function wasMade({ acts }: DeployRecord, act: Act["act"], { who, now }: Change): boolean {
  return acts.some((done) => done.act === act && done.who === who && done.time === now.toISOString());
}

/** Whether a person, or its stages' waits, have taken it beyond its first stage. */
function wasPromoted({ stage, acts }: DeployRecord): boolean {
  return stage > 0 && acts.at(-1)?.act === "promoted";
}

/**
 * Ends a deploy where it stands: no further host is granted a slot, and hosts that serve its build keep it.
 *
 * @throws DeployError `nothing-to-do` when it has ended
 */
export async function abort(zk: ZooKeeper, change: Change): Promise<Changed> {
  const { service, who, why, now } = change;
  const attempted = `Cannot abort the deploy to "${service}"`;
  const head = await readHead(zk, service);
  const { id, record, version } = latestOf(head, attempted, change, "abort");
  // Called twice, it leaves the deploy as the first call did.
  if (record.state === "aborted") return { id, record };
  if (!isRunning(record)) {
    throw new DeployError(`${attempted}: deploy ${id} of "${record.build}" is ${record.state}, so it has ended.`, {
      code: "nothing-to-do",
      hint: `See: deployd ctl status ${service}`,
    });
  }
  const next = aborted(record, `aborted by ${who}${why === "" ? "" : `: ${why}`}`, now, change);
  await attempting(attempted, () => zk.multi([op.set(deployPath(service, id), encode(next), version)]));
  return { id, record: next };
}

function notToPromote(service: string, { id, record }: Latest, attempted: string): DeployError {
  const isOnItsWay = record.state === "canary" || record.state === "preparing" || record.state === "rolling";
  if (isOnItsWay && !isInLastStage(record)) {
    const whose = isOnCanaries(record) ? "the canary hosts" : `the hosts of its stage, ${stageNow(record)},`;
    return new DeployError(`${attempted}: ${whose} do not all serve "${record.build}" yet.`, {
      code: "deploy-running",
      hint: `Wait for them with: deployd ctl wait ${service}`,
    });
  }
  const why = isInLastStage(record) && !goesBack(record) ? ", to the fleet already" : "";
  const reason = reasonOf(record) === "" ? "" : ` (${reasonOf(record)})`;
  return new DeployError(`${attempted}: deploy ${id} of "${record.build}" is ${record.state}${why}${reason}.`, {
    code: "nothing-to-do",
    hint: `Only a deploy that waits for it, on the canary hosts or in another stage, can be promoted. See: deployd ctl status ${service}`,
  });
}

/** The newest deploy, which has to be the one that the caller means. */
export function latestOf(
  { latest, damaged }: ServiceHead,
  attempted: string,
  change: Change,
  verb: "promote" | "abort" | "rollback" | "pause" | "resume" | "retry",
): Latest {
  const { service, deploy, build } = change;
  if (damaged !== null) throw damaged;
  if (latest === null) {
    throw new DeployError(`${attempted}: nothing was ever deployed.`, {
      code: "nothing-to-do",
      hint: `Start with: deployd ctl deploy ${service} BUILD`,
    });
  }
  const { id, record } = latest;
  const isMeant = (deploy === undefined || deploy === id) && (build === undefined || build === record.build);
  if (isMeant) return latest;
  const meant = deploy !== undefined && deploy !== id ? `deploy ${deploy}` : `"${build ?? record.build}"`;
  throw new DeployError(
    `${attempted}: ${meant} was named, but the newest deploy is ${id} of "${record.build}" by ${record.who}, which is ${record.state}.`,
    { code: "deploy-mismatch", hint: hintForOther(service, record, verb === "rollback" ? build : undefined) },
  );
}

function hintForOther(service: string, { build, previous }: DeployRecord, named: string | undefined): string {
  const what =
    named !== undefined && named === previous
      ? `Name "${build}", the build to take back, not the build to go back to. `
      : "";
  return `${what}Look first: deployd ctl status ${service}`;
}
