import { DeployError } from "../core/errors.ts";
import type { Timeline } from "../core/timeline.ts";
import { timelineIn } from "../core/timeline_record.ts";
import type { DeployRecord } from "../schema/deploy_record.ts";
import { timelineRecordSchema } from "../schema/timeline.ts";
import type { ZooKeeper } from "../zookeeper/client.ts";
import { isZooKeeperError } from "../zookeeper/errors.ts";
import { attempting } from "./errors.ts";
import { deployPath, servicesPath, timelinePath, timelinesPath } from "./paths.ts";
import { readNodes } from "./read_nodes.ts";
import { childrenOf, readDamaged, readRecord } from "./records.ts";

/** A timeline and the version of its node. */
interface TimelineRead {
  /** Null where nobody can read it; `problem` says what is wrong. */
  readonly timeline: Timeline | null;
  readonly version: number;
  readonly problem: string | null;
}

/** What has been kept of a deploy; null where nothing has. */
export async function readTimeline(zk: ZooKeeper, service: string, deploy: string): Promise<TimelineRead | null> {
  const found = await readDamaged(zk, timelinePath(service, deploy), timelineRecordSchema);
  if (found === null) return null;
  const { value, version, problem = null } = found;
  return { timeline: value === null ? null : timelineIn(value), version, problem };
}

/**
 * Writes the text of a timeline's record.
 *
 * @param version of the node as it was read; null where there was none
 * @returns the version that it has now; null where somebody else has written it meanwhile
 */
export async function writeTimeline(
  zk: ZooKeeper,
  service: string,
  deploy: string,
  text: string,
  version: number | null,
): Promise<number | null> {
  const path = timelinePath(service, deploy);
  try {
    if (version !== null) return (await zk.set(path, text, version)).version;
    await zk.create(path, text);
    return 0;
  } catch (error) {
    if (isZooKeeperError(error, "BAD_VERSION", "NODE_EXISTS")) return null;
    if (!isZooKeeperError(error, "NO_NODE")) throw error;
    // Somebody has deleted it; it is made again with the next writing.
    if (version !== null) return null;
  }
  // A service that was made by an older deployd; of one that was removed there is nothing to make it below.
  await zk.create(timelinesPath(service)).catch((error: unknown) => {
    if (!isZooKeeperError(error, "NODE_EXISTS")) throw error;
  });
  await zk.create(path, text);
  return 0;
}

/** Whether a change to this node is one of a timeline, which nobody has to read again for it. */
export function isOfTimelines(path: string): boolean {
  const [service = "", section] = path.slice(servicesPath.length + 1).split("/");
  return section === "timelines" && path.startsWith(timelinesPath(service));
}

/**
 * What has been kept of a deploy, for people who want to see it.
 *
 * @throws DeployError `timeline-unknown` where nothing was kept of it, `zookeeper-data-invalid`
 */
export async function timelineOf(
  zk: ZooKeeper,
  service: string,
  { id: deploy, record }: { readonly id: string; readonly record: Pick<DeployRecord, "state"> },
): Promise<Timeline> {
  return attempting(`Cannot read the timeline of deploy "${deploy}" of "${service}"`, async () => {
    const found = await readRecord(zk, timelinePath(service, deploy), timelineRecordSchema);
    if (found !== null) return timelineIn(found.value);
    throw new DeployError(
      `There is no timeline of deploy "${deploy}" of "${service}", which is ${record.state}: it was begun under a conductor that kept none, or no agent has conducted since.`,
      {
        code: "timeline-unknown",
        hint: `What is on its record: deployd ctl history ${service} ${deploy}. Deploys under way have one as soon as an agent of this version conducts.`,
      },
    );
  });
}

/**
 * The service whose deploy has this id.
 *
 * @throws DeployError `deploy-unknown`, `usage` where several services have one
 */
export async function serviceOfDeploy(zk: ZooKeeper, deploy: string): Promise<string> {
  return attempting(`Cannot look for deploy "${deploy}"`, async () => {
    const services = await childrenOf(zk, servicesPath);
    const nodes = await readNodes(
      zk,
      services.map((service) => deployPath(service, deploy)),
    );
    const [found, ...others] = services.filter((_, at) => nodes[at] !== null);
    if (found === undefined) {
      throw new DeployError(`There is no deploy "${deploy}" of any service.`, {
        code: "deploy-unknown",
        hint: "The last 50 deploys of each service are kept; deployd ctl history SERVICE lists their ids.",
      });
    }
    if (others.length === 0) return found;
    throw new DeployError(`Cannot tell which deploy "${deploy}" is meant: ${[found, ...others].join(", ")} have one.`, {
      code: "usage",
      hint: `Name the service, as in: deployd ctl monitor ${found} --replay ${deploy}`,
    });
  });
}
