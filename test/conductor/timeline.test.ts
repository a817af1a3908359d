import { afterEach, beforeEach, expect, test } from "bun:test";
import type { Timeline } from "../../src/core/timeline.ts";
import { fleetSize } from "../../src/core/timeline_samples.ts";
import { removeDeploy } from "../../src/store/prune.ts";
import { removeService } from "../../src/store/remove_service.ts";
import { rollBack } from "../../src/store/roll_back.ts";
import { forgetHost } from "../../src/store/host_care.ts";
import { ServiceMirror } from "../../src/store/mirror.ts";
import { abort } from "../../src/store/change_deploy.ts";
import { pauseDeploy } from "../../src/store/stop_and_go.ts";
import { servicePath, timelinePath, timelinesPath } from "../../src/store/paths.ts";
import { readTimeline } from "../../src/store/timelines.ts";
import { systemClock } from "../../src/support/clock.ts";
import { startDevServer, type DevServer } from "../../src/zookeeper/server/dev_server.ts";
import { eventually } from "../harness/eventually.ts";
import { op } from "../../src/zookeeper/client.ts";
import { isZooKeeperError } from "../../src/zookeeper/errors.ts";
import { NOW, Site } from "../store/site.ts";
import { FakeHost, Outage, type Fate } from "./fake_host.ts";
import { conductAt, type Conducting } from "./running.ts";

let server: DevServer;
let site: Site;
let stack: AsyncDisposableStack;

beforeEach(async () => {
  server = await startDevServer({ clock: systemClock, tickMs: 50 });
  site = await Site.open(server.connectString, "/tree", { max: 2, budget: 1, soakMs: 0 });
  stack = new AsyncDisposableStack();
});
afterEach(async () => {
  await stack.disposeAsync();
  await site[Symbol.asyncDispose]();
  await server.close();
});

function conduct(how: Conducting = {}): AsyncDisposable {
  return stack.use(conductAt(site.connectString, how));
}

async function startHosts(count: number, fate?: (build: string) => Fate): Promise<FakeHost[]> {
  const options = { connectString: site.connectString, outage: new Outage(), ...(fate && { fate }) };
  const started = Array.from({ length: count }, (_, index) => FakeHost.start(`h${index}`, options));
  return (await Promise.all(started)).map((host) => stack.use(host));
}

async function stateOf(id: string): Promise<string> {
  return (await site.record(id)).state;
}

/** What has been kept of a deploy, once it says that the deploy is in this state. */
async function timelineIn(id: string, state: string): Promise<Timeline> {
  return eventually(async () => {
    const timeline = (await readTimeline(site.zk, "web", id))?.timeline;
    return timeline?.marks.at(-1)?.state === state ? timeline : null;
  });
}

test("a deploy leaves a timeline: it ends with every host done, and tells the states that the deploy was in", async () => {
  conduct();
  await startHosts(5);
  await site.deploy("d1", "v1");
  const timeline = await timelineIn("d1", "done");
  expect(timeline.samples.at(-1)?.counts).toEqual({ done: 5 });
  for (const { counts } of timeline.samples) expect(fleetSize(counts)).toBe(5);
  expect(timeline.marks.map(({ state }) => state)).toContain("rolling");
  expect(timeline.gaps).toEqual([]);
  expect(timeline.failed).toEqual({ hosts: 0, first: [] });
});

test("whoever takes long is in it, with what takes so long", async () => {
  conduct();
  const held = Promise.withResolvers<void>();
  const outage = new Outage();
  const host = { connectString: site.connectString, outage, until: held.promise };
  stack.use(await FakeHost.start("h0", host));
  await site.deploy("d1", "v1");
  await eventually(() => outage.out.has("h0"));
  // A change of state is written at once.
  await pauseDeploy(site.zk, { service: "web", who: "me", why: "", now: NOW });
  const [slow] = (await timelineIn("d1", "paused")).slowest;
  expect(slow?.host).toBe("h0");
  expect(Object.keys(slow?.partsMs ?? {})).toContain("restart");
  held.resolve();
});

test("what failed is in it, with its reasons, and the way back is marked", async () => {
  conduct();
  await startHosts(6, (build) => (build === "v2" ? "bad" : "good"));
  await site.deploy("d1", "v1");
  await timelineIn("d1", "done");
  await site.deploy("d2", "v2");
  const halted = await timelineIn("d2", "halted");
  expect(halted.failed.hosts).toBeGreaterThan(1);
  expect(halted.failed.first[0]?.reason).not.toBe("");
  await rollBack(site.zk, { service: "web", who: "me", why: "", now: NOW });
  const back = await timelineIn("d2", "rolled back");
  expect(back.marks.map(({ state }) => state)).toContain("halted");
  expect(back.failed).toEqual(halted.failed);
  expect(back.samples.length).toBeGreaterThanOrEqual(halted.samples.length);
});

