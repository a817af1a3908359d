import { afterEach, beforeEach, expect, test } from "bun:test";
import type { HostStatus } from "../../src/schema/znodes.ts";
import { HoldSlot } from "../../src/service/hold_slot.ts";
import { releaseHost } from "../../src/store/hold_host.ts";
import { forgetLeft, leaveHost } from "../../src/store/leave.ts";
import { hostPath, statusPath } from "../../src/store/paths.ts";
import { StatusPublisher } from "../../src/store/publish.ts";
import { encode } from "../../src/store/records.ts";
import { readStatusOf } from "../../src/store/registry.ts";
import { systemClock } from "../../src/support/clock.ts";
import { startDevServer, type DevServer } from "../../src/zookeeper/server/dev_server.ts";
import { Session } from "../../src/zookeeper/session.ts";
import { knownFormat } from "../harness/format.ts";
import { never, Site, statusOf } from "../store/site.ts";

const stopped: HostStatus = statusOf({ leaving: { phase: "stopped", problem: "" }, begun: true });
const starting: HostStatus = { ...stopped, leaving: { phase: "starting", problem: "" } };
const request = { service: "web", host: "a", who: "ana", why: "", clock: systemClock };

let stack: AsyncDisposableStack;
let server: DevServer;
let site: Site;
let hold: HoldSlot;

/** A host that has left, and is still held. */
beforeEach(async () => {
  stack = new AsyncDisposableStack();
  server = stack.adopt(await startDevServer({ clock: systemClock, tickMs: 50 }), (each) => each.close());
  site = stack.use(await Site.open(server.connectString, "/tree"));
  await site.host("a", "fleet", stopped);
  await leaveHost(site.zk, request);
  const session = stack.use(new Session({ clock: systemClock, servers: site.connectString, sessionTimeoutMs: 5_000 }));
  await session.client.connected();
  const publisher = new StatusPublisher(session, "web", "a", knownFormat, systemClock);
  hold = new HoldSlot({ session, service: "web", host: "a", publisher, format: knownFormat });
});
afterEach(() => stack.disposeAsync());

async function comesBack(): Promise<boolean> {
  let isBegun = false;
  const may = await hold.comeBack(starting, () => Promise.resolve(void (isBegun = true)), never);
  expect(isBegun).toBe(may);
  return may;
}

test("a host that was given back says so as it begins to: whoever then has it leave again does not take it for stopped", async () => {
  await releaseHost(site.zk, "web", "a");
  expect(await comesBack()).toBe(true);
  expect((await readStatusOf(site.zk, "web", "a"))?.leaving).toEqual({ phase: "starting", problem: "" });
  await leaveHost(site.zk, request);
  expect(await forgetLeft(site.zk, "web", "a")).toBe(false);
});

test("one that is to leave again before it has begun to come back stays stopped, and may be forgotten", async () => {
  await releaseHost(site.zk, "web", "a");
  await leaveHost(site.zk, request);
  expect(await comesBack()).toBe(false);
  expect(await forgetLeft(site.zk, "web", "a")).toBe(true);
  expect(await comesBack()).toBe(false);
  // Whoever lost the answer asks again.
  expect(await forgetLeft(site.zk, "web", "a")).toBe(true);
});

test("where its record or its status has gone meanwhile it does nothing", async () => {
  await releaseHost(site.zk, "web", "a");
  await site.zk.delete(statusPath("web", "a"));
  expect(await comesBack()).toBe(false);
  await site.zk.create(statusPath("web", "a"), encode(stopped));
  await site.zk.delete(hostPath("web", "a"));
  expect(await comesBack()).toBe(false);
});
