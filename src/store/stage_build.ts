import type { HostStatus } from "../schema/znodes.ts";
import type { ZooKeeper } from "../zookeeper/client.ts";
import { assertNotBarred } from "./bar.ts";
import { readBuild } from "./builds.ts";
import { ServiceMirror } from "./mirror.ts";
import { changeSettings } from "./services.ts";

/** How far the hosts of a service have come with a build that they are to have ready. */
export interface Staging {
  /** Hosts that have it, also because they serve it. */
  readonly ready: readonly string[];
  /** Connected hosts that do not have it yet. */
  readonly waiting: readonly string[];
  /** Those of them that could not prepare it, and why; they try again. */
  readonly problems: ReadonlyMap<string, string>;
  /** Hosts whose agent is not connected: they prepare it when it is. */
  readonly away: readonly string[];
}

/**
 * Has every host prepare a build without serving it.
 *
 * @throws DeployError `service-unknown`, `build-unknown`, `build-barred`, `conflict`
 */
export async function stageBuild(
  zk: ZooKeeper,
  service: string,
  build: string,
  by: { readonly who: string; readonly why: string; readonly now: Date },
): Promise<void> {
  const attempted = `Cannot stage "${build}" of "${service}"`;
  const { value } = await readBuild(zk, service, build);
  assertNotBarred(value, attempted, {
    what: "the build",
    hint: `Stage another build, or allow this one again with: deployd ctl builds unbar ${service} ${build}`,
  });
  const staged = { build, who: by.who, why: by.why, time: by.now.toISOString() };
  await changeSettings(zk, service, attempted, (settings) => ({ ...settings, staged }));
}

export async function readStaging(zk: ZooKeeper, service: string, build: string): Promise<Staging> {
  const { hosts, statuses, agents } = await ServiceMirror.look(zk, service, ["hosts", "statuses", "agents"]);
  const names = [...hosts.keys()].toSorted();
  const ready = names.filter((host) => hasReady(statuses.get(host), build));
  const left = names.filter((host) => !ready.includes(host));
  const problems = left.flatMap((host) => {
    const prepared = statuses.get(host)?.prepared;
    return prepared?.build === build && prepared.problem !== "" ? [[host, prepared.problem] as const] : [];
  });
  return {
    ready,
    waiting: left.filter((host) => agents.has(host)),
    problems: new Map(problems),
    away: left.filter((host) => !agents.has(host)),
  };
}

function hasReady(status: HostStatus | undefined, build: string): boolean {
  if (status === undefined) return false;
  return status.build === build || (status.prepared?.build === build && status.prepared.isReady);
}
