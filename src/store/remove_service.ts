import { isRunning } from "../core/deploy_state.ts";
import { DeployError, isDeployError } from "../core/errors.ts";
import { op, type ZooKeeper } from "../zookeeper/client.ts";
import { isZooKeeperError } from "../zookeeper/errors.ts";
import { readHead, type ServiceHead } from "./deploys.ts";
import { attempting } from "./errors.ts";
import { readLivingAgents, runsService } from "./living_agents.ts";
import { canaryPath, deploysPath, enabledPath, hostsPath, servicePath } from "./paths.ts";
import { childrenOf } from "./records.ts";
import { readService } from "./services.ts";

/** How many times nodes that somebody adds below a node while it is removed are removed as well. */
const MOST_TRIES = 20;

/**
 * Removes a service that no host has any more, with its builds and its history. It takes two steps: first, in one
 * `multi`, the nodes without which nothing can be deployed and no host can register; then everything else. If it is
 * killed between the two, the command is to be repeated.
 *
 * @throws DeployError `service-unknown`, `deploy-running`, `conflict` where hosts are registered
 */
export async function removeService(zk: ZooKeeper, service: string): Promise<void> {
  const attempted = `Cannot remove the service "${service}"`;
  await readService(zk, service, () => {});
  const head = await headIfWhole(zk, service);
  if (head !== null) assertNothingRuns(service, head, attempted);
  await attempting(attempted, async () => {
    await assertNoHosts(zk, service, attempted);
    await close(zk, service, head);
    await removeNodes(zk, servicePath(service));
  });
}

/** Null where parts of the service are removed already. */
async function headIfWhole(zk: ZooKeeper, service: string): Promise<ServiceHead | null> {
  try {
    return await readHead(zk, service);
  } catch (error) {
    if (isDeployError(error) && error.code === "zookeeper-data-invalid") return null;
    throw error;
  }
}

function assertNothingRuns(service: string, { latest }: ServiceHead, attempted: string): void {
  if (latest === null || !isRunning(latest.record)) return;
  const { id, record } = latest;
  throw new DeployError(`${attempted}: deploy ${id} of "${record.build}" by ${record.who} is ${record.state}.`, {
    code: "deploy-running",
    hint: `End it where it stands with: deployd ctl abort ${service} ${record.build}`,
  });
}

async function assertNoHosts(zk: ZooKeeper, service: string, attempted: string): Promise<void> {
  const hosts = (await childrenOf(zk, hostsPath(service))).toSorted();
  const [first] = hosts;
  if (first === undefined) return;
  const agents = await readLivingAgents(zk, hosts);
  const running = hosts.filter((host) => {
    const agent = agents.get(host);
    return agent !== undefined && (agent.record === null || runsService(agent.record, service));
  });
  const registered = `${attempted}: ${named(hosts)} ${hosts.length === 1 ? "is" : "are"} registered for it.`;
  if (running.length === 0) {
    const each = hosts.length === 1 ? "Forget it" : "Forget them one by one";
    throw new DeployError(registered, {
      code: "conflict",
      hint: `${each}, beginning with: deployd ctl hosts forget ${service} ${first}`,
    });
  }
  throw new DeployError(registered, {
    code: "conflict",
    hint: `Take [services.${service}] out of agent.toml on ${named(running)} and restart the agent there; running instances go on serving. Then repeat the removal, which says which hosts to forget. To list them: deployd ctl hosts list ${service}`,
  });
}

function named(hosts: readonly string[]): string {
  const rest = hosts.length - 5;
  return rest > 0 ? `${hosts.slice(0, 5).join(", ")} and ${rest} more` : hosts.join(", ");
}

/**
 * From here on nothing can be deployed and no host can register; this fails where somebody did either since it was
 * checked.
 */
async function close(zk: ZooKeeper, service: string, head: ServiceHead | null): Promise<void> {
  if (head === null) return;
  await zk.multi([
    op.check(deploysPath(service), head.pointer.version),
    ...(head.canary === null ? [] : [op.delete(canaryPath(service), head.canary.version)]),
    op.delete(enabledPath(service), head.enabled.version),
    op.delete(hostsPath(service)),
  ]);
}

async function removeNodes(zk: ZooKeeper, path: string): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    for (const child of await childrenOf(zk, path)) await removeNodes(zk, `${path}/${child}`);
    try {
      return await zk.delete(path);
    } catch (error) {
      if (isZooKeeperError(error, "NO_NODE")) return;
      if (!isZooKeeperError(error, "NOT_EMPTY") || tries >= MOST_TRIES) throw error;
    }
  }
}