test("another conductor carries on what the one before has written, and leaves out what nobody saw", async () => {
  const began = Date.now();
  const first = conductAt(site.connectString, { serverNowMs: began });
  await startHosts(3);
  const outage = new Outage();
  stack.use(await FakeHost.start("c", { connectString: site.connectString, outage, role: "canary" }));
  await site.deploy("d1", "v1", "canary");
  const before = await timelineIn("d1", "awaiting promotion");
  await first[Symbol.asyncDispose]();
  await abort(site.zk, { service: "web", who: "me", why: "", now: NOW });
  // By its clock a minute has passed.
  conduct({ serverNowMs: began + 60_000 });
  const after = await timelineIn("d1", "aborted");
  expect(after.startedAtMs).toBe(before.startedAtMs);
  expect(after.samples[0]).toEqual(before.samples[0] ?? { atMs: -1, counts: {} });
  expect(after.marks).toEqual([...before.marks, expect.objectContaining({ state: "aborted" })]);
  const [gap] = after.gaps;
  expect(after.gaps).toHaveLength(1);
  expect((gap?.toMs ?? 0) - (gap?.fromMs ?? 0)).toBeGreaterThan(40_000);
});

test("two conductors at once leave one timeline, whole", async () => {
  conduct();
  conduct();
  await startHosts(6);
  await site.deploy("d1", "v1");
  const timeline = await timelineIn("d1", "done");
  expect(timeline.samples.at(-1)?.counts).toEqual({ done: 6 });
  expect(timeline.gaps).toEqual([]);
});

test("a deploy that an urgent one has ended is left with its last state", async () => {
  conduct();
  await site.deploy("d1", "v1");
  await timelineIn("d1", "preparing");
  await site.startUrgent({ id: "d2", build: "v2" });
  await timelineIn("d2", "preparing");
  const left = await timelineIn("d1", "aborted");
  expect(left.samples.length).toBeLessThanOrEqual(1);
});

test("of a deploy that had ended before anybody kept a timeline none is made up", async () => {
  await site.deploy("d1", "v1");
  await site.state("d1", "done");
  conduct();
  await startHosts(1);
  await site.deploy("d2", "v2");
  await timelineIn("d2", "done");
  expect(await readTimeline(site.zk, "web", "d1")).toBeNull();
});

test("one that cannot be read is begun anew, and where none can be written the deploy goes on", async () => {
  await site.deploy("d1", "v1");
  await site.zk.create(timelinePath("web", "d1"), "{");
  const said: string[] = [];
  conduct({ log: (_level, message) => said.push(message) });
  await startHosts(2);
  expect((await timelineIn("d1", "done")).samples.at(-1)?.counts).toEqual({ done: 2 });
  expect(said).toContain("a timeline that cannot be read is begun anew");
  // A node that cannot have children. It may just be writing the old one.
  await eventually(() => takeRoomAway());
  await site.deploy("d2", "v2");
  await eventually(async () => (await stateOf("d2")) === "done");
  await eventually(() => said.some((each) => each.startsWith("cannot keep the timeline")));
});

async function takeRoomAway(): Promise<boolean> {
  const room = timelinesPath("web");
  try {
    await site.other.multi([
      op.delete(timelinePath("web", "d1")),
      op.delete(room),
      op.create(room, "", { mode: "ephemeral" }),
    ]);
    return true;
  } catch (error) {
    if (!isZooKeeperError(error, "NO_NODE", "NOT_EMPTY")) throw error;
    return false;
  }
}

test("a service of an older deployd gets what it has no room for yet", async () => {
  await site.zk.delete(timelinesPath("web"));
  conduct();
  await startHosts(2);
  await site.deploy("d1", "v1");
  await timelineIn("d1", "done");
});

test("it goes with its deploy, and with its service", async () => {
  const conducting = conductAt(site.connectString);
  const hosts = await startHosts(1);
  await site.deploy("d1", "v1");
  await timelineIn("d1", "done");
  await site.deploy("d2", "v2");
  await timelineIn("d2", "done");
  await removeDeploy(site.zk, "web", "d1");
  expect((await site.zk.children(timelinesPath("web"))).children).toEqual(["d2"]);
  for (const host of hosts) await host[Symbol.asyncDispose]();
  await conducting[Symbol.asyncDispose]();
  await forgetHost(site.zk, "web", "h0");
  await removeService(site.zk, "web");
  expect(await site.zk.exists(servicePath("web"))).toBeNull();
});

test("a change to it makes nobody read anything again", async () => {
  await site.deploy("d1", "v1");
  const mirror = await ServiceMirror.look(site.zk, "web");
  for (const path of [timelinesPath("web"), timelinePath("web", "d1")]) mirror.mark(path);
  expect(mirror.isStale).toBe(false);
});
