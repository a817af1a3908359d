import { afterEach, beforeEach, expect, test } from "bun:test";
import { FleetReport } from "../../src/conductor/fleet_report.ts";
import type { DeployRecord } from "../../src/schema/deploy_record.ts";
import { LivingAgents } from "../../src/store/living_agents.ts";
import { ServiceMirror } from "../../src/store/mirror.ts";
import { deployPath, statusPath } from "../../src/store/paths.ts";
import { encode } from "../../src/store/records.ts";
import { registerHost } from "../../src/store/registry.ts";
import { readServerTime } from "../../src/store/server_time.ts";
import { systemClock } from "../../src/support/clock.ts";
import { startDevServer, type DevServer } from "../../src/zookeeper/server/dev_server.ts";
import { Site } from "../store/site.ts";

let server: DevServer;
let site: Site;
beforeEach(async () => {
  server = await startDevServer({ clock: systemClock });
  site = await Site.open(server.connectString, "/tree");
});
afterEach(async () => {
  await site[Symbol.asyncDispose]();
  await server.close();
});

/** What a conductor reads in one round, on a clock that stands at `nowMs`. */
async function reader(nowMs = 0) {
  const report = new FleetReport({ monotonicMs: () => nowMs });
  const mirror = new ServiceMirror("web");
  const agents = new LivingAgents();
  const look = async () => {
    mirror.markAll();
    agents.markAll();
    await mirror.refresh(site.zk);
    await agents.refresh(site.zk);
    report.saw(mirror, agents);
    return report.services?.find(({ service }) => service === "web");
  };
  return { report, look };
}

test("a service is told with its hosts and its newest deploy", async () => {
  const { report, look } = await reader();
  report.begin(null);
  expect(await look()).toMatchObject({ deploy: null, agents: { connected: 0, away: 0 }, stillForMs: 0 });
  await site.host("web-1");
  await registerHost(site.zk, "web", "web-2");
  await site.deploy("d1", "v1");
  expect(await look()).toEqual({
    service: "web",
    deploy: { id: "d1", build: "v1", state: "preparing" },
    hosts: { serving: 0, failed: 0, away: 1, restarting: 0, waiting: 1 },
    agents: { connected: 1, away: 1 },
    unreadable: 0,
    stillForMs: 0,
  });
  const { data } = await site.zk.get(deployPath("web", "d1"));
  await site.zk.set(deployPath("web", "d1"), "no record");
  // An older deploy, or none, would be told for the one that is wished.
  expect(await look()).toMatchObject({ deploy: null, unreadable: 1 });
  await site.zk.set(deployPath("web", "d1"), data);
  expect(await look()).toMatchObject({ deploy: { id: "d1" }, unreadable: 0 });
});

test("a deploy that stands still does so for the next conductor, too, by ZooKeeper's clock", async () => {
  await site.host("web-1");
  await site.deploy("d1", "v1");
  const { mtime } = await site.zk.set(statusPath("web", "web-1"), (await site.zk.get(statusPath("web", "web-1"))).data);
  const writtenAtMs = (await site.zk.exists(deployPath("web", "d1")))?.mtime ?? 0;
  // Whatever this machine's own clock says.
  const { report, look } = await reader(5_000_000);
  report.begin(Math.max(mtime, writtenAtMs) + 60_000);
  const later = await look();
  // The status is of no deploy, or an older one: only the record counts.
  expect(later?.stillForMs).toBe(Math.max(mtime, writtenAtMs) + 60_000 - writtenAtMs);
  const record = JSON.parse(
    new TextDecoder().decode((await site.zk.get(deployPath("web", "d1"))).data),
  ) as DeployRecord;
  await site.zk.set(
    deployPath("web", "d1"),
    encode({ ...record, state: "done", times: { ...record.times, ended: record.times.changed } }),
  );
  expect(await look()).toMatchObject({ deploy: { state: "done" }, stillForMs: 0 });
});

test("the time of ZooKeeper is told by a write to a node of one's own, where that may be written", async () => {
  await site.zk.create("/own", "mine");
  const told = await readServerTime(site.zk, "/own");
  expect(told).toBe((await site.zk.exists("/own"))?.mtime ?? -1);
  expect(new TextDecoder().decode((await site.zk.get("/own")).data)).toBe("mine");
  expect(await readServerTime(site.zk, "/nothing")).toBeNull();
});

test("who conducts no more says nothing, also where a round is still under way, nor of a service that is gone", async () => {
  const { report, look } = await reader();
  expect(report.services).toBeNull();
  report.begin(null);
  expect(report.services).toEqual([]);
  expect(await look()).toBeDefined();
  report.keep(new Set(["api"]));
  expect(report.services).toEqual([]);
  report.end();
  expect(await look()).toBeUndefined();
  expect(report.services).toBeNull();
});
