import { afterAll, beforeAll, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { eventually } from "../harness/eventually.ts";
import { HOOK_MS, TEST_MS } from "../harness/fleet_patience.ts";
import { withFleet, type Fleet } from "../harness/fleet.ts";
import type { FleetHost } from "../harness/fleet_host.ts";
import { run } from "../harness/fleet_program.ts";
import { freePort } from "../harness/ports.ts";
import { answerOf, type Site } from "../harness/site.ts";
import { sharedZooKeeper, type SharedZooKeeper } from "../harness/shared_zookeeper.ts";
import { startZooKeeper } from "../harness/zookeeper.ts";

const zkCli = "/usr/share/zookeeper/bin/zkCli.sh";

let zookeeper: SharedZooKeeper;
beforeAll(async () => void (zookeeper = await sharedZooKeeper()), HOOK_MS);
afterAll(() => zookeeper.stop(), HOOK_MS);

const v1: Site = { id: "v1" };
const v2: Site = { id: "v2" };

interface Shown {
  readonly hosts: readonly { readonly host: string; readonly step: string | null; readonly connected: boolean }[];
}

/** The first host of a deploy, once it has begun. */
async function restarting(fleet: Fleet): Promise<FleetHost | undefined> {
  const { hosts } = await fleet.json<Shown>("status", "web");
  const name = hosts.find((row) => row.step === "begun")?.host;
  return fleet.hosts.find((host) => host.name === name);
}

/** For a start command that must not be over before the test has seen it. */
function untilThereIs(file: string): string {
  return `until [ -e '${file}' ]; do sleep 0.05; done`;
}

// They wait most of the time, for sessions to end.
test.concurrent(
  "when ZooKeeper dies while a host has a slot, that host finishes, no other begins, and the deploy ends once it is back",
  async () => {
    const port = await freePort();
    await using server = await startZooKeeper({ port });
    await withFleet({ hosts: 3, zookeeper: server.connectString }, async (fleet) => {
      // In its restart until ZooKeeper is gone.
      const go = join(fleet.dir, "go");
      const slow: Site = { id: "slow", beforeStart: untilThereIs(go) };
      for (const site of [v1, slow]) await fleet.addSite(site);
      await fleet.ok("deploy", "web", "v1", "--max", "3");
      await fleet.ok("deploy", "web", "slow", "--max", "1", "--soak-s", "1", "--detach");
      const holder = await eventually(() => restarting(fleet));
      await server.kill();
      await writeFile(go, "");

      await eventually(async () => (await holder.answer()) === answerOf(slow));
      const waiting = fleet.hosts.filter((host) => host !== holder);
      // All that was prepared stays so: whoever looks for longer than a session lasts sees nobody else begin.
      const endsAt = performance.now() + 6_000;
      while (performance.now() < endsAt) {
        for (const host of waiting) expect(await host.answer()).toBe(answerOf(v1));
        await Bun.sleep(50);
      }

      await server.restart();
      await fleet.ok("wait", "web", "--timeout-s", "90");
      expect(await fleet.answers()).toEqual(Array(3).fill(answerOf(slow)));
      const { id, state, cost } = await fleet.newest();
      expect(state).toBe("done");
      const out = await fleet.gate(id);
      expect({ ...out, hosts: cost?.hosts }).toEqual({ slots: {}, failed: {}, hosts: 3 });
    });
  },
  TEST_MS,
);

test.concurrent(
  "an agent that was stopped for longer than its session lasts goes on with what is wished now",
  async () => {
    await withFleet({ hosts: 2, zookeeper: zookeeper.connectString }, async (fleet) => {
      for (const site of [v1, v2]) await fleet.addSite(site);
      await fleet.ok("deploy", "web", "v1", "--max", "2");
      const asleep = fleet.host(2);
      asleep.freeze();
      await eventually(async () => {
        const { hosts } = await fleet.json<Shown>("status", "web");
        return hosts.find((row) => row.host === asleep.name)?.connected === false;
      });
      // An unreachable host does not keep the others from being deployed to.
      await fleet.ok("deploy", "web", "v2", "--max", "1", "--timeout-s", "90");
      expect(await fleet.answers()).toEqual([answerOf(v2), answerOf(v1)]);

      asleep.thaw();
      await fleet.serves(v2);
      const { id } = await fleet.newest();
      await eventually(async () => Object.keys((await fleet.gate(id)).slots).length === 0);
      expect((await fleet.gate(id)).failed).toEqual({});
    });
  },
  TEST_MS,
);

test.concurrent(
  "a slot holder that stays away becomes a failure and halts the deploy, and comes back to serve",
  async () => {
    await withFleet({ hosts: 2, zookeeper: zookeeper.connectString }, async (fleet) => {
      const go = join(fleet.dir, "go");
      await fleet.addSite(v1);
      await fleet.addSite({ ...v2, beforeStart: untilThereIs(go) });
      await fleet.ok("deploy", "web", "v1", "--max", "2");
      await fleet.ok("deploy", "web", "v2", "--max", "1", "--detach");
      const holder = await eventually(() => restarting(fleet));
      await holder.kill();
      await writeFile(go, "");
      await fleet.exits(3, "wait", "web", "--timeout-s", "90");
      const { id, reason } = await fleet.newest();
      expect(reason).toContain(`${holder.name}: lost while it held a slot`);
      const { slots, failed } = await fleet.gate(id);
      expect(slots).toEqual({});
      expect(failed[holder.name]).toMatchObject({ healthy: false });
      const other = fleet.hosts.find((host) => host !== holder);
      expect(await other?.answer()).toBe(answerOf(v1));

      await holder.start();
      await eventually(async () => (await holder.answer()) === answerOf(v2));
      await eventually(async () => (await fleet.gate(id)).failed[holder.name]?.healthy !== false);
    });
  },
  TEST_MS,
);

test.concurrent(
  "a wish that is written by hand is adopted as a deploy and rolled out",
  async () => {
    await withFleet({ hosts: 2, zookeeper: zookeeper.connectString }, async (fleet) => {
      for (const site of [v1, v2]) await fleet.addSite(site);
      await fleet.ok("deploy", "web", "v1", "--max", "2");
      const enabled = `${fleet.chroot}/services/web/enabled`;
      for (const wish of ["v2", '{"build":"v1"}']) {
        const { code, stderr } = await run([zkCli, "-server", fleet.zookeeper, "set", enabled, wish]);
        expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
        await fleet.serves(wish === "v2" ? v2 : v1);
        await fleet.reaches("done");
      }
      const { deploys } = await fleet.json<{ deploys: { build: string; who: string; state: string }[] }>(
        "history",
        "web",
      );
      expect(deploys.map(({ build, who, state }) => ({ build, who, state })).slice(0, 2)).toEqual([
        { build: "v1", who: "unknown", state: "done" },
        { build: "v2", who: "unknown", state: "done" },
      ]);
    });
  },
  TEST_MS,
);
