import { afterAll, beforeAll, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { eventually } from "../harness/eventually.ts";
import { HOOK_MS, TEST_MS } from "../harness/fleet_patience.ts";
import { withFleet, type Fleet } from "../harness/fleet.ts";
import { answerOf, type Site } from "../harness/site.ts";
import { sharedZooKeeper, type SharedZooKeeper } from "../harness/shared_zookeeper.ts";

/*
 * A deploy that comes to part of the fleet after the other, and what people do to it on the way, with real agents.
 */

let zookeeper: SharedZooKeeper;
beforeAll(async () => void (zookeeper = await sharedZooKeeper()), HOOK_MS);
afterAll(() => zookeeper.stop(), HOOK_MS);

const v1: Site = { id: "v1" };
const v2: Site = { id: "v2" };

interface Shown {
  readonly deploy: {
    readonly state: string;
    readonly stages: readonly string[];
    readonly stage: string;
    readonly acts: readonly {
      readonly act: string;
      readonly who: string;
      readonly why: string;
      readonly override?: string;
    }[];
  };
  readonly hosts: readonly { readonly host: string; readonly step: string | null }[];
}

const shown = async (fleet: Fleet): Promise<Shown> => fleet.json<Shown>("status", "web");

/** How many hosts answer what this build answers. */
async function serving(fleet: Fleet, site: Site): Promise<number> {
  return (await fleet.answers()).filter((answer) => answer === answerOf(site)).length;
}

/** For a command of a build that waits until a file is there. */
function untilThereIs(file: string): string {
  return `until [ -e '${file}' ]; do sleep 0.05; done`;
}

test(
  "a deploy in stages waits with half of the fleet, goes on when it is promoted, stops when it is paused, and comes to its end",
  async () => {
    await withFleet({ hosts: 4, zookeeper: zookeeper.connectString }, async (fleet) => {
      const go = join(fleet.dir, "go");
      const slow: Site = { id: "slow", beforeStart: untilThereIs(go), checkDeadlineS: 120 };
      for (const site of [v1, v2, slow]) await fleet.addSite(site);
      await fleet.ok("deploy", "web", "v1", "--max", "4");

      await fleet.ok("deploy", "web", "v2", "--stages", "50%/promote,100%", "--max", "2");
      expect([await serving(fleet, v1), await serving(fleet, v2)]).toEqual([2, 2]);
      const { deploy } = await shown(fleet);
      expect(deploy).toMatchObject({
        state: "awaiting promotion",
        stages: ["50%/promote", "100%"],
        stage: "50%/promote",
        acts: [{ act: "started" }],
      });
      expect((await fleet.ok("status", "web")).stdout).toContain("50%");
      // It stays so, whoever conducts.
      const refused = await fleet.exits(75, "deploy", "web", "v1");
      expect(refused.stderr).toContain("deployd ctl promote web v2");

      await fleet.ok("promote", "web", "v2", "--why", "error rate is flat");
      expect(await serving(fleet, v2)).toBe(4);
      const promoted = await shown(fleet);
      expect(promoted.deploy).toMatchObject({
        state: "done",
        stage: "100%",
        acts: [{ act: "started" }, { act: "promoted", why: "error rate is flat" }],
      });

      // Paused once a host has begun: that one comes through, and no other begins.
      await fleet.ok("deploy", "web", "slow", "--max", "1", "--detach");
      await eventually(async () => (await shown(fleet)).hosts.some(({ step }) => step === "begun"));
      const paused = await fleet.ok("pause", "web", "slow", "--why", "lunch");
      expect(paused.stdout).toContain("is paused: no other host begins");
      await writeFile(go, "");
      await eventually(async () => (await serving(fleet, slow)) === 1);
      await fleet.exits(3, "wait", "web");
      await eventually(async () => Object.keys((await fleet.gate((await fleet.newest()).id)).slots).length === 0);
      expect([await serving(fleet, slow), await serving(fleet, v2)]).toEqual([1, 3]);

      await fleet.ok("resume", "web", "slow");
      expect(await serving(fleet, slow)).toBe(4);
      const acts = (await shown(fleet)).deploy.acts.map(({ act }) => act);
      expect(acts).toEqual(["started", "paused", "resumed"]);
    });
  },
  TEST_MS,
);

test(
  "what failed and was mended is tried again, a frozen service takes only what somebody has a reason for, and a held host nothing",
  async () => {
    await withFleet({ hosts: 4, zookeeper: zookeeper.connectString }, async (fleet) => {
      const mended = join(fleet.dir, "mended");
      const broken: Site = { id: "broken", install: [`test -e '${mended}'`], installAttempts: 1 };
      for (const site of [v1, v2, broken]) await fleet.addSite(site);
      await fleet.ok("deploy", "web", "v1", "--max", "4");

      await fleet.exits(3, "deploy", "web", "broken");
      expect(await serving(fleet, v1)).toBe(4);
      await writeFile(mended, "");
      await fleet.ok("retry", "web", "broken", "--why", "the mirror is back");
      expect(await serving(fleet, { id: "broken" })).toBe(4);
      const { deploy } = await shown(fleet);
      expect(deploy).toMatchObject({ state: "done", acts: [{ act: "started" }, { act: "retried" }] });

      await fleet.ok("freeze", "web", "--why", "Black Friday");
      const refused = await fleet.exits(75, "deploy", "web", "v2");
      expect(refused.stderr).toContain("Black Friday");
      expect((await fleet.newest()).build).toBe("broken");

      // A person works on a host: it takes the only place.
      const { host } = (await shown(fleet)).hosts[0] ?? { host: "" };
      await fleet.ok("hosts", "hold", "web", host, "--why", "new disk");
      await fleet.ok("deploy", "web", "v2", "--override", "the hole is being used", "--max", "1", "--detach");
      await eventually(async () => (await shown(fleet)).hosts.every(({ step }) => step === "ready"));
      expect(await serving(fleet, { id: "broken" })).toBe(4);
      expect((await shown(fleet)).deploy.acts[0]?.override).toBe("the hole is being used");
      await fleet.ok("hosts", "release", "web", host);
      await fleet.ok("wait", "web", "--timeout-s", "120");
      expect(await serving(fleet, v2)).toBe(4);

      await fleet.ok("unfreeze", "web");
      await fleet.ok("deploy", "web", "v1", "--max", "4");
    });
  },
  TEST_MS,
);
