import { afterAll, beforeAll, expect, test } from "bun:test";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { hostStatusSchema, type HostStatus } from "../../src/schema/znodes.ts";
import { statusPath } from "../../src/store/paths.ts";
import { readRecord } from "../../src/store/records.ts";
import type { AgentStatus } from "../../src/status/agent_status.ts";
import { eventually } from "../harness/eventually.ts";
import { HOOK_MS, TEST_MS } from "../harness/fleet_patience.ts";
import { withFleet, type Fleet } from "../harness/fleet.ts";
import type { FleetHost } from "../harness/fleet_host.ts";
import { killProcessesOf } from "../harness/fleet_leftovers.ts";
import { answerOf, type Site } from "../harness/site.ts";
import { sharedZooKeeper, type SharedZooKeeper } from "../harness/shared_zookeeper.ts";

let zookeeper: SharedZooKeeper;
beforeAll(async () => void (zookeeper = await sharedZooKeeper()), HOOK_MS);
afterAll(() => zookeeper.stop(), HOOK_MS);

const v1: Site = { id: "v1" };
const v2: Site = { id: "v2" };
const v3: Site = { id: "v3" };

async function statusOf(fleet: Fleet, host: string): Promise<HostStatus> {
  await using zk = fleet.client();
  const found = await readRecord(zk, statusPath(fleet.service, host), hostStatusSchema);
  if (found === null) throw new Error(`${host} has said nothing yet`);
  return found.value;
}

async function isReady(host: FleetHost): Promise<boolean> {
  return (await fetch(`${await host.statusUrl()}/readyz`)).status === 200;
}

/** Its agent says that another has its name, and which. */
async function waitsFor(host: FleetHost, other: FleetHost): Promise<void> {
  const url = await host.statusUrl();
  const address = (await other.statusUrl()).slice("http://".length);
  await eventually(async () => {
    const { problem } = (await (await fetch(`${url}/status`)).json()) as AgentStatus;
    return problem.includes(`an agent with pid ${other.pid}`) && problem.includes(`its status at ${address}`);
  });
  expect((await fetch(`${url}/readyz`)).status).toBe(503);
}

/** The machine goes, and with it what ran on it and all that its agent had on its disk. */
async function reimage(host: FleetHost): Promise<void> {
  await host.kill();
  await killProcessesOf(join(host.dir, "srv"));
  await rm(join(host.dir, "srv"), { recursive: true });
}

test.concurrent(
  "of two machines with one name, whichever has it does everything, and their numbers only grow as they take turns",
  async () => {
    await withFleet({ hosts: 1, zookeeper: zookeeper.connectString }, async (fleet) => {
      for (const site of [v1, v2, v3]) await fleet.addSite(site);
      const first = fleet.host(1);
      const { name } = first;
      await fleet.ok("deploy", "web", "v1");

      const second = await fleet.addHost("clone", { host: name });
      await second.start();
      await waitsFor(second, first);
      await first.stop();
      await eventually(() => isReady(second));
      await eventually(async () => (await second.answer()) === answerOf(v1));
      await fleet.ok("deploy", "web", "v2");
      const { attempt } = await statusOf(fleet, name);

      // It has a journal of its own, which ends below that number, and a service that it leaves as it is.
      await first.start();
      await waitsFor(first, second);
      expect([await first.answer(), await second.answer()]).toEqual([answerOf(v1), answerOf(v2)]);
      await second.stop();
      await eventually(() => isReady(first));
      await eventually(async () => (await first.answer()) === answerOf(v2));
      await eventually(async () => (await statusOf(fleet, name)).step === "serving");
      const back = await statusOf(fleet, name);
      expect(back.attempt).toBeGreaterThan(attempt);

      await second.start();
      await waitsFor(second, first);
      await fleet.ok("deploy", "web", "v3");
      expect([await first.answer(), await second.answer()]).toEqual([answerOf(v3), answerOf(v2)]);
      expect((await statusOf(fleet, name)).attempt).toBeGreaterThan(back.attempt);
    });
  },
  TEST_MS,
);

test.concurrent(
  "a machine that comes back empty under its name takes up the wish as a new one, above the numbers of its former life",
  async () => {
    await withFleet({ hosts: 2, zookeeper: zookeeper.connectString }, async (fleet) => {
      for (const site of [v1, v2]) await fleet.addSite(site);
      await fleet.ok("deploy", "web", "v1", "--max", "2");
      await fleet.ok("deploy", "web", "v2", "--max", "2");
      const host = fleet.host(1);
      const before = await statusOf(fleet, host.name);
      await reimage(host);
      await host.start();
      await eventually(async () => (await host.answer()) === answerOf(v2));
      await eventually(async () => (await statusOf(fleet, host.name)).attempt > before.attempt);
      await eventually(async () => (await statusOf(fleet, host.name)).step === "serving");
      const { failure, followed = 0 } = await statusOf(fleet, host.name);
      expect(failure).toBeNull();
      expect(followed).toBe(before.followed ?? 0);
      const { id } = await fleet.newest();
      expect(await fleet.gate(id)).toEqual({ slots: {}, failed: {} });
    });
  },
  TEST_MS,
);

test.concurrent(
  "a machine that is replaced while it is at work counts as out of service until the one in its place serves",
  async () => {
    await withFleet({ hosts: 3, zookeeper: zookeeper.connectString }, async (fleet) => {
      const go = join(fleet.dir, "go");
      const slow: Site = { id: "slow", beforeStart: `until [ -e '${go}' ]; do sleep 0.05; done` };
      for (const site of [v1, slow]) await fleet.addSite(site);
      await fleet.ok("deploy", "web", "v1", "--max", "3");
      await fleet.ok("deploy", "web", "slow", "--max", "1", "--budget", "1", "--detach");
      const { id } = await fleet.newest();
      const [holder = ""] = await eventually(async () => {
        const { hosts } = await fleet.json<{ hosts: { host: string; step: string }[] }>("status", "web");
        const begun = hosts.filter(({ step }) => step === "begun").map((row) => row.host);
        return begun.length > 0 && begun;
      });
      const host = fleet.hosts.find(({ name }) => name === holder);
      if (host === undefined) throw new Error(`there is no host ${holder}`);
      const { attempt } = await statusOf(fleet, holder);
      await reimage(host);
      await host.start();
      await eventually(async () => (await fleet.gate(id)).failed[holder]?.attempt === attempt);
      expect((await fleet.gate(id)).failed[holder]?.healthy).toBe(false);
      // Its own place is all that it may take: the others serve.
      await eventually(async () => (await fleet.gate(id)).slots[holder] !== undefined);
      const others = fleet.hosts.filter((each) => each !== host);
      expect(await Promise.all(others.map((each) => each.answer()))).toEqual(Array(2).fill(answerOf(v1)));
      await writeFile(go, "");
      await fleet.ok("wait", "web", "--timeout-s", "90");
      await fleet.serves(slow);
      await eventually(async () => (await fleet.gate(id)).failed[holder]?.healthy === true);
      await eventually(async () => Object.keys((await fleet.gate(id)).slots).length === 0);
      expect((await statusOf(fleet, holder)).attempt).toBeGreaterThan(attempt);
    });
  },
  TEST_MS,
);
