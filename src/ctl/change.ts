import type { DeployRecord } from "../schema/deploy_record.ts";
import type { Change } from "../store/change_deploy.ts";
import { readFront } from "../store/deploys.ts";
import { readService } from "../store/services.ts";
import type { ZooKeeper } from "../zookeeper/client.ts";
import type { Ctl } from "./command.ts";
import { exit, type ExitCode } from "./exit.ts";
import { sharedFlags, type CommonFlags } from "./flags.ts";
import { follow } from "./follow.ts";
import { insist, Link } from "./link.ts";

export interface ChangeFlags extends CommonFlags {
  readonly why: string | undefined;
  readonly detach: boolean | undefined;
  readonly timeoutS: number | undefined;
}

export const changeFlags = {
  why: sharedFlags.why,
  detach: sharedFlags.detach,
  timeoutS: sharedFlags.timeoutS,
} as const;

type Changed = { id: string; record: DeployRecord };

/**
 * Changes the newest deploy and follows it. A change whose answer was lost is repeated, but only while the newest deploy
 * is still the one that was meant.
 */
export async function changeAndFollow(
  ctl: Ctl,
  service: string,
  purpose: "promote" | "rollback",
  flags: ChangeFlags,
  change: (zk: ZooKeeper, change: Change) => Promise<Changed>,
): Promise<ExitCode> {
  const { output, process, signal, address } = ctl;
  await using link = new Link(ctl.connect, signal, process.clock);
  let meant: string | undefined;
  const { id, record } = await insist(link, signal, address.connectTimeoutMs, async (zk) => {
    await readService(zk, service);
    meant ??= (await readFront(zk, service)).latest?.id;
    return change(zk, { service, deploy: meant, who: process.user, why: flags.why ?? "", now: process.now() });
  });
  if (flags.detach !== true) return await follow(ctl, link, { service, id, purpose, timeoutS: flags.timeoutS });
  const document = { schema: "deployd.ctl.deploy/1", service, deploy: id, build: record.build, state: record.state };
  output.answer(document, [
    `Deploy ${id} of ${record.build} to ${service} is ${record.state}. Follow it with: deployd ctl wait ${service}`,
  ]);
  return exit.asked;
}
