import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { shareOf } from "../../src/core/host_share.ts";
import { parseStages } from "../../src/core/stages.ts";
import type { Stage } from "../../src/schema/stages.ts";
import { readBuild } from "../../src/store/builds.ts";
import { promote } from "../../src/store/change_deploy.ts";
import { readHead } from "../../src/store/deploys.ts";
import { holdHost, releaseHost } from "../../src/store/hold_host.ts";
import { enabledPath } from "../../src/store/paths.ts";
import { rollBack } from "../../src/store/roll_back.ts";
import { setService } from "../../src/store/services.ts";
import { pauseDeploy, resumeDeploy, retryDeploy } from "../../src/store/stop_and_go.ts";
import { systemClock } from "../../src/support/clock.ts";
import { startDevServer, type DevServer } from "../../src/zookeeper/server/dev_server.ts";
import { eventually } from "../harness/eventually.ts";
import { NOW, Site } from "../store/site.ts";
import { FakeHost, Outage, saidBy, type FakeHostOptions } from "./fake_host.ts";
import { conductAt } from "./running.ts";

let server: DevServer;
let site: Site;
let stack: AsyncDisposableStack;
let outage: Outage;
let decisions = 0;

beforeEach(async () => {
  server = await startDevServer({ clock: systemClock, tickMs: 50 });
  site = await Site.open(server.connectString, "/tree", { max: 2, budget: 0, soakMs: 0 });
  stack = new AsyncDisposableStack();
  outage = new Outage();
});
afterEach(async () => {
  await stack.disposeAsync();
  await site[Symbol.asyncDispose]();
  await server.close();
});

/** A conductor that can be killed. */
function conduct(): AsyncDisposable {
  return stack.use(conductAt(site.connectString));
}

async function startHost(name: string, options: Partial<FakeHostOptions> = {}): Promise<FakeHost> {
  return stack.use(await FakeHost.start(name, { connectString: site.connectString, outage, ...options }));
}

async function startHosts(count: number, options: Partial<FakeHostOptions> = {}): Promise<FakeHost[]> {
  return Promise.all(Array.from({ length: count }, (_, index) => startHost(`h${index}`, options)));
}

const decision = () => ({ service: "web", who: "dana", why: "", now: new Date(NOW.getTime() + (decisions += 1)) });
const becomes = async (id: string, state: string): Promise<unknown> =>
  eventually(async () => (await site.record(id)).state === state);
const serving = (hosts: readonly FakeHost[], build: string): string[] =>
  hosts.flatMap((host) => (host.build === build ? [host.name] : [])).toSorted();

/** Everybody serves v1, brought by d1. */
async function settled(hosts: readonly FakeHost[]): Promise<void> {
  await site.deploy("d1", "v1");
  await becomes("d1", "done");
  expect(serving(hosts, "v1")).toHaveLength(hosts.length);
}

/** The names of the first `count` hosts by their share of the deploy. */
function first(hosts: readonly FakeHost[], deploy: string, count: number): string[] {
  const ordered = hosts.map(({ name }) => name).toSorted((a, b) => shareOf(deploy, a) - shareOf(deploy, b));
  return ordered.slice(0, count).toSorted();
}

test("each stage comes to just as many hosts as its percentage is of, rounded up, though every conductor dies after it", async () => {
  let conductor = conduct();
  const hosts = await startHosts(6);
  await settled(hosts);
  await site.start({ id: "d2", build: "v2", stages: parseStages("10%/promote,40%/promote,100%") });
  for (const count of [1, 3]) {
    await becomes("d2", "awaiting promotion");
    expect(serving(hosts, "v2")).toEqual(first(hosts, "d2", count));
    expect(serving(hosts, "v1")).toHaveLength(6 - count);
    await conductor[Symbol.asyncDispose]();
    await promote(site.zk, decision());
    conductor = conduct();
  }
  await becomes("d2", "done");
  expect(serving(hosts, "v2")).toHaveLength(6);
  expect(outage.most).toBeLessThanOrEqual(2);
}, 30_000);

