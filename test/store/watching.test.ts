import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { toEverybody } from "../../src/core/stages.ts";
import { noneOut } from "../../src/core/gate.ts";
import { emptyJournal } from "../../src/schema/journal.ts";
import { barBuild } from "../../src/store/bar.ts";
import { addBuild, readBuild } from "../../src/store/builds.ts";
import { listDeploys, readHead } from "../../src/store/deploys.ts";
import { followWish } from "../../src/store/follow.ts";
import { restoreGate } from "../../src/store/gate.ts";
import { ServiceMirror } from "../../src/store/mirror.ts";
import {
  canaryPath,
  deployPath,
  deploysPath,
  enabledPath,
  failurePath,
  failuresPath,
  gatePath,
  hostPath,
  slotPath,
  slotsPath,
  statusPath,
} from "../../src/store/paths.ts";
import { prunable, removeDeploy } from "../../src/store/prune.ts";
import { StatusPublisher } from "../../src/store/publish.ts";
import type { WishSnapshot } from "../../src/store/read_wish.ts";
import { encode } from "../../src/store/records.ts";
import { setRole } from "../../src/store/registry.ts";
import { setService } from "../../src/store/services.ts";
import { startDeploy } from "../../src/store/start_deploy.ts";
import { systemClock } from "../../src/support/clock.ts";
import { OpCode } from "../../src/zookeeper/wire/opcodes.ts";
import { startDevServer, type DevServer } from "../../src/zookeeper/server/dev_server.ts";
import { Session } from "../../src/zookeeper/session.ts";
import { eventually } from "../harness/eventually.ts";
import { knownFormat } from "../harness/format.ts";
import { startProxy, type FaultProxy } from "../harness/proxy.ts";
import { servers } from "./servers.ts";
import { failureOf, NOW, Site, slotOf, statusOf, readOverview } from "./site.ts";

/** Follows the wish of one host in the background, until disposed. */
function follow(session: Session, service: string, host: string) {
  const snapshots: WishSnapshot[] = [];
  const problems: unknown[] = [];
  const stop = new AbortController();
  const running = followWish(
    {
      session,
      format: knownFormat,
      service,
      host,
      clock: { ...systemClock, now: () => NOW.getTime() },
      remembered: () => emptyJournal,
      onSnapshot: (snapshot) => snapshots.push(snapshot),
      onProblem: (error) => problems.push(error),
    },
    stop.signal,
  );
  return {
    snapshots,
    problems,
    get target() {
      return snapshots.at(-1)?.target;
    },
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await running;
    },
  };
}

