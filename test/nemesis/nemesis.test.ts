import { expect, test } from "bun:test";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { soak } from "./soak.ts";
import { committedTransactions, transactionsOf } from "./transaction_log.ts";
import { startZooKeeper } from "../harness/zookeeper.ts";
import { systemClock } from "../../src/support/clock.ts";
import { op, ZooKeeper } from "../../src/zookeeper/client.ts";

const MINUTE_MS = 60_000;

test(
  "twenty agents of the binary keep all that must hold, whatever a nemesis does for half a minute",
  async () => {
    const { code, said } = await soak("--seconds", "30");
    expect(said).toContain(": 0 violations");
    expect(code).toBe(0);
  },
  8 * MINUTE_MS,
);

test("what a server has logged is what was done, in order", async () => {
  await using server = await startZooKeeper();
  await using zk = new ZooKeeper({ clock: systemClock, servers: server.connectString });
  await zk.create("/a", "1");
  await zk.multi([op.set("/a", "2"), op.create("/b", "")]);
  await zk.multi([op.set("/a", "3"), op.check("/a", 99)]).catch(() => {});
  await zk.create("/c", "mine", { mode: "ephemeral" });
  await zk.delete("/b");
  const { sessionId } = zk;
  await zk.close();
  const transactions = await committedTransactions([server.directory]);
  expect(transactions.filter((each) => each.sessionId === sessionId).flatMap(({ changes }) => changes)).toEqual([
    { kind: "create", path: "/a", data: "1", isEphemeral: false },
    { kind: "set", path: "/a", data: "2" },
    { kind: "create", path: "/b", data: "", isEphemeral: false },
    { kind: "create", path: "/c", data: "mine", isEphemeral: true },
    { kind: "delete", path: "/b" },
    { kind: "close" },
  ]);
}, 60_000);

test("a log that was cut within a transaction has those before it", async () => {
  await using server = await startZooKeeper();
  await using zk = new ZooKeeper({ clock: systemClock, servers: server.connectString });
  for (const path of ["/a", "/b", "/c"]) await zk.create(path, "x".repeat(50));
  const [name = ""] = [...new Bun.Glob("version-2/log.*").scanSync(server.directory)];
  const bytes = await readFile(join(server.directory, name));
  const at = bytes.indexOf("/c");
  expect(
    transactionsOf(bytes.subarray(0, at + 10)).flatMap(({ changes }) =>
      changes.map((change) => "path" in change && change.path),
    ),
  ).toEqual(["/a", "/b"]);
}, 60_000);
