import { buildWanted, isRunning } from "../core/deploy_state.ts";
import { DeployError } from "../core/errors.ts";
import { buildRecordSchema } from "../schema/znodes.ts";
import { op, type ZooKeeper } from "../zookeeper/client.ts";
import { listBuilds, readBuild } from "./builds.ts";
import { readHead, type ServiceHead } from "./deploys.ts";
import { attempting } from "./errors.ts";
import { ServiceMirror } from "./mirror.ts";
import { buildPath, canaryPath, deploysPath, enabledPath } from "./paths.ts";
import { readDamaged } from "./records.ts";

/** Why a build must not be removed yet, and what to do so that it can be. */
interface Need {
  readonly why: string;
  readonly code: "conflict" | "deploy-running";
  readonly hint: string;
}

/**
 * Removes a build that no host serves, is to serve, or would go back to. Its bar is removed with it; the copies on the
 * hosts' disks are removed by their own collectors.
 *
 * @throws DeployError `build-unknown`, `deploy-running`, `conflict`
 */
export async function removeBuild(zk: ZooKeeper, service: string, build: string): Promise<void> {
  const attempted = `Cannot remove build "${build}" of "${service}"`;
  // A record that cannot be read can be removed all the same.
  const found =
    (await readDamaged(zk, buildPath(service, build), buildRecordSchema)) ?? (await readBuild(zk, service, build));
  const head = await readHead(zk, service);
  if (head.damaged !== null) throw head.damaged;
  const need =
    needByDeploys(service, build, head, await another(zk, service, build, head)) ??
    (await needByHosts(zk, service, build, head));
  if (need !== null) throw new DeployError(`${attempted}: ${need.why}.`, { code: need.code, hint: need.hint });
  await attempting(attempted, () =>
    zk.multi([
      // This fails where somebody has wished the build, or gone back to it, since it was read.
      op.check(deploysPath(service), head.pointer.version),
      op.check(enabledPath(service), head.enabled.version),
      ...(head.canary === null ? [] : [op.check(canaryPath(service), head.canary.version)]),
      ...(head.latest === null ? [] : [op.check(`${deploysPath(service)}/${head.latest.id}`, head.latest.version)]),
      op.delete(buildPath(service, build), found.version),
    ]),
  );
}

function needByDeploys(service: string, build: string, head: ServiceHead, other: string): Need | null {
  const { latest, enabled, canary, problems } = head;
  const [problem] = problems;
  if (problem !== undefined) return { why: `what is wished is not known (${problem})`, code: "conflict", hint: other };
  if (latest !== null && isRunning(latest.record)) {
    const { id, record } = latest;
    if ([record.build, record.previous, buildWanted(record)].includes(build)) {
      const hint = `Wait for it with: deployd ctl wait ${service}, or end it with: deployd ctl abort ${service} ${record.build}`;
      return { why: `deploy ${id} of "${record.build}" is ${record.state}`, code: "deploy-running", hint };
    }
  }
  if (enabled.value?.build === build) return { why: "it is what the fleet is to serve", code: "conflict", hint: other };
  if (canary?.value?.build === build)
    return { why: "it is what the canary hosts are to serve", code: "conflict", hint: other };
  if (latest !== null && [latest.record.previous, buildWanted(latest.record)].includes(build))
    return { why: `it is what deploy ${latest.id} would go back to`, code: "conflict", hint: other };
  return null;
}

async function needByHosts(zk: ZooKeeper, service: string, build: string, head: ServiceHead): Promise<Need | null> {
  const { statuses, agents } = await ServiceMirror.look(zk, service, ["statuses", "agents"]);
  const serving = [...statuses].filter(([, status]) => status.build === build).map(([host]) => host);
  const [first] = serving.filter((host) => !agents.has(host));
  const why = `${serving.slice(0, 5).join(", ")}${serving.length > 5 ? ` and ${serving.length - 5} more` : ""} served it last`;
  if (first !== undefined) {
    const hint = `Its agent is not connected. Where the host is gone for good: deployd ctl hosts forget ${service} ${first}`;
    return { why, code: "conflict", hint };
  }
  if (serving.length === 0) return null;
  const wished = head.enabled.value?.build;
  const hint =
    wished === undefined
      ? `Deploy another to it.`
      : `Bring it to the wished build with: deployd ctl deploy ${service} ${wished}`;
  return { why, code: "conflict", hint };
}

/** What has to be done before the build can be removed: another one deployed, or added first where there is none. */
async function another(zk: ZooKeeper, service: string, build: string, head: ServiceHead): Promise<string> {
  // Deploying the wished build again would lead back to the same build.
  const not = [build, head.enabled.value?.build, head.canary?.value?.build];
  const others = (await listBuilds(zk, service)).filter(
    ({ id, record }) => !not.includes(id) && record.barred === undefined,
  );
  const newest = others.at(-1);
  return newest === undefined
    ? `There is no other to deploy. Add one first with: deployd ctl builds add ${service} FILE`
    : `Deploy another first, as in: deployd ctl deploy ${service} ${newest.id}`;
}