describe.each(servers)("with %s", (_name, start) => {
  let server: { connectString: string } & AsyncDisposable;
  let site: Site;
  let session: Session;
  let count = 0;

  beforeAll(async () => {
    server = await start();
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    site = await Site.open(server.connectString, `/watching-${(count += 1)}`);
    session = new Session({ clock: systemClock, servers: site.connectString });
  });
  afterEach(async () => {
    await session.close();
    await site[Symbol.asyncDispose]();
  });

  test("a host registers itself as fleet, hears of its wish, and of a change of its role", async () => {
    await site.host("x", "canary");
    await using wish = follow(session, "web", "new");
    await eventually(() => wish.target?.kind === "none");
    expect(JSON.parse(new TextDecoder().decode((await site.zk.get(hostPath("web", "new"))).data))).toEqual({
      role: "fleet",
    });
    expect(await site.zk.exists(statusPath("web", "new"))).not.toBeNull();
    await site.deploy("d1", "v1");
    await eventually(() => Bun.deepEquals(wish.target, { kind: "build", build: "v1", deploy: "d1" }));
    expect(wish.snapshots.at(-1)).toMatchObject({ role: "fleet", build: { size: 1 }, deploy: { build: "v1" } });
    await site.state("d1", "done");
    await site.deploy("d2", "v2", "canary");
    await setRole(site.zk, "web", "new", "canary");
    await eventually(() => Bun.deepEquals(wish.target, { kind: "build", build: "v2", deploy: "d2" }));
    await setRole(site.zk, "web", "new", "fleet");
    await eventually(() => Bun.deepEquals(wish.target, { kind: "build", build: "v1", deploy: "d1" }));
    expect(wish.problems).toEqual([]);
  });

  test("a canary host hears when its own wish comes and goes", async () => {
    await site.host("c", "canary");
    await site.deploy("d1", "v1");
    await site.state("d1", "done");
    await using wish = follow(session, "web", "c");
    await eventually(() => Bun.deepEquals(wish.target, { kind: "build", build: "v1", deploy: "d1" }));
    await site.deploy("d2", "v2", "canary");
    await eventually(() => Bun.deepEquals(wish.target, { kind: "build", build: "v2", deploy: "d2" }));
    await site.zk.delete(canaryPath("web"));
    await eventually(() => Bun.deepEquals(wish.target, { kind: "build", build: "v1", deploy: "d1" }));
  });

  test("a host hears where its build's archive lies now, and that it was barred", async () => {
    await site.deploy("d1", "v1");
    await using wish = follow(session, "web", "a");
    await eventually(() => wish.target?.kind === "build");
    const build = () => wish.snapshots.at(-1)?.build;
    const { value } = await readBuild(site.zk, "web", "v1");
    for (const url of ["https://one.example/v1.tar", "https://two.example/v1.tar"]) {
      expect(await addBuild(site.zk, "web", "v1", { ...value, url })).toMatchObject({ kind: "moved" });
      await eventually(() => build()?.url === url);
    }
    await barBuild(site.zk, "web", "v1", { who: "me", why: "", time: NOW.toISOString() });
    await eventually(() => build()?.barred?.who === "me");
    expect(await addBuild(site.zk, "web", "v1", { ...value, url: "https://two.example/v1.tar" })).toEqual({
      kind: "was there",
    });
  });

  test("a service that is made later is followed from then on, and until then said to be missing", async () => {
    await using wish = follow(session, "api", "a");
    await eventually(() => wish.snapshots.at(-1)?.problem.includes("deployd ctl services set api"));
    expect(wish.target).toEqual({ kind: "none" });
    expect(await site.zk.exists("/services/api")).toBeNull();
    await setService(site.zk, "api", {});
    await eventually(() => wish.snapshots.at(-1)?.problem === "");
    expect(await site.zk.exists("/services/api/hosts/a")).not.toBeNull();
  });

  test("a wish by hand waits for the conductor, and one for an unknown build says so", async () => {
    await site.zk.set(enabledPath("web"), "v1");
    await using wish = follow(session, "web", "a");
    await eventually(() => wish.snapshots.at(-1)?.problem.includes("names no deploy"));
    expect(wish.target).toEqual({ kind: "none" });
    await site.zk.set(enabledPath("web"), encode({ build: "v9", deploy: "d1" }));
    await eventually(() => wish.snapshots.at(-1)?.problem.includes('"v9" is not in ZooKeeper'));
  });

  test("a record that cannot be read leaves the last wish standing", async () => {
    await site.deploy("d1", "v1");
    await using wish = follow(session, "web", "a");
    await eventually(() => wish.target?.kind === "build");
    await site.zk.set(enabledPath("web"), '{"build": 7}');
    await eventually(() => wish.problems.length > 0);
    expect(wish.target).toEqual({ kind: "build", build: "v1", deploy: "d1" });
    await site.zk.set(enabledPath("web"), encode({ build: "v1", deploy: "d1", from: "hand" }));
  });

  test("a mirror reads everything once and afterwards only what was marked", async () => {
    await site.host("a");
    await site.deploy("d1", "v1");
    const mirror = new ServiceMirror("web");
    expect(mirror.isStale).toBe(true);
    await mirror.refresh(site.zk);
    expect(mirror.isStale).toBe(false);
    expect(mirror.wishes.enabled).toEqual({ build: "v1", deploy: "d1", number: 1, hosts: 1 });
    expect([...mirror.hosts.keys()]).toEqual(["a"]);
    expect(mirror.deploys.get("d1")).toMatchObject({ record: await site.record("d1"), recordVersion: 0, out: noneOut });
    expect(mirror.gate).toEqual(await site.gate());
    expect(mirror.statuses.get("a")?.step).toBe("ready");

    await site.zk.set(statusPath("web", "a"), encode(statusOf({ step: "serving" })));
    await mirror.refresh(site.zk);
    expect(mirror.statuses.get("a")?.step).toBe("ready");
    mirror.mark(statusPath("web", "a"));
    expect(mirror.isStale).toBe(true);
    await mirror.refresh(site.zk);
    expect(mirror.statuses.get("a")?.step).toBe("serving");
    expect(mirror.statusNodes.get("a")?.version).toBe(1);
  });

  test("a mirror knows of every deploy that its version of the list knows of", async () => {
    const mirror = new ServiceMirror("web");
    await mirror.refresh(site.zk);
    const before = mirror.deploysVersion;
    await site.deploy("d1", "v1");
    mirror.mark(deploysPath("web"));
    await mirror.refresh(site.zk);
    expect(mirror.deploysVersion).toBeGreaterThan(before);
    expect([...mirror.deploys.keys()]).toEqual(["d1"]);
  });

  test("one damaged record does not blind a mirror to the others, and is named", async () => {
    await site.host("a");
    await site.host("b");
    await site.deploy("d1", "v1");
    await site.zk.set(statusPath("web", "a"), "{");
    await site.zk.set(deployPath("web", "d1"), "{}");
    const mirror = new ServiceMirror("web");
    await mirror.refresh(site.zk);
    expect([...mirror.statuses.keys()]).toEqual(["b"]);
    expect(mirror.unreadable).toMatchObject({ deploys: new Set(["d1"]), statuses: new Set(["a"]) });
    expect(mirror.problems.join()).toContain(deployPath("web", "d1"));
    expect(mirror.problems.join()).toContain(statusPath("web", "a"));
    await site.zk.set(statusPath("web", "a"), encode(statusOf()));
    mirror.mark(statusPath("web", "a"));
    await mirror.refresh(site.zk);
    expect(mirror.unreadable).toMatchObject({ deploys: new Set(["d1"]), statuses: new Set() });
    expect(mirror.problems).toHaveLength(1);
  });

  test("a deploy's record that is empty is not taken for a deploy that holds nobody", async () => {
    await site.deploy("d1", "v1");
    const mirror = new ServiceMirror("web");
    await mirror.refresh(site.zk);
    expect(mirror.unreadable.deploys).toEqual(new Set());
    await site.zk.set(deployPath("web", "d1"), "");
    mirror.mark(deployPath("web", "d1"));
    await mirror.refresh(site.zk);
    expect([...mirror.deploys.keys()]).toEqual([]);
    expect(mirror.unreadable.deploys).toEqual(new Set(["d1"]));
  });

  test.each([gatePath("web"), slotsPath("web"), failuresPath("web")])(
    "a mirror without %s has no gate, and has one again when it is there",
    async (path) => {
      const mirror = new ServiceMirror("web");
      await mirror.refresh(site.zk);
      expect(mirror.gate).toEqual(await site.gate());
      await site.zk.delete(path);
      mirror.mark(path);
      await mirror.refresh(site.zk);
      expect(mirror.gate).toBeNull();
      await restoreGate(site.zk, "web");
      mirror.mark(path);
      await mirror.refresh(site.zk);
      expect(mirror.gate).toEqual(await site.gate());
    },
  );

  test("a mirror sees who has a slot, in which deploy, and what somebody has made or deleted there by hand", async () => {
    await site.deploy("d1", "v1");
    for (const host of ["a", "b"]) await site.host(host);
    await site.moves({ kind: "grant", host: "a", slot: slotOf() });
    const mirror = new ServiceMirror("web");
    await mirror.refresh(site.zk);
    expect(mirror.deploys.get("d1")?.out).toEqual({ slots: { a: slotOf() }, failed: {} });
    // A conductor has moved hosts: its events are those of the gate and of each of them.
    await site.moves({ kind: "fail", host: "a", failure: failureOf() }, { kind: "grant", host: "b", slot: slotOf() });
    mirror.mark(gatePath("web"));
    await mirror.refresh(site.zk);
    expect(mirror.deploys.get("d1")?.out).toEqual({ slots: { b: slotOf() }, failed: { a: failureOf() } });
    // By hand, the gate's version says nothing.
    await site.zk.delete(slotPath("web", "b"));
    mirror.mark(gatePath("web"));
    await mirror.refresh(site.zk);
    expect(Object.keys(mirror.deploys.get("d1")?.out.slots ?? {})).toEqual(["b"]);
    mirror.mark(slotPath("web", "b"));
    await mirror.refresh(site.zk);
    expect(Object.keys(mirror.deploys.get("d1")?.out.slots ?? {})).toEqual([]);
    await site.zk.set(failurePath("web", "a"), "{");
    mirror.mark(failurePath("web", "a"));
    await mirror.refresh(site.zk);
    expect(mirror.gate?.gate.unreadable.failed).toEqual(new Set(["a"]));
    expect(mirror.problems).toEqual([expect.stringContaining(failurePath("web", "a"))]);
  });

  test("what a conductor has changed itself it does not read again, and what another has changed it does", async () => {
    await using server = await startDevServer({ clock: systemClock });
    await using own = await Site.open(server.connectString, "/own");
    for (const host of ["a", "b"]) await own.host(host);
    await own.deploy("d1", "v1");
    const mirror = new ServiceMirror("web");
    await mirror.refresh(own.zk);
    const read: (string | undefined)[] = [];
    server.faults.failOperation = ({ opcode, path }) => {
      if (opcode === OpCode.multiRead || opcode === OpCode.getData) read.push(path);
      return undefined;
    };
    const eventsOf = (host: string) => {
      for (const path of [gatePath("web"), slotPath("web", host)]) mirror.mark(path);
    };
    const { gate } = await own.moves({ kind: "grant", host: "a", slot: slotOf() });
    eventsOf("a");
    mirror.keepGate(gate, ["a"]);
    read.length = 0;
    await mirror.refresh(own.zk);
    expect(read).toEqual([`/own${gatePath("web")}`]);
    expect(mirror.gate?.gate.slots.size).toBe(1);
    await own.moves({ kind: "grant", host: "b", slot: slotOf() });
    eventsOf("b");
    await mirror.refresh(own.zk);
    expect(mirror.gate).toEqual(await own.gate());
    expect(mirror.gate?.gate.slots.size).toBe(2);
  });

  test("a deploy that is pruned while a mirror reads it is gone, and not one that cannot be read", async () => {
    await using server = await startDevServer({ clock: systemClock });
    await using own = await Site.open(server.connectString, "/torn");
    await own.deploy("d1", "v1");
    await own.state("d1", "done");
    await own.deploy("d2", "v2");
    const mirror = new ServiceMirror("web");
    let isPruned = false;
    server.faults.failOperation = ({ opcode, path }) => {
      if (opcode === OpCode.multiRead) return "UNIMPLEMENTED";
      if (path !== `/torn${deployPath("web", "d1")}`) return undefined;
      isPruned = true;
      return "NO_NODE";
    };
    await mirror.refresh(own.zk);
    expect(isPruned).toBe(true);
    expect([...mirror.deploys.keys()]).toEqual(["d2"]);
    expect(mirror.unreadable.deploys).toEqual(new Set());
  });

  test("what could not be read and is gone stands in nobody's way any more", async () => {
    await site.host("a");
    await site.zk.set(hostPath("web", "a"), "{");
    await site.zk.set(statusPath("web", "a"), "{");
    await site.zk.set(enabledPath("web"), "{");
    await site.zk.create(deployPath("web", "d1"), "{");
    const mirror = new ServiceMirror("web");
    await mirror.refresh(site.zk);
    const [a, none] = [new Set(["a"]), new Set<string>()];
    const all = { wishes: true, deploys: new Set(["d1"]), hosts: a, statuses: a, builds: none };
    expect(mirror.unreadable).toEqual(all);
    expect(mirror.problems).toHaveLength(4);
    for (const path of [hostPath("web", "a"), statusPath("web", "a"), deployPath("web", "d1")])
      await site.zk.delete(path);
    await site.zk.set(enabledPath("web"), "");
    mirror.markAll();
    await mirror.refresh(site.zk);
    expect(mirror.unreadable).toEqual({ wishes: false, deploys: none, hosts: none, statuses: none, builds: none });
    expect(mirror.problems).toEqual([]);
  });

  test("a host that somebody registered by hand without saying more is a fleet host", async () => {
    await site.zk.create(hostPath("web", "a"), "");
    const mirror = new ServiceMirror("web");
    await mirror.refresh(site.zk);
    expect(mirror.hosts.get("a")).toEqual({ role: "fleet" });
    expect((await ServiceMirror.look(site.zk, "web")).hosts.get("a")).toEqual({ role: "fleet" });
  });

  test("a gate that is gone is told as what stands in the way of every grant, and damage in it as what it is", async () => {
    await site.deploy("d1", "v1");
    expect((await readOverview(site.zk, "web")).problems).toEqual([]);
    await site.zk.create(slotPath("web", "a"), "{");
    expect((await readOverview(site.zk, "web")).problems).toEqual([expect.stringContaining(slotPath("web", "a"))]);
    await site.zk.delete(gatePath("web"));
    const { problems, deploy } = await readOverview(site.zk, "web");
    expect(deploy?.id).toBe("d1");
    expect(problems.join(" ")).toContain("no slot is granted while the gate of the service is missing");
  });

  test("what is shown to people is told by ZooKeeper's clock, whatever the hosts' and the laptops' say", async () => {
    const hours = (n: number) => new Date(Date.now() + n * 3_600_000);
    const isNow = (time: string) => Math.abs(Date.parse(time) - Date.now()) < 60_000;
    await site.host("ahead", "fleet", { since: hours(1).toISOString() });
    await site.host("behind", "fleet", { since: hours(-1).toISOString() });
    const request = { service: "web", stages: toEverybody, who: "", why: "", limits: {} };
    await startDeploy(site.zk, { ...request, id: "d1", build: "v1", now: hours(-48) });
    const { statuses, deploy } = await readOverview(site.zk, "web");
    expect([...statuses.values()].map(({ since }) => isNow(since))).toEqual([true, true]);
    expect([deploy?.record.times.created, deploy?.record.times.changed].map((time) => isNow(time ?? ""))).toEqual([
      true,
      true,
    ]);
    // Who writes the record again goes by what it says.
    const written = (await readHead(site.zk, "web")).latest?.record.times.created ?? "";
    expect(Date.parse(written)).toBeLessThan(hours(-47).getTime());
  });

  test("deploys are ordered as they came, whatever the clock of whoever asked for them said", async () => {
    const days = (n: number) => new Date(NOW.getTime() + n * 86_400_000);
    const request = { service: "web", stages: toEverybody, who: "", why: "", limits: {} };
    const asked = async (id: string, build: string, now: Date) => {
      await startDeploy(site.zk, { ...request, id, build, now });
      const record = await site.record(id);
      const ended = { ...record, state: "aborted", times: { created: now, changed: now, ended: now } };
      await site.zk.set(deployPath("web", id), JSON.stringify(ended));
    };
    await asked("z1", "v1", days(2));
    await asked("a2", "v2", days(0));
    expect((await listDeploys(site.zk, "web")).map(({ id }) => id)).toEqual(["z1", "a2"]);
    const { deploys } = await site.basis();
    expect(prunable([...deploys.values()].toReversed(), new Set(), 1)).toEqual(["z1"]);
    expect(prunable([...deploys.values()], new Set(), 1)).toEqual(["z1"]);
  });

  test("old deploys go with all that hangs on them, wished and unsettled ones stay", async () => {
    await site.deploy("d1", "v1");
    await site.state("d1", "done");
    await site.deploy("d2", "v2");
    await site.state("d2", "done");
    await site.deploy("d3", "v3");
    const all = async () => [...(await site.basis()).deploys.values()];
    expect(prunable(await all(), new Set(["d2"]), 0)).toEqual(["d1"]);
    await site.host("a");
    await site.moves({ kind: "grant", host: "a", slot: slotOf({ record: 1 }) });
    expect(prunable(await all(), new Set(["d2"]), 0)).toEqual([]);
    await site.moves({ kind: "fail", host: "a", failure: failureOf({ healthy: false }) });
    expect(prunable(await all(), new Set(["d2"]), 0)).toEqual([]);
    await site.moves({ kind: "heal", host: "a" });
    expect(prunable(await all(), new Set(["d2"]), 0)).toEqual(["d1"]);
    await removeDeploy(site.zk, "web", "d1");
    await removeDeploy(site.zk, "web", "d1");
    expect((await site.zk.children(deploysPath("web"))).children.toSorted()).toEqual(["d2", "d3"]);
  });
});

