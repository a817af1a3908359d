import { afterAll, beforeAll, expect, test } from "bun:test";
import { systemClock } from "../../src/support/clock.ts";
import { ZooKeeper } from "../../src/zookeeper/client.ts";
import { isZooKeeperError } from "../../src/zookeeper/errors.ts";
import { eventually } from "../harness/eventually.ts";
import { fourLetters, startEnsemble, type RealEnsemble } from "../harness/zookeeper.ts";

let ensemble: RealEnsemble;

beforeAll(async () => {
  ensemble = await startEnsemble(3, {
    properties: {
      "readonlymode.enabled": "true",
    },
    // Without its ensemble a server can give no other sessions.
    config: ["localSessionsEnabled=true", "localSessionsUpgradingEnabled=true"],
  });
}, 60_000);

afterAll(async () => {
  await ensemble.stop();
});

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
