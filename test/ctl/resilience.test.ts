import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { DeployError } from "../../src/core/errors.ts";
import { insist, LastingConnection } from "../../src/watch/lasting_connection.ts";
import { hostPath } from "../../src/store/paths.ts";
import { systemClock } from "../../src/support/clock.ts";
import { ZooKeeper } from "../../src/zookeeper/client.ts";
import { isZooKeeperError } from "../../src/zookeeper/errors.ts";
import { eventually } from "../harness/eventually.ts";
import { startProxy, type FaultProxy } from "../harness/proxy.ts";
import { fourLetters, startZooKeeper, type RealZooKeeper } from "../harness/zookeeper.ts";
import { PuppetFleet } from "./fleet.ts";
import { ctl, startCtl, type Terminal } from "./terminal.ts";

let server: RealZooKeeper;
const now = (): Date => new Date();

beforeAll(async () => {
  server = await startZooKeeper({ config: ["maxSessionTimeout=1000"] });
});
afterAll(async () => {
  await server.stop();
});

/** A service with one host, whose operator sits behind a connection that can be broken. */
async function behind(proxy: FaultProxy) {
  const chroot = `/test-${crypto.randomUUID()}`;
  const direct = { env: { DEPLOYD_ZOOKEEPER: server.connectString, DEPLOYD_CHROOT: chroot }, now };
  await ctl(["services", "set", "web"], direct);
  const artifact = ["--digest", `sha256:${"ab".repeat(32)}`, "--size", "1"];
  await ctl(["builds", "add", "web", "https://x/b1", "--build", "b1", ...artifact], direct);
  const fleet = new PuppetFleet(server.connectString + chroot, "web");
  await fleet.join("web-01");
  return { fleet, direct, broken: { ...direct, env: { ...direct.env, DEPLOYD_ZOOKEEPER: proxy.connectString } } };
}

async function sessions(): Promise<number> {
  const answer = await fourLetters(server.port, "dump");
  return Number(/^Session Sets \(\d+\)\/\((\d+)\)/m.exec(answer)?.[1] ?? /Global Sessions\((\d+)\)/.exec(answer)?.[1]);
}

describe("following a deploy", () => {
  test("goes on after a lost connection", async () => {
    await using proxy = await startProxy(server.port);
    const { fleet, broken } = await behind(proxy);
    await using _ = fleet;
    const running = startCtl(["deploy", "web", "b1"], broken);
    await eventually(() => running.stdout().includes("preparing"));
    proxy.refuse();
    await eventually(() => running.stdout().includes("the connection to ZooKeeper is lost"));
    await fleet.say("web-01", "ready");
    proxy.resume();
    await eventually(() => running.stdout().includes("ZooKeeper is back"));
    await eventually(() => running.stdout().includes("b1 is prepared on"));
    await fleet.serveAll();
    expect((await running.finished).code).toBe(0);
  });

  test("does not miss an outcome that came while its session expired", async () => {
    await using proxy = await startProxy(server.port);
    const { fleet, broken } = await behind(proxy);
    await using _ = fleet;
    const before = await sessions();
    const running = startCtl(["deploy", "web", "b1"], broken);
    await eventually(() => running.stdout().includes("preparing"));
    expect(await sessions()).toBe(before + 1);
    proxy.refuse();
    await fleet.fail("web-01", "got 502", "");
    await fleet.move({ to: "halted", reason: "web-01: got 502" });
    await eventually(async () => (await sessions()) === before);
    proxy.resume();
    const run = await running.finished;
    expect(run.code).toBe(3);
    expect(run.stdout).toMatch(/✗ halted after/);
  });

  test("can be ended while ZooKeeper is away", async () => {
    await using proxy = await startProxy(server.port);
    const { fleet, broken } = await behind(proxy);
    await using _ = fleet;
    const running = startCtl(["deploy", "web", "b1"], broken);
    await eventually(() => running.stdout().includes("preparing"));
    proxy.blackHole();
    running.signal("SIGINT");
    expect((await running.finished).code).toBe(130);
  });
});

test("status --watch says how old its picture is while ZooKeeper is away, and goes on", async () => {
  await using proxy = await startProxy(server.port);
  const { fleet, broken } = await behind(proxy);
  await using _ = fleet;
  const running = startCtl(["status", "web", "--watch"], { ...broken, stdoutIsTerminal: true });
  await eventually(() => running.stdout().includes("web-01"));
  proxy.refuse();
  await eventually(() => /ZooKeeper is away \(.*\); stale for \d+s/.test(running.stdout()));
  const drawn = running.stdout().length;
  proxy.resume();
  await eventually(() => / UTC/.test(running.stdout().slice(drawn)));
  running.signal("SIGINT");
  expect((await running.finished).code).toBe(130);
});