test("stages that wait for time go on by themselves once it has passed by ZooKeeper's clock, and not before", async () => {
  const conductor = conduct();
  const hosts = await startHosts(4);
  await settled(hosts);
  const waitMs = 2_500;
  const stages: Stage[] = [
    { hosts: "25%", wait: waitMs },
    { hosts: "50%", wait: 0 },
    { hosts: "100%", wait: 0 },
  ];
  await site.start({ id: "d2", build: "v2", stages });
  await becomes("d2", "awaiting promotion");
  const waitsSince = performance.now();
  expect(serving(hosts, "v2")).toHaveLength(1);
  // The next conductor waits what is left, and not from the beginning.
  await conductor[Symbol.asyncDispose]();
  conduct();
  await becomes("d2", "done");
  // The record was written a moment before it was seen here.
  expect(performance.now() - waitsSince).toBeGreaterThan(waitMs - 1_000);
  expect(serving(hosts, "v2")).toHaveLength(4);
  expect((await site.record("d2")).acts.map(({ act }) => act)).toEqual(["started"]);
}, 30_000);

test("a stage without a wait is followed by the next at once, and whoever cannot know the time never counts it as passed", async () => {
  stack.use(conductAt(site.connectString, { serverNowMs: null }));
  const hosts = await startHosts(4);
  await settled(hosts);
  await site.start({
    id: "d2",
    build: "v2",
    stages: [
      { hosts: "25%", wait: 0 },
      { hosts: "50%", wait: 1 },
      { hosts: "100%", wait: 0 },
    ],
  });
  await eventually(async () => {
    const { state, stage } = await site.record("d2");
    return state === "awaiting promotion" && stage === 1;
  });
  expect(serving(hosts, "v2")).toEqual(first(hosts, "d2", 2));
  await promote(site.zk, decision());
  await becomes("d2", "done");
});

test("the zones of stages come one after the other", async () => {
  conduct();
  const hosts = await Promise.all(
    ["north", "north", "south", "south"].map(async (zone, at) => startHost(`h${at}`, { zone })),
  );
  await settled(hosts);
  await site.start({ id: "d2", build: "v2", stages: parseStages("zone:south/promote,zone:north/promote,100%") });
  await becomes("d2", "awaiting promotion");
  expect(serving(hosts, "v2")).toEqual(["h2", "h3"]);
  await promote(site.zk, decision());
  await eventually(async () => (await site.record("d2")).stage === 1);
  await becomes("d2", "awaiting promotion");
  expect(serving(hosts, "v2")).toHaveLength(4);
});

test("a host that joins in a stage takes the build before where its share lies above, and the new one where it lies below", async () => {
  conduct();
  const hosts = await startHosts(4);
  await settled(hosts);
  await site.start({ id: "d2", build: "v2", stages: parseStages("50%/promote,100%") });
  await becomes("d2", "awaiting promotion");
  const below = (await site.record("d2")).reach?.below ?? 0;
  const named = (isBelow: boolean): string =>
    Array.from({ length: 200 }, (_, at) => `new-${at}`).find((name) => shareOf("d2", name) < below === isBelow) ?? "";
  const [early, late] = [await startHost(named(true)), await startHost(named(false))];
  await eventually(() => early.build === "v2");
  await eventually(() => late.build === "v1");
  expect((await saidBy(site.zk, late.name))?.wish).toEqual({ build: "v1", deploy: "d1" });
  await promote(site.zk, decision());
  await becomes("d2", "done");
  expect(late.build).toBe("v2");
  expect(outage.most).toBeLessThanOrEqual(2);
}, 30_000);

test("a host that was away while the deploy before came takes that one's build in a stage that has not reached it", async () => {
  conduct();
  const hosts = await startHosts(3);
  await settled(hosts);
  await site.deploy("d2", "v2");
  await becomes("d2", "done");
  await site.start({ id: "d3", build: "v3", stages: parseStages("25%/promote,100%") });
  await becomes("d3", "awaiting promotion");
  const below = (await site.record("d3")).reach?.below ?? 0;
  const name = Array.from({ length: 200 }, (_, at) => `back-${at}`).find((each) => shareOf("d3", each) >= below) ?? "";
  const back = await startHost(name);
  await eventually(() => back.build === "v2");
});

