import { afterAll, beforeAll, expect, test } from "bun:test";
import { enabledPath, hostPath, statusPath } from "../../src/store/paths.ts";
import { systemClock } from "../../src/support/clock.ts";
import { ZooKeeper } from "../../src/zookeeper/client.ts";
import { withFleet, type Fleet } from "../harness/fleet.ts";
import { eventually } from "../harness/eventually.ts";
import { HOOK_MS, TEST_MS } from "../harness/fleet_patience.ts";
import type { FleetHost } from "../harness/fleet_host.ts";
import { answerOf, type Site } from "../harness/site.ts";
import { sharedZooKeeper, type SharedZooKeeper } from "../harness/shared_zookeeper.ts";

/*
 * What an agent tries again and again in ZooKeeper, and cannot do: told once in the log, and for as long as it lasts in
 * `problem` and /readyz.
 */

const v1: Site = { id: "v1" };
const v2: Site = { id: "v2" };
/** Read, and whose it is to forbid and allow: bits 0 and 4 of ZooKeeper's permissions. */
const READ_ONLY = [{ perms: 1 | 16, scheme: "world", id: "anyone" }];
const OPEN = [{ perms: 31, scheme: "world", id: "anyone" }];

let zookeeper: SharedZooKeeper;
beforeAll(async () => void (zookeeper = await sharedZooKeeper()), HOOK_MS);
afterAll(() => zookeeper.stop(), HOOK_MS);

/** Writes to what cannot be read; the agent reads it each time, and by itself every second. */
const TRIES = 5;

async function readyz(host: FleetHost): Promise<string> {
  const answer = await fetch(`${await host.statusUrl()}/readyz`);
  return `${answer.status} ${await answer.text()}`;
}

async function warnings(host: FleetHost, message: string, error: string): Promise<number> {
  const lines = (await host.output()).split("\n").filter((line) => line.startsWith("{"));
  const said = lines.map((line) => JSON.parse(line) as { level: number; msg: string; error?: string });
  return said.filter((each) => each.level === 40 && each.msg === message && each.error?.includes(error)).length;
}

async function problemOf(host: FleetHost): Promise<string> {
  const status = (await (await fetch(`${await host.statusUrl()}/status`)).json()) as {
    services: { problem: string }[];
  };
  return status.services[0]?.problem ?? "";
}

async function toldOnce(host: FleetHost, what: string, error: string, again: () => Promise<void>): Promise<void> {
  await eventually(async () => (await readyz(host)).startsWith("503"));
  expect(await readyz(host)).toContain(`not ready: Cannot ${what}: `);
  expect(await readyz(host)).toContain(error);
  expect(await problemOf(host)).toContain(error);
  for (let tries = 0; tries < TRIES; tries += 1) await again();
  expect(await warnings(host, `cannot ${what}; it is tried again`, error)).toBe(1);
}

test(
  "a wish or a role that cannot be read, and a status that cannot be written, are told once and for as long as they last",
  () =>
    withFleet({ hosts: 1, zookeeper: zookeeper.connectString }, async (fleet: Fleet) => {
      const [host] = fleet.hosts;
      if (host === undefined) throw new Error("there is no host");
      await using zk = new ZooKeeper({ clock: systemClock, servers: `${fleet.zookeeper}${fleet.chroot}` });
      for (const site of [v1, v2]) await fleet.addSite(site);
      await fleet.ok("deploy", "web", "v1");
      /** Looked at by the agent whenever it is written, and again after a second. */
      const written = async (path: string, text: string): Promise<void> => {
        await zk.set(path, text);
        await Bun.sleep(300);
      };
      for (const path of [enabledPath("web"), hostPath("web", host.name)]) {
        const { data } = await zk.get(path);
        await zk.set(path, "[1]");
        await toldOnce(host, 'read what is wished of "web"', path, () => written(path, "[1]"));
        await zk.set(path, data);
        await eventually(async () => (await readyz(host)) === "200 ready\n");
        expect(await problemOf(host)).toBe("");
      }

      const status = statusPath("web", host.name);
      await zk.setAcl(status, READ_ONLY);
      await fleet.ok("deploy", "web", "v2", "--detach");
      await toldOnce(host, 'write the status of "web" to ZooKeeper', "NO_AUTH", () => Bun.sleep(1_100));
      await zk.setAcl(status, OPEN);
      await fleet.reaches("done");
      expect(await fleet.answers()).toEqual([answerOf(v2)]);
      await eventually(async () => (await readyz(host)) === "200 ready\n");
    }),
  TEST_MS,
);
