import { expect, test } from "bun:test";
import { join } from "node:path";
import { systemClock } from "../../src/support/clock.ts";
import { ZooKeeper } from "../../src/zookeeper/client.ts";
import { eventually } from "../harness/eventually.ts";
import { startZooKeeper } from "../harness/zookeeper.ts";

const program = (connectString: string) => `
import { systemClock } from ${JSON.stringify(join(import.meta.dir, "../../src/support/clock.ts"))};
import { ZooKeeper } from ${JSON.stringify(join(import.meta.dir, "../../src/zookeeper/client.ts"))};
const zk = new ZooKeeper({ clock: systemClock, servers: ${JSON.stringify(connectString)}, sessionTimeoutMs: 1_000 });
zk.onState((state) => console.log(state.kind));
await zk.create("/mine", "", { mode: "ephemeral" });
console.log("made");
for (;;) {
  try { await zk.get("/mine"); await Bun.sleep(20); } catch (error) {
    if (error.code === "CONNECTION_LOSS") continue;
    console.log(error.code, error.outcome);
    break;
  }
}
`;

test("a client that is stopped for longer than its session lasts learns that it expired, not that a link was lost", async () => {
  await using server = await startZooKeeper();
  await using watcher = new ZooKeeper({ clock: systemClock, servers: server.connectString });
  const child = Bun.spawn([process.execPath, "-e", program(server.connectString)], {
    stdout: "pipe",
    stderr: "inherit",
  });
  try {
    await eventually(async () => (await watcher.exists("/mine")) !== null, 20_000);
    child.kill("SIGSTOP");
    await eventually(async () => (await watcher.exists("/mine")) === null, 20_000);
    child.kill("SIGCONT");
    const said = (await new Response(child.stdout).text()).trim().split("\n");
    expect(said.filter((line) => line !== "suspended")).toEqual([
      "connected",
      "made",
      "expired",
      "SESSION_EXPIRED not-sent",
    ]);
  } finally {
    child.kill("SIGKILL");
  }
}, 60_000);