describe("waiting for a host", () => {
  test("that leaves goes on after its session expired", async () => {
    await using proxy = await startProxy(server.port);
    const { fleet, direct, broken } = await behind(proxy);
    await using _ = fleet;
    await ctl(["deploy", "web", "b1", "--detach"], direct);
    const before = await sessions();
    const running = startCtl(["hosts", "leave", "web", "web-01"], broken);
    await isAskedFor("web-01", direct);
    await whileExpired(proxy, before, () =>
      fleet.say("web-01", "serving", { leaving: { phase: "stopped", problem: "" } }),
    );
    expect(await running.finished).toMatchObject({ code: 0, stderr: "" });
    expect(running.stdout()).toContain("web-01 has left web");
  });

  test("that is given back goes on after its session expired", async () => {
    await using proxy = await startProxy(server.port);
    const { fleet, direct, broken } = await behind(proxy);
    await using _ = fleet;
    await ctl(["deploy", "web", "b1", "--detach"], direct);
    await ctl(["hosts", "hold", "web", "web-01", "--detach"], direct);
    await fleet.hold("web-01");
    const before = await sessions();
    const running = startCtl(["hosts", "release", "web", "web-01"], broken);
    await isAskedFor("web-01", direct, false);
    await whileExpired(proxy, before, () => fleet.hold("web-01", false));
    expect(await running.finished).toMatchObject({ code: 0, stderr: "" });
    expect(running.stdout()).toContain("web-01 is released in web.");
  });

  test("that is to be held ends when its time is over, and says that ZooKeeper is away", async () => {
    await using proxy = await startProxy(server.port);
    const { fleet, direct, broken } = await behind(proxy);
    await using _ = fleet;
    const running = startCtl(
      ["hosts", "hold", "web", "web-01", "--timeout-s", "3", "--connect-timeout-s", "1"],
      broken,
    );
    await isAskedFor("web-01", direct);
    proxy.refuse();
    const { code, stderr } = await running.finished;
    expect({ code, stderr }).toMatchObject({ code: 69, stderr: expect.stringContaining("ZooKeeper") });
    expect(stderr).not.toContain("    at ");
  });
});

/** Has the operator's session expire, lets this happen, and has ZooKeeper back. */
async function whileExpired(proxy: FaultProxy, sessionsBefore: number, happens: () => Promise<void>): Promise<void> {
  proxy.refuse();
  await eventually(async () => (await sessions()) === sessionsBefore);
  await happens();
  proxy.resume();
}

/** Until a person's word for it is in the tree, or is there no more. */
async function isAskedFor(host: string, direct: Terminal, isAsked = true): Promise<void> {
  const { DEPLOYD_ZOOKEEPER: address, DEPLOYD_CHROOT: chroot } = direct.env ?? {};
  await using zk = new ZooKeeper({ clock: systemClock, servers: `${address}${chroot}` });
  const record = async (): Promise<string> => new TextDecoder().decode((await zk.get(hostPath("web", host))).data);
  await eventually(async () => (await record()).includes("hold") === isAsked);
}

test("a deploy is started once, wherever the connection breaks on the way", async () => {
  for (let bytes = 40; bytes <= 1_240; bytes += 100) {
    await using proxy = await startProxy(server.port);
    const { fleet, broken, direct } = await behind(proxy);
    await using _ = fleet;
    const running = startCtl(["deploy", "web", "b1", "--detach"], broken);
    // A turn of the event loop at a time: the whole command takes a few milliseconds.
    while (proxy.open === 0) await new Promise<void>((resolve) => void setImmediate(resolve));
    proxy.cutInsideAnswer(bytes);
    expect({ bytes, ...(await running.finished) }).toMatchObject({ bytes, code: 0, stderr: "" });
    // The connection did break.
    expect(proxy.accepted).toBeGreaterThan(1);
    const history = JSON.parse((await ctl(["history", "web", "--json"], direct)).stdout);
    expect({ bytes, deploys: history.deploys.length }).toEqual({ bytes, deploys: 1 });
  }
}, 60_000);

test("a connection that will be refused whenever it is tried again is not waited for", async () => {
  const refusal = new DeployError("The tree is of a newer deployd.", { code: "format-unknown" });
  const connection = new LastingConnection(
    async () => {
      throw refusal;
    },
    new AbortController().signal,
    systemClock,
  );
  expect(connection.connected()).toBeNull();
  await eventually(() => connection.reason === refusal.message);
  expect(() => connection.connected()).toThrow(refusal);
});

test("a change that ZooKeeper refuses to this user is not tried again", async () => {
  await using zk = new ZooKeeper({ clock: systemClock, servers: server.connectString });
  const { path: node } = await zk.create(`/test-${crypto.randomUUID()}`, new Uint8Array());
  await zk.setAcl(node, [{ perms: 1, scheme: "world", id: "anyone" }]);
  await using connection = new LastingConnection(async () => zk, new AbortController().signal, systemClock);
  let tries = 0;
  const refused = insist(connection, new AbortController().signal, Number.POSITIVE_INFINITY, (client) => {
    tries += 1;
    return client.set(node, new Uint8Array([1]));
  });
  expect(await refused.catch((error: unknown) => isZooKeeperError(error, "NO_AUTH"))).toBe(true);
  expect(tries).toBe(1);
});
