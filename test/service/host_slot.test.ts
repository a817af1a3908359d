import { afterEach, beforeEach, expect, test } from "bun:test";
import { HostSlot } from "../../src/service/host_slot.ts";
import { grantSlot } from "../../src/store/grants.ts";
import { TreeFormat } from "../../src/store/format.ts";
import { StatusPublisher } from "../../src/store/publish.ts";
import { encode } from "../../src/store/records.ts";
import { systemClock } from "../../src/support/clock.ts";
import { startDevServer, type DevServer } from "../../src/zookeeper/server/dev_server.ts";
import { Session } from "../../src/zookeeper/session.ts";
import { never, NOW, Site, statusOf } from "../store/site.ts";
import { eventually } from "../harness/eventually.ts";

let server: DevServer;
let site: Site;
let stack: AsyncDisposableStack;

beforeEach(async () => {
  stack = new AsyncDisposableStack();
  server = await startDevServer({ clock: systemClock, tickMs: 50 });
  site = await Site.open(server.connectString, "/tree");
});
afterEach(async () => {
  await stack.disposeAsync();
  await site[Symbol.asyncDispose]();
  await server.close();
});

test("a slot is neither used nor given back in a tree that is not understood, and given back when it is", async () => {
  await site.host("a");
  await site.deploy("d1", "v1");
  const slot = { attempt: 1, since: NOW.toISOString() };
  await grantSlot(site.zk, "web", await site.gate("d1"), await site.basis("a"), "a", slot);
  const session = stack.use(new Session({ clock: systemClock, servers: site.connectString }));
  const format = stack.use(new TreeFormat(session, "0", systemClock, () => {}));
  const publisher = new StatusPublisher(session, "web", "a", format, systemClock);
  const hostSlot = new HostSlot(session, "web", "a", publisher, format, systemClock);
  await format.known(never);
  expect(await hostSlot.grant("d1", 1, () => {})).toMatchObject({ attempt: 1 });
  expect(await hostSlot.grant("d1", 2, () => {})).toBeNull();

  await site.zk.set("/", encode({ format: 99 }));
  await eventually(() => format.problem !== null);
  expect(await hostSlot.grant("d1", 1, () => {})).toBeNull();
  const released = hostSlot.release("d1", statusOf({ step: "serving" }), never);
  // Whatever was sent by the first answer has come before the second.
  await session.client.sync("/");
  await session.client.sync("/");
  expect(Object.keys((await site.gate("d1")).gate.slots)).toEqual(["a"]);

  await site.zk.set("/", encode({ format: 1 }));
  await released;
  expect((await site.gate("d1")).gate.slots).toEqual({});
});
