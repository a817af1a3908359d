import { ServiceMirror } from "../store/mirror.ts";
import { count } from "../view/words.ts";
import type { ZooKeeper } from "../zookeeper/client.ts";
import type { Output } from "../cli/output.ts";

/** Says where a limit is none. Of one host nothing is said: it has to go out of service. */
export async function warnOfMax(zk: ZooKeeper, service: string, max: number, output: Output): Promise<void> {
  if (max === 1) return;
  // What is said beside the work must not end it.
  const hosts = await ServiceMirror.look(zk, service, ["hosts"]).then(
    (known) => known.hosts.size,
    () => 0,
  );
  if (hosts < 2 || max < hosts) return;
  output.note(
    `! max ${max} is no limit for ${service}, which has ${count(hosts, "host")}: all of them may be out of service at once.`,
  );
}