test("a deploy that would halt goes back by itself where its service says so, and nobody has to do anything", async () => {
  await setService(site.zk, "web", { onHalt: "rollback" });
  let conductor = conduct();
  const hosts = await startHosts(6, { fate: (build) => (build === "v2" ? "bad" : "good") });
  await settled(hosts);
  await site.start({ id: "d2", build: "v2", stages: parseStages("50%/promote,100%") });
  await eventually(
    async () => (await site.record("d2")).state.startsWith("roll") && (await site.record("d2")).acts.length > 1,
  );
  await conductor[Symbol.asyncDispose]();
  conductor = conduct();
  await becomes("d2", "rolled back");
  expect(serving(hosts, "v1")).toHaveLength(6);
  expect(await site.record("d2")).toMatchObject({ rollback: { who: "deployd", to: "v1", from: "rolling" } });
  expect((await readBuild(site.zk, "web", "v2")).value.barred?.who).toBe("deployd");
  expect((await readHead(site.zk, "web")).enabled.value).toMatchObject({ build: "v1", deploy: "d2" });
}, 30_000);

test.each(["awaiting promotion", "paused"])(
  "a rollback of a deploy that is %s in a stage touches only the hosts that it had come to, whoever conducts",
  async (state) => {
    let conductor = conduct();
    const hosts = await startHosts(6);
    await settled(hosts);
    await site.start({ id: "d2", build: "v2", stages: parseStages("50%/promote,100%") });
    await becomes("d2", "awaiting promotion");
    const touched = first(hosts, "d2", 3);
    if (state === "paused") await pauseDeploy(site.zk, decision());
    await conductor[Symbol.asyncDispose]();
    outage.begun.length = 0;
    await rollBack(site.zk, decision());
    conductor = conduct();
    await becomes("d2", "rolled back");
    expect(outage.begun.toSorted()).toEqual(touched);
    expect(serving(hosts, "v1")).toHaveLength(6);
    // A rollback of that rollback is the same one.
    expect((await rollBack(site.zk, decision())).record.state).toBe("rolled back");
  },
  20_000,
);

test("an urgent deploy comes to everybody, also where the one that it overtakes has come only to some, and may go back", async () => {
  conduct();
  const hosts = await startHosts(4);
  await settled(hosts);
  await site.start({ id: "d2", build: "v2", stages: parseStages("50%/promote,100%") });
  await becomes("d2", "awaiting promotion");
  await site.startUrgent({ id: "d3", build: "v3", stages: parseStages("50%/promote,100%") });
  await becomes("d3", "awaiting promotion");
  const reached = first(hosts, "d3", 2);
  // Whom it has not reached goes back to what was good before the deploy that was overtaken.
  await eventually(() => serving(hosts, "v1").length === 2);
  expect(serving(hosts, "v3")).toEqual(reached);
  await rollBack(site.zk, decision());
  await becomes("d3", "rolled back");
  expect(serving(hosts, "v1")).toHaveLength(4);
}, 20_000);

test("a deploy that would go back by itself halts where the wish cannot be read: nobody could be wished the way back", async () => {
  await setService(site.zk, "web", { onHalt: "rollback" });
  await site.deploy("d1", "v1");
  await site.state("d1", "done");
  await site.deploy("d2", "v2");
  await site.state("d2", "rolling");
  const failure = {
    deploy: "d2",
    build: "v2",
    attempt: 9,
    reason: "sick",
    again: 0,
    healthy: true,
    since: NOW.toISOString(),
  };
  await site.host("told", "fleet", { step: "failed", failure });
  await site.zk.set(enabledPath("web"), "{");
  conduct();
  await becomes("d2", "halted");
  expect((await site.record("d2")).acts.map(({ act }) => act)).toEqual(["started"]);
  expect((await readBuild(site.zk, "web", "v2")).value.barred).toBeUndefined();
});

test("a deploy of what runs already is done when everybody has said so, and takes nobody out of service", async () => {
  conduct();
  const hosts = await startHosts(4);
  await settled(hosts);
  outage.begun.length = 0;
  await site.start({ id: "d2", build: "v1", stages: parseStages("50%,100%") });
  await becomes("d2", "done");
  expect([outage.begun, serving(hosts, "v1").length]).toEqual([[], 4]);
  expect((await saidBy(site.zk, "h0"))?.wish).toEqual({ build: "v1", deploy: "d2" });
});

