import { afterAll, beforeAll, expect, test } from "bun:test";
import { HOOK_MS, TEST_MS } from "../harness/fleet_patience.ts";
import { withFleet, type Fleet } from "../harness/fleet.ts";
import { watchOutages } from "../harness/fleet_witness.ts";
import { answerOf, type Site } from "../harness/site.ts";
import { sharedZooKeeper, type SharedZooKeeper } from "../harness/shared_zookeeper.ts";

let zookeeper: SharedZooKeeper;
beforeAll(async () => void (zookeeper = await sharedZooKeeper()), HOOK_MS);
afterAll(() => zookeeper.stop(), HOOK_MS);

const v1: Site = { id: "v1", install: ["echo installed > installed.txt"] };
const v2: Site = { id: "v2" };
const v3: Site = { id: "v3", page: "sick: cannot reach the database", checkDeadlineS: 1 };

async function fleetWithBuilds(hosts: number, body: (fleet: Fleet) => Promise<void>): Promise<void> {
  await withFleet({ hosts, zookeeper: zookeeper.connectString }, async (fleet) => {
    for (const site of [v1, v2, v3]) await fleet.addSite(site);
    await fleet.ok("hosts", "role", "web", "web-1", "canary");
    await body(fleet);
  });
}

interface History {
  readonly deploys: readonly { readonly build: string; readonly state: string; readonly why: string }[];
}

test(
  "a build goes from canary to fleet, and a broken one is taken back by its host, rolled back and refused",
  async () => {
    await fleetWithBuilds(3, async (fleet) => {
      await fleet.ok("deploy", "web", "v1", "--why", "the first build");
      expect(await fleet.answers()).toEqual([answerOf(v1), answerOf(v1), answerOf(v1)]);

      await fleet.ok("deploy", "web", "v2", "--canary");
      expect(await fleet.answers()).toEqual([answerOf(v2), answerOf(v1), answerOf(v1)]);

      await fleet.ok("promote", "web");
      expect(await fleet.answers()).toEqual([answerOf(v2), answerOf(v2), answerOf(v2)]);

      const failed = await fleet.exits(3, "deploy", "web", "v3", "--canary");
      expect(failed.stdout + failed.stderr).toContain("web-1");
      expect(failed.stdout + failed.stderr).toContain("http 500");
      expect(await fleet.answers()).toEqual([answerOf(v2), answerOf(v2), answerOf(v2)]);

      await fleet.ok("rollback", "web", "--why", "it answers 500");
      expect(await fleet.answers()).toEqual([answerOf(v2), answerOf(v2), answerOf(v2)]);

      const refused = await fleet.exits(75, "deploy", "web", "v3");
      expect(refused.stderr).toContain("barred");
      expect(refused.stderr).toContain("it answers 500");

      const { deploys } = await fleet.json<History>("history", "web");
      expect(deploys.map(({ build, state }) => ({ build, state }))).toEqual([
        { build: "v3", state: "rolled back" },
        { build: "v2", state: "done" },
        { build: "v1", state: "done" },
      ]);
      expect(deploys.at(-1)?.why).toBe("the first build");
      // The canary follows the fleet again: the next deploy needs no canary stage to reach it.
      await fleet.ok("deploy", "web", "v1");
      expect(await fleet.answers()).toEqual([answerOf(v1), answerOf(v1), answerOf(v1)]);
    });
  },
  TEST_MS,
);

test(
  "never more hosts are out of service than the limit allows, in the gate and over HTTP",
  async () => {
    await fleetWithBuilds(4, async (fleet) => {
      await fleet.ok("deploy", "web", "v1", "--max", "4");
      for (const [site, max] of [
        [v2, 1],
        [v1, 2],
      ] as const) {
        await using witness = await watchOutages(fleet, 200);
        await fleet.ok("deploy", "web", site.id, "--max", String(max), "--soak-s", "0.2");
        expect(await fleet.answers()).toEqual(Array(4).fill(answerOf(site)));
        expect(witness.mostOut).toBe(max);
        expect(witness.mostSilent).toBeLessThanOrEqual(max);
        expect(witness.sightings).toBeGreaterThanOrEqual(4);
        expect(witness.rounds).toBeGreaterThan(10);
      }
    });
  },
  TEST_MS,
);

test(
  "a failing build halts the roll within its budget, and the hosts that it did not reach serve on",
  async () => {
    await fleetWithBuilds(3, async (fleet) => {
      await fleet.ok("deploy", "web", "v1", "--max", "3");
      await using witness = await watchOutages(fleet, 200);
      await fleet.exits(3, "deploy", "web", "v3", "--max", "1", "--budget", "0");
      expect(await fleet.answers()).toEqual(Array(3).fill(answerOf(v1)));
      expect(witness.mostOut).toBe(1);
      const { failures } = await fleet.newest();
      expect(failures).toHaveLength(1);
      await fleet.ok("rollback", "web");
      expect(await fleet.answers()).toEqual(Array(3).fill(answerOf(v1)));
    });
  },
  TEST_MS,
);

test(
  "every verb answers with JSON when it is asked to, and so do its refusals",
  async () => {
    await fleetWithBuilds(1, async (fleet) => {
      const verbs: readonly { args: readonly string[]; code: number }[] = [
        { args: ["services", "set", "web", "--max", "1"], code: 0 },
        { args: ["services", "list"], code: 0 },
        { args: ["services", "show", "web"], code: 0 },
        { args: ["builds", "add", "web", `${fleet.dir}/builds/v1.tar.zst`], code: 0 },
        { args: ["builds", "list", "web"], code: 0 },
        { args: ["builds", "bar", "web", "v2"], code: 0 },
        { args: ["deploy", "web", "v2"], code: 75 },
        { args: ["builds", "unbar", "web", "v2"], code: 0 },
        { args: ["hosts", "list", "web"], code: 0 },
        { args: ["hosts", "role", "web", "web-1", "canary"], code: 0 },
        { args: ["deploy", "web", "v1", "--detach"], code: 0 },
        { args: ["wait", "web"], code: 0 },
        { args: ["deploy", "web", "v2", "--canary"], code: 0 },
        { args: ["promote", "web"], code: 0 },
        { args: ["rollback", "web"], code: 0 },
        { args: ["status", "web"], code: 0 },
        { args: ["status"], code: 0 },
        { args: ["history", "web"], code: 0 },
        { args: ["deploy", "web", "v9"], code: 64 },
        { args: ["deploi"], code: 64 },
      ];
      for (const { args, code } of verbs) {
        const { stdout } = await fleet.exits(code, ...args, "--json");
        const lines = stdout.trimEnd().split("\n");
        expect(lines.length).toBeGreaterThan(0);
        for (const line of lines) expect(JSON.parse(line)).toBeObject();
        if (code !== 0) expect(lines.at(-1)).toContain('"error"');
      }
    });
  },
  TEST_MS,
);