describe("over a connection that breaks", () => {
  let server: DevServer;
  let proxy: FaultProxy;
  let site: Site;
  let session: Session;

  beforeEach(async () => {
    server = await startDevServer({ clock: systemClock, tickMs: 50 });
    proxy = await startProxy(server.port);
    site = await Site.open(server.connectString, "/tree");
    await site.host("a");
    session = new Session({ clock: systemClock, servers: `${proxy.connectString}/tree` });
    await session.client.connected();
  });
  afterEach(async () => {
    proxy.resume();
    await session.close();
    await site[Symbol.asyncDispose]();
    await proxy[Symbol.asyncDispose]();
    await server.close();
  });

  test("a wish is followed through an expired session", async () => {
    await using wish = follow(session, "web", "a");
    await eventually(() => wish.target?.kind === "none");
    server.expire(session.client.sessionId);
    await site.deploy("d1", "v1");
    await eventually(() => wish.target?.kind === "build");
    await site.state("d1", "done");
    // Also the watches of the new session work.
    await site.deploy("d2", "v2");
    await eventually(() => Bun.deepEquals(wish.target, { kind: "build", build: "v2", deploy: "d2" }));
  });

  test("a wish that changed while nobody could be reached is read when the connection is back", async () => {
    await using wish = follow(session, "web", "a");
    await eventually(() => wish.target?.kind === "none");
    proxy.refuse();
    await site.deploy("d1", "v1");
    proxy.resume();
    await eventually(() => wish.target?.kind === "build");
  });

  async function published(): Promise<unknown> {
    return JSON.parse(new TextDecoder().decode((await site.zk.get(statusPath("web", "a"))).data));
  }

  async function version(): Promise<number> {
    return (await site.zk.exists(statusPath("web", "a")))?.version ?? -1;
  }

  test("statuses that follow each other fast become few writes, and the last one is there", async () => {
    const stop = new AbortController();
    const publisher = new StatusPublisher(session, "web", "a", knownFormat, systemClock);
    const running = publisher.run(stop.signal);
    const before = await version();
    for (let attempt = 0; attempt < 200; attempt++) {
      publisher.publish(statusOf({ step: "fetch", attempt }));
      if (attempt % 20 === 0) await site.zk.exists("/");
    }
    await eventually(async () => Bun.deepEquals(await published(), statusOf({ step: "fetch", attempt: 199 })));
    expect((await version()) - before).toBeLessThanOrEqual(4);
    // What is there already is not written again.
    const after = await version();
    publisher.publish(statusOf({ step: "fetch", attempt: 199 }));
    stop.abort();
    await running;
    expect(await version()).toBe(after);
  });

  test("of what was published while ZooKeeper was away only the newest is written", async () => {
    const stop = new AbortController();
    const publisher = new StatusPublisher(session, "web", "a", knownFormat, systemClock);
    const running = publisher.run(stop.signal);
    proxy.refuse();
    const before = await version();
    for (let attempt = 0; attempt < 50; attempt++) publisher.publish(statusOf({ step: "fetch", attempt }));
    await eventually(() => session.state.kind !== "connected");
    for (let attempt = 50; attempt < 60; attempt++) publisher.publish(statusOf({ step: "fetch", attempt }));
    proxy.resume();
    await eventually(async () => Bun.deepEquals(await published(), statusOf({ step: "fetch", attempt: 59 })));
    expect((await version()) - before).toBeLessThanOrEqual(2);
    stop.abort();
    await running;
  });

  test("a new session says the status again", async () => {
    const stop = new AbortController();
    const publisher = new StatusPublisher(session, "web", "a", knownFormat, systemClock);
    const running = publisher.run(stop.signal);
    publisher.publish(statusOf({ attempt: 7 }));
    await eventually(async () => Bun.deepEquals(await published(), statusOf({ attempt: 7 })));
    await site.zk.set(statusPath("web", "a"), encode(statusOf({ attempt: 1 })));
    server.expire(session.client.sessionId);
    await eventually(async () => Bun.deepEquals(await published(), statusOf({ attempt: 7 })));
    stop.abort();
    await running;
  });
});
