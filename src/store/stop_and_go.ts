import { paused, resumed, retried } from "../core/deploy.ts";
import { buildWanted, isRunning, reasonOf } from "../core/deploy_state.ts";
import { DeployError } from "../core/errors.ts";
import { wayBackFrom } from "../core/ways_out.ts";
import { op, type ZooKeeper } from "../zookeeper/client.ts";
import { assertNotBarred, barredOf } from "./bar.ts";
import { readBuild } from "./builds.ts";
import { latestOf, wasMade, type Change, type Changed, type Latest } from "./change_deploy.ts";
import { readHead, type ServiceHead } from "./deploys.ts";
import { attempting } from "./errors.ts";
import { ServiceMirror } from "./mirror.ts";
import { assertOpen } from "./opening.ts";
import { buildPath, deployPath } from "./paths.ts";
import { encode } from "./records.ts";
import { readService } from "./services.ts";
import { wishOf, wishOps } from "./wishes.ts";

/**
 * Stops a deploy where it is. A host that has begun comes through; no other begins until it is resumed.
 *
 * @throws DeployError `nothing-to-do` when it does not run, `deploy-mismatch` when the newest deploy is not the one that the
 *   caller means
 */
export async function pauseDeploy(zk: ZooKeeper, change: Change): Promise<Changed> {
  const { service } = change;
  const attempted = `Cannot pause the deploy to "${service}"`;
  const { id, record, version } = latestOf(await readHead(zk, service), attempted, change, "pause");
  // Called twice, it leaves the deploy as the first call did.
  if (record.state === "paused" || wasMade(record, "paused", change)) return { id, record };
  if (!isRunning(record)) throw ended(service, { id, record }, attempted);
  const next = paused(record, change);
  await attempting(attempted, () => zk.multi([op.set(deployPath(service, id), encode(next), version)]));
  return { id, record: next };
}

/**
 * Lets a deploy that was paused, or that halted, go on where it stopped. What has failed so far no longer counts against
 * its budget; the hosts that failed are left as they are.
 *
 * @throws DeployError `nothing-to-do` when it stands still for no such reason, `build-barred`, `deploy-mismatch`
 */
export async function resumeDeploy(zk: ZooKeeper, change: Change): Promise<Changed> {
  const { service } = change;
  const attempted = `Cannot resume the deploy to "${service}"`;
  const { id, record, version } = latestOf(await readHead(zk, service), attempted, change, "resume");
  if (wasMade(record, "resumed", change)) return { id, record };
  if (record.state !== "paused" && record.state !== "halted") {
    // Called twice, it leaves the deploy as the first call did.
    if (isRunning(record) && record.acts.at(-1)?.act === "resumed") return { id, record };
    throw new DeployError(
      `${attempted}: deploy ${id} of "${record.build}" is ${record.state}, so it does not stand still.`,
      {
        code: "nothing-to-do",
        hint: `See: deployd ctl status ${service}`,
      },
    );
  }
  // What was begun may come to its end; only what halted is begun anew.
  if (record.state === "halted") assertOpen(service, await readService(zk, service), null, attempted, change);
  const next = resumed(record, change);
  const allowed = await assertStillAllowed(zk, service, { id, record }, attempted);
  await attempting(attempted, () => zk.multi([allowed, op.set(deployPath(service, id), encode(next), version)]));
  return { id, record: next };
}

/**
 * Has the hosts that failed under the newest deploy try once more, also where it is done without them. What has failed so
 * far no longer counts against its budget; one that was paused or halted goes on.
 *
 * @throws DeployError `nothing-to-do` when it was aborted, `build-barred`, `deploy-mismatch`
 */
export async function retryDeploy(zk: ZooKeeper, change: Change): Promise<Changed> {
  const { service } = change;
  const attempted = `Cannot retry the deploy to "${service}"`;
  const head = await readHead(zk, service);
  const latest = latestOf(head, attempted, change, "retry");
  const { id, record, version } = latest;
  if (wasMade(record, "retried", change)) return { id, record };
  if (record.state === "aborted") throw ended(service, latest, attempted);
  assertOpen(service, await readService(zk, service), null, attempted, change);
  const next = retried(record, change);
  const allowed = await assertStillAllowed(zk, service, latest, attempted);
  const { statuses } = await ServiceMirror.look(zk, service, ["statuses"]);
  await attempting(attempted, () =>
    zk.multi([
      allowed,
      op.set(deployPath(service, id), encode(next), version),
      ...againOps(service, head, { id, record: next }, statuses),
    ]),
  );
  return { id, record: next };
}

/** The wish as it stands, by which the hosts learn that they are to try once more. */
function againOps(service: string, head: ServiceHead, { id, record }: Changed, statuses: ServiceMirror["statuses"]) {
  const { to, wish } = wishOf(id, record);
  // A deploy whose hosts follow another wish has nobody left to try.
  const followed = to === "canary" ? head.canary?.value : head.enabled.value;
  return followed?.deploy === id ? wishOps(service, head, to, wish, statuses) : [];
}

async function assertStillAllowed(
  zk: ZooKeeper,
  service: string,
  { record }: Pick<Latest, "id" | "record">,
  attempted: string,
) {
  const wanted = buildWanted(record);
  const build = await readBuild(zk, service, wanted);
  assertNotBarred(build.value, attempted, {
    what: `"${wanted}"`,
    hint:
      `Take the deploy back with: ${wayBackFrom(service, record, await barredOf(zk, service, record)).line}, or allow ` +
      `that build again first: deployd ctl builds unbar ${service} ${wanted}`,
  });
  return op.check(buildPath(service, wanted), build.version);
}

function ended(service: string, { id, record }: Pick<Latest, "id" | "record">, attempted: string): DeployError {
  const reason = reasonOf(record) === "" ? "" : ` (${reasonOf(record)})`;
  return new DeployError(
    `${attempted}: deploy ${id} of "${record.build}" is ${record.state}${reason}, so it has ended.`,
    {
      code: "nothing-to-do",
      hint: `See: deployd ctl status ${service}`,
    },
  );
}
