import { afterEach, beforeEach, expect, test } from "bun:test";
import { emptyJournal } from "../../src/schema/journal.ts";
import { followWish } from "../../src/store/follow.ts";
import { buildPath, deployPath, enabledPath, hostPath, servicePath, statusPath } from "../../src/store/paths.ts";
import type { WishSnapshot } from "../../src/store/read_wish.ts";
import { encode } from "../../src/store/records.ts";
import { removeService } from "../../src/store/remove_service.ts";
import { setService } from "../../src/store/services.ts";
import { clockOf, systemClock, type Clock } from "../../src/support/clock.ts";
import { startDevServer, type DevServer } from "../../src/zookeeper/server/dev_server.ts";
import { Session } from "../../src/zookeeper/session.ts";
import { OpCode } from "../../src/zookeeper/wire/opcodes.ts";
import { eventually } from "../harness/eventually.ts";
import { knownFormat } from "../harness/format.ts";
import { Site } from "./site.ts";

let server: DevServer;
let site: Site;
let stack: AsyncDisposableStack;

beforeEach(async () => {
  server = await startDevServer({ clock: systemClock, tickMs: 50 });
  site = await Site.open(server.connectString, "/tree");
  stack = new AsyncDisposableStack();
});
afterEach(async () => {
  await stack.disposeAsync();
  await site[Symbol.asyncDispose]();
  await server.close();
});

/** Follows the wish of host "a" until the test ends. */
async function follow(clock: Clock = systemClock, zone?: string) {
  const session = stack.use(new Session({ clock: systemClock, servers: site.connectString }));
  await session.client.connected();
  const snapshots: WishSnapshot[] = [];
  const statuses: string[] = [];
  const stop = new AbortController();
  const running = followWish(
    {
      session,
      format: knownFormat,
      service: "web",
      host: "a",
      clock,
      zone,
      remembered: () => emptyJournal,
      onSnapshot: (snapshot) => snapshots.push(snapshot),
      onProblem: () => {},
      onStatus: (text) => void statuses.push(text),
    },
    stop.signal,
  );
  stack.defer(async () => {
    stop.abort();
    await running;
  });
  const wishes = (build: string) =>
    eventually(() => {
      const { target, deploy } = snapshots.at(-1) ?? {};
      return target?.kind === "build" && target.build === build && deploy?.build === build;
    });
  return { session, snapshots, statuses, wishes };
}

/** What this session reads from now on, by its path. */
function readsOf(session: Session): string[] {
  const reads: string[] = [];
  server.faults.failOperation = ({ opcode, path, sessionId }) => {
    const isRead = opcode === OpCode.getData || opcode === OpCode.exists || opcode === OpCode.multiRead;
    if (isRead && sessionId === session.client.sessionId) reads.push(path?.replace("/tree", "") ?? "many");
    return undefined;
  };
  return reads;
}

test("a new wish costs a host three reads: the wish, its build and its deploy", async () => {
  const { session, snapshots, wishes } = await follow();
  await eventually(() => snapshots.length > 0);
  const reads = readsOf(session);
  for (const [deploy, build] of [
    ["d1", "v1"],
    ["d2", "v2"],
  ] as const) {
    reads.length = 0;
    await site.deploy(deploy, build);
    await wishes(build);
    expect(reads).toEqual([enabledPath("web"), buildPath("web", build), deployPath("web", deploy)]);
    await site.state(deploy, "done");
  }
});

test("what changes for everybody, or for others, costs a host nothing", async () => {
  await site.host("a");
  await site.host("b");
  await site.deploy("d1", "v1");
  const { session, snapshots, wishes } = await follow();
  await wishes("v1");
  const reads = readsOf(session);
  await site.state("d1", "rolling");
  for (const host of ["a", "b"]) await site.zk.set(statusPath("web", host), "{}");
  await site.moves({ kind: "reclaim", host: "b" });
  await site.zk.set(buildPath("web", "v2"), (await site.zk.get(buildPath("web", "v2"))).data);
  await site.zk.set(hostPath("web", "b"), encode({ role: "canary" }));
  const before = snapshots.length;
  // Whatever it was told before is told by now.
  await site.zk.set(buildPath("web", "v1"), (await site.zk.get(buildPath("web", "v1"))).data);
  await eventually(() => snapshots.length > before);
  expect(reads).toEqual([buildPath("web", "v1"), deployPath("web", "d1")]);
});

