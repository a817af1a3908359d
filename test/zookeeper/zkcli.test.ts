import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { systemClock } from "../../src/support/clock.ts";
import { startDevServer } from "../../src/zookeeper/server/dev_server.ts";
import { startZooKeeper } from "../harness/zookeeper.ts";

interface Transcript {
  /** What the commands printed, times and transaction ids left out. */
  readonly lines: readonly string[];
  /** What its watches heard, sorted: they are printed by a thread of their own. */
  readonly events: readonly string[];
}

function isEvent(line: string): boolean {
  return line.startsWith("WatchedEvent");
}

/** Types commands into Debian's ZooKeeper shell. */
async function zkCli(connectString: string, commands: readonly string[]): Promise<Transcript> {
  const command = ["sh", "-c", 'exec /usr/share/zookeeper/bin/zkCli.sh -server "$1" 2>&1', "sh", connectString];
  const child = Bun.spawn(command, { stdin: Buffer.from(`${commands.join("\n")}\nquit\n`), stdout: "pipe" });
  const printed = (await new Response(child.stdout).text()).split("\n");
  await child.exited;
  return {
    lines: printed
      .filter((line) => !isEvent(line) && !/^(SLF4J|Connecting|Welcome|JLine|WATCHER|$)/.test(line))
      .map((line) => line.replace(/^([cmp]Zxid|[cm]time) = .*/, "$1")),
    events: printed.filter((line) => isEvent(line) && !line.includes("type:None")).toSorted(),
  };
}

function stat(dataVersion: number, dataLength: number): string[] {
  const counters = ["cversion = 0", `dataVersion = ${dataVersion}`, "aclVersion = 0", "ephemeralOwner = 0x0"];
  const moments = ["cZxid", "ctime", "mZxid", "mtime", "pZxid"];
  return [...moments, ...counters, `dataLength = ${dataLength}`, "numChildren = 0"];
}

// Apache's own client is the judge: what it prints must not depend on which server it talks to.
describe.each([
  ["Apache ZooKeeper", startZooKeeper],
  ["the development server", () => startDevServer({ clock: systemClock })],
])("zkCli.sh with %s", (_name, start) => {
  let server: { connectString: string } & AsyncDisposable;

  beforeAll(async () => {
    server = await start();
  });

  afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });

  test("creates, lists, reads, sets, stats, watches and deletes", async () => {
    const { lines, events } = await zkCli(server.connectString, [
      "create /app hello",
      "create /app again",
      "ls /",
      "get -s /app",
      "set /app changed",
      "set -v 7 /app x",
      "stat /app",
      "create -s /app/job- 1",
      "create -s /app/job- 2",
      "delete /app",
      "addWatch -m PERSISTENT_RECURSIVE /app",
      "set /app x",
      "removewatches /app",
      "set /app y",
      "deleteall /app",
      "stat /app",
    ]);
    expect(lines).toEqual([
      "Created /app",
      "Node already exists: /app",
      "[app, zookeeper]",
      "hello",
      ...stat(0, 5),
      "version No is not valid : /app",
      ...stat(1, 7),
      "Created /app/job-0000000000",
      "Created /app/job-0000000001",
      "Node not empty: /app",
      "Node does not exist: /app",
    ]);
    expect(events).toContain("WatchedEvent state:SyncConnected type:NodeDataChanged path:/app");
    expect(events.filter((line) => line.includes("NodeDeleted"))).toEqual([]);
  }, 60_000);

  test("makes ephemerals, containers and nodes with a time to live, guards them, and asks who it is", async () => {
    const { lines } = await zkCli(server.connectString, [
      "create -c /container",
      "create -t 60000 /container/ttl x",
      "create -e /container/ephemeral x",
      "create -e -s /container/numbered- x",
      "getAllChildrenNumber /container",
      "getEphemerals /container",
      "getAcl /container",
      "sync /container",
      "addauth digest app:secret",
      "whoami",
      "setAcl /container auth::cdrwa",
      "getAcl /container",
    ]);
    expect(lines).toEqual([
      "Created /container",
      "Created /container/ttl",
      "Created /container/ephemeral",
      "Created /container/numbered-0000000002",
      "3",
      "[/container/ephemeral, /container/numbered-0000000002]",
      "'world,'anyone",
      ": cdrwa",
      "Sync is OK",
      "Auth scheme: User",
      "ip: 127.0.0.1",
      "digest: app",
      "'digest,'app:F6Y+U5gIoCbNNoLQExmvxRFeatA=",
      ": cdrwa",
    ]);
  }, 60_000);
});
