import { isDeployError, type DeployError } from "../core/errors.ts";
import { grantsWithheld, progressOf, type DeployView, type Progress } from "../core/rollout.ts";
import type { Wishes } from "../core/targets.ts";
import type { DeployRecord } from "../schema/deploy_record.ts";
import type { AgentRecord, Gate, HostRecord, HostStatus, ServiceSettings, Wish } from "../schema/znodes.ts";
import type { ZooKeeper } from "../zookeeper/client.ts";
import { barredOf } from "./bar.ts";
import { byServersClock, readHead } from "./deploys.ts";
import { readGate, type GateRead } from "./gate.ts";
import { deploysPath } from "./paths.ts";
import { childrenOf } from "./records.ts";
import { readAgents, readHosts, readStatuses } from "./registry.ts";
import { readService } from "./services.ts";
import { heldProblem, wishTroubleOf, type WishTrouble } from "./wish_trouble.ts";

/** One service as it stands: what is wished, what every host says, and how far the newest deploy has come. */
export interface Overview {
  readonly service: string;
  readonly settings: ServiceSettings;
  readonly wishes: Wishes;
  readonly hosts: ReadonlyMap<string, HostRecord>;
  readonly statuses: ReadonlyMap<string, HostStatus>;
  readonly agents: ReadonlyMap<string, AgentRecord>;
  /** Why no host follows the wish, where that is so: whatever the newest deploy came to is then not what is wished. */
  readonly wishTrouble?: WishTrouble;
  /** Records that could not be read, in words. */
  readonly problems: readonly string[];
  /** Why it is not known how the newest deploy stands; null where it is. */
  readonly damaged: DeployError | null;
  readonly deploy: {
    readonly id: string;
    readonly record: DeployRecord;
    readonly gate: Gate;
    readonly progress: Progress;
    /** Of the builds that it leads to, on and back, those that may go nowhere. */
    readonly barred: ReadonlySet<string>;
  } | null;
}

export async function readOverview(zk: ZooKeeper, service: string): Promise<Overview> {
  const problems: string[] = [];
  const settings = await readService(zk, service, (problem) => problems.push(problem));
  const onProblem = (problem: string) => problems.push(problem);
  const [head, hosts, statuses, agents] = await Promise.all([
    readHead(zk, service),
    readHosts(zk, service, onProblem),
    readStatuses(zk, service, onProblem),
    readAgents(zk, service),
  ]);
  const trouble = await wishTroubleOf(zk, service, head, statuses);
  const held = heldProblem(service, statuses);
  if (held !== null) problems.push(held);
  if (trouble !== null && trouble.problem !== held && trouble.word !== "unreadable") problems.push(trouble.problem);
  const withheld = grantsWithheld({ wishes: head.problems.length > 0, deploys: new Set() });
  if (withheld !== null) problems.push(withheld, ...head.problems);
  const wishes = { enabled: head.enabled.value, canary: head.canary?.value ?? null };
  const newest = head.latest === null ? null : await readNewest(zk, service, head.latest.id);
  const read = newest !== null && "record" in newest ? newest : null;
  if (head.pointerProblem !== null) problems.push(head.pointerProblem);
  if (head.damaged !== null) problems.push(head.damaged.hint);
  problems.push(...(await problemsOfOthers(zk, service, read?.id)));
  problems.push(...(await endedBefore(zk, service, wishes.enabled, read?.id)));
  const view = { wishes, hosts, status: statuses, alive: new Set(agents.keys()) };
  const deploy =
    read === null
      ? null
      : {
          id: read.id,
          record: byServersClock(read.record, read),
          gate: read.gate,
          progress: shownProgress(view, read),
          barred: await barredOf(zk, service, read.record),
        };
  return {
    service,
    settings,
    wishes,
    hosts,
    statuses,
    agents,
    problems,
    deploy,
    damaged: head.damaged ?? (isDeployError(newest) ? newest : null),
    ...(trouble === null ? {} : { wishTrouble: trouble }),
  };
}

/**
 * How far it has come. Canary hosts that are back follow the fleet's wish again, for the same build: what is told then is
 * how the fleet serves it, and not that the deploy has no host any more.
 */
function shownProgress(view: Parameters<typeof progressOf>[0], deploy: DeployView): Progress {
  const { id, record } = deploy;
  const { enabled, canary } = view.wishes;
  const isWithFleet = record.state === "rolled back" && record.stage === "canary" && canary?.deploy !== id;
  if (!isWithFleet || enabled?.deploy === undefined || enabled.build !== record.rollback.to)
    return progressOf(view, deploy);
  const wish = { build: enabled.build, deploy: enabled.deploy };
  const status = new Map(
    [...view.status].map(([host, said]) => [host, said.wish?.deploy === id ? { ...said, wish } : said]),
  );
  return progressOf({ ...view, status }, { ...deploy, id: wish.deploy });
}

/** A later deploy to the canary hosts hides that the fleet's own was ended half way: hosts then serve what they had. */
async function endedBefore(
  zk: ZooKeeper,
  service: string,
  wish: Wish | null,
  newest: string | undefined,
): Promise<string[]> {
  if (wish?.deploy === undefined || wish.deploy === newest) return [];
  const found = await readGate(zk, service, wish.deploy).catch(() => null);
  if (found === null || (found.record.state !== "aborted" && found.record.state !== "halted")) return [];
  return [
    `The fleet is to serve "${wish.build}", and its deploy ${wish.deploy} was ${found.record.state}. ` +
      `Bring it to one build with: deployd ctl deploy ${service} BUILD`,
  ];
}

/** What is wrong with it where it cannot be read. */
async function readNewest(zk: ZooKeeper, service: string, deploy: string): Promise<GateRead | DeployError | null> {
  try {
    return await readGate(zk, service, deploy);
  } catch (error) {
    if (!isDeployError(error) || error.code !== "zookeeper-data-invalid") throw error;
    return error;
  }
}

/** What an older deploy says matters to nobody, but one that cannot be read stands in the way of every grant. */
async function problemsOfOthers(zk: ZooKeeper, service: string, newest: string | undefined): Promise<string[]> {
  const unreadable = new Map<string, string>();
  const others = (await childrenOf(zk, deploysPath(service))).filter((id) => id !== newest);
  await Promise.all(
    others.map(async (id) => {
      try {
        await readGate(zk, service, id);
      } catch (error) {
        if (!isDeployError(error) || error.code !== "zookeeper-data-invalid") throw error;
        unreadable.set(id, error.message);
      }
    }),
  );
  const withheld = grantsWithheld({ wishes: false, deploys: new Set(unreadable.keys()) });
  return withheld === null ? [] : [withheld, ...unreadable.values()];
}
