// Starts a real ZooKeeper server, says where it listens, and stops it when stdin ends.
import { startZooKeeper } from "../../harness/zookeeper.ts";

await using server = await startZooKeeper();
process.stdout.write(`${server.connectString}\n`);
await Bun.stdin.text();
