import { afterEach, beforeEach, expect, test } from "bun:test";
import { HostSlot } from "../../src/service/host_slot.ts";
import { holdHost } from "../../src/store/hold_host.ts";
import { StatusPublisher } from "../../src/store/publish.ts";
import { systemClock } from "../../src/support/clock.ts";
import { startDevServer, type DevServer } from "../../src/zookeeper/server/dev_server.ts";
import { Session } from "../../src/zookeeper/session.ts";
import { knownFormat } from "../harness/format.ts";
import { eventually } from "../harness/eventually.ts";
import { never, Site, statusOf } from "../store/site.ts";

let server: DevServer;
let site: Site;

beforeEach(async () => {
  server = await startDevServer({ clock: systemClock, tickMs: 50 });
  site = await Site.open(server.connectString, "/tree", { max: 1, budget: 0, soakMs: 0 });
});
afterEach(async () => {
  await site[Symbol.asyncDispose]();
  await server.close();
});

test("a host whose slot was taken back and that is held since does not begin by what it has read before", async () => {
  const wish = { build: "v2", deploy: "d2" };
  const ready = statusOf({ wish, step: "ready", attempt: 1, build: "v1", health: "healthy" });
  await site.deploy("d1", "v1");
  await site.state("d1", "done");
  await site.deploy("d2", "v2");
  await site.host("a", "fleet", ready);
  await site.round();
  await using session = new Session({ clock: systemClock, servers: site.connectString });
  await eventually(() => session.state.kind === "connected");
  const publisher = new StatusPublisher(session, "web", "a", knownFormat, systemClock);
  const host = new HostSlot(session, "web", "a", publisher, knownFormat, systemClock);
  const slot = await host.granted("d2", 1, () => {}, never);
  if (slot === null) throw new Error("the host has no slot");

  await site.moves({ kind: "reclaim", host: "a" });
  await holdHost(site.zk, { service: "web", host: "a", who: "dana", why: "", clock: systemClock });
  await site.round();
  expect((await site.gate()).gate.holds.has("a")).toBe(true);
  const begun = { ...ready, step: "begun", begun: true } as const;
  expect(await host.begin(slot, begun, async () => {}, never)).toBe(false);
});

test("a host that has its slot begins by it", async () => {
  const wish = { build: "v1", deploy: "d1" };
  const ready = statusOf({ wish, step: "ready", attempt: 1 });
  await site.deploy("d1", "v1");
  await site.host("a", "fleet", ready);
  await site.round();
  await using session = new Session({ clock: systemClock, servers: site.connectString });
  await eventually(() => session.state.kind === "connected");
  const publisher = new StatusPublisher(session, "web", "a", knownFormat, systemClock);
  const host = new HostSlot(session, "web", "a", publisher, knownFormat, systemClock);
  const slot = await host.granted("d1", 1, () => {}, never);
  if (slot === null) throw new Error("the host has no slot");
  expect(await host.begin(slot, { ...ready, step: "begun", begun: true }, async () => {}, never)).toBe(true);
});