test("under the policy of asking it halts and stays so", async () => {
  conduct();
  const hosts = await startHosts(3, { fate: (build) => (build === "v2" ? "bad" : "good") });
  await settled(hosts);
  await site.deploy("d2", "v2");
  await becomes("d2", "halted");
  expect((await readBuild(site.zk, "web", "v2")).value.barred).toBeUndefined();
});

test("what failed and is mended goes on by a retry, and the hosts that failed try once more", async () => {
  conduct();
  let isMended = false;
  const hosts = await startHosts(4, { fate: (build) => (build === "v2" && !isMended ? "bad" : "good") });
  await settled(hosts);
  await site.start({ id: "d2", build: "v2", stages: parseStages("50%/promote,100%") });
  await becomes("d2", "halted");
  isMended = true;
  await retryDeploy(site.zk, decision());
  await becomes("d2", "awaiting promotion");
  expect(serving(hosts, "v2")).toEqual(first(hosts, "d2", 2));
  await promote(site.zk, decision());
  await becomes("d2", "done");
  expect(serving(hosts, "v2")).toHaveLength(4);
}, 30_000);

describe("a deploy that is paused", () => {
  test("has nobody begin, and takes the slot of a host that had not begun", async () => {
    const conductor = conduct();
    const wish = { build: "v1", deploy: "d1" };
    await site.deploy("d1", "v1");
    for (const name of ["a", "b", "c"])
      await site.host(name, "fleet", { wish, step: "ready", build: "v3", health: "healthy" });
    const holders = async () => [...(await site.gate()).gate.slots.keys()];
    await eventually(async () => (await holders()).length === 2);
    await pauseDeploy(site.zk, decision());
    await eventually(async () => (await holders()).length === 0);
    // The next conductor does not know better.
    await conductor[Symbol.asyncDispose]();
    conduct();
    await holdHost(site.zk, { service: "web", host: "c", who: "dana", why: "", clock: systemClock });
    await eventually(async () => (await site.gate()).gate.holds.has("c"));
    expect(await holders()).toEqual([]);
    await resumeDeploy(site.zk, decision());
    await eventually(async () => (await holders()).length > 0);
    expect((await site.record("d1")).state).toBe("rolling");
  });

  test("lets who has begun come through, and comes to everybody once it is resumed", async () => {
    conduct();
    const hosts = await startHosts(6);
    await settled(hosts);
    await site.deploy("d2", "v2");
    await eventually(() => outage.out.size > 0 || serving(hosts, "v2").length > 0);
    await pauseDeploy(site.zk, decision());
    await eventually(async () => (await site.gate()).gate.slots.size === 0);
    const reached = serving(hosts, "v2");
    expect(outage.out.size).toBe(0);
    await resumeDeploy(site.zk, decision());
    await becomes("d2", "done");
    expect(reached.length).toBeLessThan(6);
    expect(serving(hosts, "v2")).toHaveLength(6);
    expect(outage.most).toBeLessThanOrEqual(2);
  });
});

test("a host that is held takes a place of max: with all of them held a deploy waits until one is given back", async () => {
  conduct();
  const hosts = await startHosts(4);
  await settled(hosts);
  for (const host of ["h0", "h1"])
    await holdHost(site.zk, { service: "web", host, who: "dana", why: "", clock: systemClock });
  await eventually(async () => (await site.gate()).gate.holds.size === 2);
  await site.deploy("d2", "v2");
  const areReady = async () =>
    (await Promise.all(hosts.map(async ({ name }) => saidBy(site.zk, name)))).every((said) => said?.step === "ready");
  await eventually(areReady);
  // A round in which something else is done: it had the choice.
  await releaseHost(site.zk, "web", "h0");
  await eventually(async () => !(await site.gate()).gate.holds.has("h0"));
  await eventually(() => serving(hosts, "v2").length === 3);
  expect(hosts[1]?.build).toBe("v1");
  // One place was held all the time.
  expect(outage.most).toBeLessThanOrEqual(2);
  await releaseHost(site.zk, "web", "h1");
  await becomes("d2", "done");
  expect(serving(hosts, "v2")).toHaveLength(4);
}, 30_000);
