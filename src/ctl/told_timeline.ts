import { DeployError } from "../core/errors.ts";
import { readDeploy, readHead } from "../store/deploys.ts";
import { timelineOf } from "../store/timelines.ts";
import type { ToldTimeline } from "../view/timeline_words.ts";
import type { ZooKeeper } from "../zookeeper/client.ts";

/**
 * What was kept of how a deploy went, with what is on its record.
 *
 * @param deploy the newest unless one is given
 * @throws DeployError `deploy-unknown`, `timeline-unknown`, `nothing-to-do` where nothing was ever deployed
 */
export async function readToldTimeline(
  zk: ZooKeeper,
  service: string,
  deploy: string | undefined,
): Promise<ToldTimeline> {
  const id = deploy ?? (await newestOf(zk, service));
  const { record } = await readDeploy(zk, service, id);
  const timeline = await timelineOf(zk, service, { id, record });
  return { service, deploy: id, record, timeline };
}

async function newestOf(zk: ZooKeeper, service: string): Promise<string> {
  const { latest, damaged } = await readHead(zk, service);
  if (damaged !== null) throw damaged;
  if (latest !== null) return latest.id;
  throw new DeployError(`Cannot show a timeline of "${service}": nothing was ever deployed to it.`, {
    code: "nothing-to-do",
    hint: `Deploy something with: deployd ctl deploy ${service} BUILD`,
  });
}