test("now and then everything is read again, its own status as well", async () => {
  const pauses: number[] = [];
  let passedMs = 0;
  const clock = clockOf({
    ...systemClock,
    after: (ms, work) => {
      if (ms < 10_000) return systemClock.after(ms, work);
      pauses.push(ms);
      passedMs += ms;
      return systemClock.after(0, work);
    },
    monotonicMs: () => passedMs,
    // Half an interval and a half, of two minutes: hosts do it at different times.
    random: () => 0.5,
  });
  await site.host("a");
  const { session, statuses, snapshots } = await follow(clock);
  const reads = readsOf(session);
  await eventually(() => statuses.length >= 3);
  expect(reads).toContain(statusPath("web", "a"));
  expect(reads).toContain(enabledPath("web"));
  expect(reads).toContain(hostPath("web", "a"));
  expect(new Set(pauses)).toEqual(new Set([120_000]));
  expect(snapshots.length).toBeGreaterThanOrEqual(3);
});

test("a host that was there before its service has its role and its status as soon as the service is made", async () => {
  await removeService(site.zk, "web");
  const { snapshots } = await follow();
  await eventually(() => snapshots.at(-1)?.target.kind === "none");
  expect(await site.zk.exists(servicePath("web"))).toBeNull();
  await setService(site.zk, "web", {});
  await eventually(async () => (await site.zk.exists(hostPath("web", "a"))) !== null);
  await eventually(async () => (await site.zk.exists(statusPath("web", "a"))) !== null);
});

test("hosts of a large fleet do not ask at once: each waits for a part of the time that all of them take", async () => {
  const pauses: number[] = [];
  const clock = clockOf({
    ...systemClock,
    random: () => 0.25,
    after: (ms, work) => {
      pauses.push(ms);
      return systemClock.after(ms, work);
    },
  });
  await site.host("a");
  const { wishes, session, snapshots } = await follow(clock);
  const wish = (build: string, hosts: number) =>
    site.zk.set(enabledPath("web"), encode({ build, deploy: build === "v1" ? "d1" : "d2", hosts }));
  for (const [id, build] of [
    ["d1", "v1"],
    ["d2", "v2"],
  ] as const) {
    await site.deploy(id, build);
    await site.state(id, "done");
    await wishes(build);
  }
  await wish("v1", 6_000);
  await eventually(() => snapshots.at(-1)?.fleet === 6_000);
  const reads = readsOf(session);
  pauses.length = 0;
  await wish("v2", 3);
  await eventually(() => pauses.includes(6_000 * 0.1 * 0.25));
  expect(reads).toEqual([]);
  await wishes("v2");
  // A small one does not wait for the large one that it was.
  pauses.length = 0;
  await wish("v1", 3);
  await wishes("v1");
  expect(pauses.filter((ms) => ms > 1 && ms < 10_000)).toEqual([]);
});

test("a host says where it stands by now, keeps what operators say of it, and leaves a zone alone where it knows none", async () => {
  await site.zk.create(hostPath("web", "a"), encode({ role: "canary", zone: "old" }));
  const recordNow = async (): Promise<unknown> =>
    JSON.parse(Buffer.from((await site.zk.get(hostPath("web", "a"))).data).toString());
  const unsaid = await follow();
  await eventually(() => unsaid.snapshots.at(-1)?.zone === "old");
  const said = await follow(systemClock, "new");
  await eventually(() => said.snapshots.at(-1)?.zone === "new");
  expect(await recordNow()).toEqual({ role: "canary", zone: "new" });
  await eventually(() => unsaid.snapshots.at(-1)?.zone === "new");
  expect(await recordNow()).toEqual({ role: "canary", zone: "new" });
});
