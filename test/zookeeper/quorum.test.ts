import { afterAll, beforeAll, expect, test } from "bun:test";
import { systemClock } from "../../src/support/clock.ts";
import { ZooKeeper } from "../../src/zookeeper/client.ts";
import { isZooKeeperError } from "../../src/zookeeper/errors.ts";
import { digestId } from "../../src/zookeeper/server/access.ts";
import { eventually } from "../harness/eventually.ts";
import { fourLetters, startEnsemble, type RealEnsemble } from "../harness/zookeeper.ts";

const superPassword = "for this test";

let ensemble: RealEnsemble;

beforeAll(async () => {
  ensemble = await startEnsemble(3, {
    properties: {
      "readonlymode.enabled": "true",
      "zookeeper.DigestAuthenticationProvider.superDigest": digestId(`super:${superPassword}`),
    },
    // Without its ensemble a server can give no other sessions.
    config: ["localSessionsEnabled=true", "localSessionsUpgradingEnabled=true", "reconfigEnabled=true"],
  });
}, 60_000);

afterAll(async () => {
  await ensemble.stop();
});

test("the ensemble's members are read, changed by who may, and watched", async () => {
  const { connectString, servers } = ensemble;
  // Who takes the leader out of the ensemble loses the answer with it.
  const leader = await ensemble.leader();
  const leaving = servers.findIndex((server) => server !== leader) + 1;
  await using anyone = new ZooKeeper({ clock: systemClock, servers: connectString });
  await using admin = new ZooKeeper({
    clock: systemClock,
    servers: leader.connectString,
    auth: [{ scheme: "digest", credentials: `super:${superPassword}` }],
  });
  const before = await anyone.getConfig();
  expect(before.members.map((each) => each.id)).toEqual([1, 2, 3]);
  expect(before.members[0]).toMatchObject({ host: "127.0.0.1", role: "participant" });
  const refused: unknown = await anyone.reconfig({ leave: [leaving] }).catch((error: unknown) => error);
  expect(isZooKeeperError(refused, "NO_AUTH")).toBe(true);
  const stale: unknown = await admin.reconfig({ leave: [leaving] }, 1n).catch((error: unknown) => error);
  expect(isZooKeeperError(stale, "BAD_VERSION")).toBe(true);

  const seen: string[] = [];
  await using watcher = new ZooKeeper({ clock: systemClock, servers: `${leader.connectString}/some/chroot` });
  await watcher.getConfig({ watch: ({ type, path }) => void seen.push(`${type} ${path}`) });
  const fewer = await admin.reconfig({ leave: [leaving] }, before.version);
  expect(fewer.members.map((each) => each.id)).toEqual([1, 2, 3].filter((id) => id !== leaving));
  await eventually(() => seen.length > 0);
  expect(seen).toEqual(["data-changed /zookeeper/config"]);
  const left = before.members.find((each) => each.id === leaving);
  const port = servers[leaving - 1]?.port ?? 0;
  const line = `server.${leaving}=127.0.0.1:${left?.quorumPort}:${left?.electionPort}:participant;127.0.0.1:${port}`;
  // The server that left must have gone before it can come back.
  const again = await eventually(() => admin.reconfig({ join: [line] }), 20_000);
  expect(again.members.map((each) => each.id)).toEqual([1, 2, 3]);
  expect(again.members[leaving - 1]?.client).toEqual({ host: "127.0.0.1", port });
  expect(again.version).toBeGreaterThan(before.version);
}, 60_000);

test("a server without its ensemble serves readers who ask for that, until a server that takes writes is found", async () => {
  const { connectString, servers } = ensemble;
  await using before = new ZooKeeper({ clock: systemClock, servers: connectString });
  await before.create("/kept", "1");
  await before.sync("/kept");
  const [left, ...others] = servers;
  await using onLeft = new ZooKeeper({ clock: systemClock, servers: left?.connectString ?? "" });
  await onLeft.sync("/kept");
  await onLeft.close();
  await before.close();
  await Promise.all(others.map((server) => server.kill()));
  // Until it has noticed that it is alone, it gives sessions that may write.
  await eventually(async () => (await fourLetters(left?.port ?? 0, "srvr")).includes("Mode: read-only"), 20_000);

  await using reader = new ZooKeeper({ clock: systemClock, servers: connectString, readOnly: true });
  const states: string[] = [];
  reader.onState((state) => {
    states.push(state.kind === "connected" ? `connected${state.readOnly ? " read-only" : ""}` : state.kind);
  });
  await reader.connected();
  expect(reader.state).toMatchObject({ kind: "connected", readOnly: true, server: left?.connectString });
  expect((await reader.get("/kept")).data).toEqual(Buffer.from("1"));
  const refused: unknown = await reader.set("/kept", "2").catch((error: unknown) => error);
  expect(isZooKeeperError(refused, "NOT_READ_ONLY")).toBe(true);
  const seen: string[] = [];
  await reader.exists("/later", { watch: ({ type, path }) => void seen.push(`${type} ${path}`) });

  await using writer = new ZooKeeper({ clock: systemClock, servers: connectString });
  const asked = await writer.connected({ signal: AbortSignal.timeout(300) }).catch((error: unknown) => error);
  expect(isZooKeeperError(asked, "ABORTED")).toBe(true);

  await Promise.all(others.map((server) => server.restart()));
  await eventually(() => reader.state.kind === "connected" && !reader.state.readOnly, 20_000);
  expect((await reader.set("/kept", "2")).version).toBe(1);
  await reader.create("/later");
  expect(seen).toEqual(["created /later"]);
  expect(states[0]).toBe("connected read-only");
  expect(states.at(-1)).toBe("connected");
  expect(new Set(states)).toEqual(new Set(["connected read-only", "suspended", "connected"]));
  await writer.connected();
}, 60_000);
