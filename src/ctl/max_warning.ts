import { amountText, maxHosts } from "../core/limits.ts";
import type { Amount } from "../schema/limits.ts";
import { ServiceMirror } from "../store/mirror.ts";
import { count } from "../view/words.ts";
import type { ZooKeeper } from "../zookeeper/client.ts";
import type { Output } from "../cli/output.ts";

/**
 * Warns when a service's `max` is no limit, because it has no more hosts than that. For a single host it says nothing:
 * that host has to go out of service.
 */
export async function warnOfMax(zk: ZooKeeper, service: string, amount: Amount, output: Output): Promise<void> {
  if (amount === 1) return;
  // A warning that cannot be computed must not fail the verb.
  const hosts = await ServiceMirror.look(zk, service, ["hosts"]).then(
    (known) => known.hosts.size,
    () => 0,
  );
  const max = maxHosts(amount, hosts);
  if (hosts < 2 || max < hosts) return;
  output.note(
    `! max ${amountText(amount)} is no limit for ${service}, which has ${count(hosts, "host")}: all of them may be out of service at once.`,
  );
}
