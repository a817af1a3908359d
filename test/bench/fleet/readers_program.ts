// Bare sessions, without anything of deployd but its client: see program.ts for how it is spoken to.
import type { ZooKeeper } from "../../../src/zookeeper/client.ts";
import { answerQuestions, wallMs } from "./program.ts";
import { clientOf } from "./tree.ts";

const AT_ONCE = 50;

const clients: ZooKeeper[] = [];
let left = 0;
let over = Promise.withResolvers<number>();

async function open(servers: string, count: number, paths: readonly string[]): Promise<void> {
  const [watched = ""] = paths;
  for (let at = 0; at < count; at += AT_ONCE) {
    const some = Array.from({ length: Math.min(AT_ONCE, count - at) }, () => clientOf(servers));
    clients.push(...some);
    await Promise.all(some.map((client) => client.addWatch(watched, "persistent", () => void readAll(client, paths))));
  }
}

/** One after the other, as a host does: what it reads next depends on what it has read. */
async function readAll(client: ZooKeeper, paths: readonly string[]): Promise<void> {
  for (const path of paths) await client.get(path);
  left -= 1;
  if (left === 0) over.resolve(wallMs());
}

await answerQuestions(async ({ ask, servers, count, paths }) => {
  switch (ask) {
    case "open":
      await open(String(servers), Number(count), paths as string[]);
      return {};
    case "arm":
      left = clients.length;
      over = Promise.withResolvers<number>();
      return {};
    case "over":
      return { atMs: await over.promise };
    case "close":
      await Promise.all(clients.map((client) => client.close()));
      return {};
    default:
      throw new Error(`nobody answers "${String(ask)}"`);
  }
});
