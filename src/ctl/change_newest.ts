import type { Change, Changed } from "../store/change_deploy.ts";
import { readHead } from "../store/deploys.ts";
import { readService } from "../store/services.ts";
import { insist, type LastingConnection } from "../watch/lasting_connection.ts";
import type { ZooKeeper } from "../zookeeper/client.ts";
import type { Ctl } from "./verb.ts";

export type Changing = (zk: ZooKeeper, change: Change) => Promise<Changed>;

/**
 * Changes the newest deploy. If the answer is lost (connection loss), the change is retried, but only while the newest
 * deploy is still the one that was meant.
 */
export async function changeNewest(
  { process, signal, address }: Ctl,
  connection: LastingConnection,
  service: string,
  build: string | undefined,
  flags: {
    readonly why: string | undefined;
    readonly deploy: string | undefined;
    readonly override?: string | undefined;
  },
  change: Changing,
): Promise<Changed> {
  let meant = flags.deploy;
  // By this time the change is known again, where its answer was lost.
  const now = process.now();
  return insist(connection, signal, address.connectTimeoutMs, async (zk) => {
    await readService(zk, service);
    meant ??= (await readHead(zk, service)).latest?.id;
    const { why = "", override } = flags;
    return change(zk, { service, build, deploy: meant, who: process.user, why, override, now });
  });
}
