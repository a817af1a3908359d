import { afterAll, beforeAll, expect, test } from "bun:test";
import { eventually } from "../harness/eventually.ts";
import { HOOK_MS, TEST_MS } from "../harness/fleet_patience.ts";
import { withFleet, type Fleet } from "../harness/fleet.ts";
import { answerOf, type Site } from "../harness/site.ts";
import { sharedZooKeeper, type SharedZooKeeper } from "../harness/shared_zookeeper.ts";

let zookeeper: SharedZooKeeper;
beforeAll(async () => void (zookeeper = await sharedZooKeeper()), HOOK_MS);
afterAll(() => zookeeper.stop(), HOOK_MS);

const v1: Site = { id: "v1" };
const v2: Site = { id: "v2" };

interface Listed {
  readonly host: string;
  readonly step: string | null;
  readonly leaving?: { readonly phase: string; readonly problem: string };
}

async function listed(fleet: Fleet, host: string): Promise<Listed | undefined> {
  const { hosts } = await fleet.json<{ hosts: readonly Listed[] }>("hosts", "list", "web");
  return hosts.find((each) => each.host === host);
}

test.concurrent(
  "a host that leaves is stopped and forgotten, stays stopped whatever its agent goes through, and nobody waits for it",
  async () => {
    await withFleet({ hosts: 3, zookeeper: zookeeper.connectString }, async (fleet) => {
      for (const site of [v1, v2]) await fleet.addSite(site);
      await fleet.ok("deploy", "web", "v1", "--max", "3");
      const [gone, ...others] = fleet.hosts;
      if (gone === undefined) throw new Error("there is no host");
      const told = await fleet.ok("hosts", "leave", "web", gone.name, "--why", "scale in");
      expect(told.stdout).toContain(`${gone.name} has left web: its service is stopped, and the host is forgotten.`);
      expect(await gone.answer()).toStartWith("no answer");
      expect(await listed(fleet, gone.name)).toBeUndefined();

      await gone.kill();
      await gone.start();
      await fleet.ok("deploy", "web", "v2", "--max", "1", "--timeout-s", "60");
      expect(await Promise.all(others.map((host) => host.answer()))).toEqual([answerOf(v2), answerOf(v2)]);
      expect(await gone.answer()).toStartWith("no answer");
      expect(await listed(fleet, gone.name)).toBeUndefined();

      // Somebody thinks better of it.
      await eventually(async () => (await fleet.ctl("hosts", "release", "web", gone.name)).code === 0);
      await fleet.serves(v2);
      await eventually(async () => (await listed(fleet, gone.name))?.step === "serving");
      const { id } = await fleet.newest();
      await eventually(async () => Object.keys((await fleet.gate(id)).slots).length === 0);
    });
  },
  TEST_MS,
);

test.concurrent(
  "a host waits for its turn to leave, is killed while it stops, and comes back through its check when it is released",
  async () => {
    await withFleet({ hosts: 2, zookeeper: zookeeper.connectString }, async (fleet) => {
      await fleet.ok("services", "set", "web", "--max", "1");
      await fleet.addSite(v1);
      await fleet.ok("deploy", "web", "v1");
      const [first, second] = fleet.hosts;
      if (first === undefined || second === undefined) throw new Error("there are no two hosts");
      await fleet.ok("hosts", "hold", "web", first.name);
      await fleet.exits(4, "hosts", "leave", "web", second.name, "--keep", "--timeout-s", "1");
      expect(await second.answer()).toBe(answerOf(v1));
      await fleet.ok("hosts", "release", "web", first.name);
      await eventually(async () => (await listed(fleet, second.name))?.leaving !== undefined);
      await second.kill();
      await second.start();
      await fleet.ok("hosts", "leave", "web", second.name, "--keep", "--timeout-s", "30");
      expect(await second.answer()).toStartWith("no answer");
      // It is out of service still, by the only slot that there is.
      await fleet.exits(4, "hosts", "hold", "web", first.name, "--timeout-s", "1");
      const shown = await fleet.ok("hosts", "list", "web");
      expect(shown.stdout).toMatch(new RegExp(`${second.name} .* left `));

      const back = await fleet.ok("hosts", "release", "web", second.name);
      expect(back.stdout).toContain("comes back to web");
      await fleet.serves(v1);
      await eventually(async () => (await listed(fleet, second.name))?.leaving === undefined);
      await fleet.ok("hosts", "hold", "web", first.name, "--timeout-s", "30");
    });
  },
  TEST_MS,
);

test.concurrent(
  "a host whose own file forbids it says so, and its service goes on",
  async () => {
    const host = () => ({ section: "may_leave = false" });
    await withFleet({ hosts: 1, zookeeper: zookeeper.connectString, host }, async (fleet) => {
      await fleet.addSite(v1);
      await fleet.ok("deploy", "web", "v1");
      const { name } = fleet.host(1);
      const { stdout } = await fleet.exits(1, "hosts", "leave", "web", name, "--timeout-s", "30");
      expect(stdout).toContain("may_leave = false");
      expect(await fleet.answers()).toEqual([answerOf(v1)]);
      await fleet.ok("hosts", "release", "web", name);
      await eventually(async () => (await listed(fleet, name))?.leaving === undefined);
    });
  },
  TEST_MS,
);

test.concurrent(
  "a host whose service cannot be stopped, or is not by its stop, says so and does not count as stopped",
  async () => {
    await withFleet({ hosts: 1, zookeeper: zookeeper.connectString }, async (fleet) => {
      const { name } = fleet.host(1);
      const leaves = async (): Promise<string> =>
        (await fleet.exits(1, "hosts", "leave", "web", name, "--timeout-s", "5")).stdout;
      const none: Site = { id: "none", stop: null };
      await fleet.addSite(none);
      await fleet.ok("deploy", "web", "none");
      expect(await leaves()).toContain("its build has no restart.stop");
      await fleet.ok("hosts", "release", "web", name);
      await eventually(async () => (await listed(fleet, name))?.leaving === undefined);
      expect(await fleet.answers()).toEqual([answerOf(none)]);
    });
    await withFleet({ hosts: 1, zookeeper: zookeeper.connectString }, async (fleet) => {
      const { name } = fleet.host(1);
      const idle: Site = { id: "idle", stop: "true" };
      await fleet.addSite(idle);
      await fleet.ok("deploy", "web", "idle");
      await fleet.exits(4, "hosts", "leave", "web", name, "--timeout-s", "1");
      await eventually(async () => {
        const { phase, problem } = (await listed(fleet, name))?.leaving ?? { phase: "", problem: "" };
        expect(problem).toMatch(/still runs/);
        expect(phase).toBe("stopping");
        return true;
      });
      expect(await fleet.answers()).toEqual([answerOf(idle)]);
    });
  },
  TEST_MS,
);
