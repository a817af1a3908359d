import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { asDeployError } from "../../src/core/errors.ts";
import { parseStages } from "../../src/core/stages.ts";
import type { DeployState } from "../../src/schema/deploy_record.ts";
import type { Wish } from "../../src/schema/znodes.ts";
import { unbarBuild } from "../../src/store/bar.ts";
import { readBuild } from "../../src/store/builds.ts";
import type { Change } from "../../src/store/change_deploy.ts";
import { readDeploy, readHead } from "../../src/store/deploys.ts";
import { rollBack } from "../../src/store/roll_back.ts";
import { pauseDeploy, resumeDeploy } from "../../src/store/stop_and_go.ts";
import { rejection } from "../harness/rejection.ts";
import { servers } from "./servers.ts";
import { NOW, Site } from "./site.ts";

const change: Change = { service: "web", who: "dana", why: "it burns", now: NOW };

describe.each(servers)("with %s", (_name, start) => {
  let server: { connectString: string } & AsyncDisposable;
  let site: Site;
  let count = 0;
  const stages = parseStages("25%/promote,50%/promote,100%");

  beforeAll(async () => {
    server = await start();
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    site = await Site.open(server.connectString, `/back-${(count += 1)}`, { max: 2, budget: 1 });
    for (const host of ["a", "b", "c", "d"]) await site.host(host);
    await site.deploy("d1", "v1");
    await site.state("d1", "done");
    await site.start({ id: "d2", build: "v2", stages });
  });
  afterEach(async () => {
    await site[Symbol.asyncDispose]();
  });

  const isIn = (state: DeployState, changes: Readonly<Record<string, unknown>> = {}) =>
    site.comesTo("d2", state, changes);
  const wish = async (): Promise<Wish | null> => (await readHead(site.zk, "web")).enabled.value;

  test.each(["preparing", "rolling", "awaiting promotion", "paused", "halted", "done", "aborted"] as const)(
    "a deploy that is %s goes back in the middle of its stages, for everybody at once, and its build is barred",
    async (state) => {
      await isIn(state, { stage: 1 });
      const { record } = await rollBack(site.zk, change);
      expect(record).toMatchObject({ state: "rolling back", reason: "it burns", stage: 1 });
      expect(record).toMatchObject({ rollback: { who: "dana", from: state, to: "v1" }, round: 2, again: 0 });
      expect(record.acts.at(-1)).toMatchObject({ act: "turned round", who: "dana", why: "it burns" });
      expect(await site.record("d2")).toEqual(record);
      // No stage, and so no other build for those whom none has reached.
      const wished = await wish();
      expect(wished).toMatchObject({ build: "v1", deploy: "d2" });
      expect([wished?.reach, wished?.before]).toEqual([undefined, undefined]);
      expect((await readBuild(site.zk, "web", "v2")).value.barred).toMatchObject({ who: "dana", why: "it burns" });
    },
  );

  test.each(["rolling back", "rolled back"] as const)(
    "a rollback of one that is %s already is that rollback: it changes nothing and goes nowhere else",
    async (state) => {
      await isIn("rolling");
      await rollBack(site.zk, change);
      await isIn(state, { rollback: { who: "dana", why: "", time: NOW.toISOString(), from: "rolling", to: "v1" } });
      const [{ version }, wished] = [await readDeploy(site.zk, "web", "d2"), await wish()];
      const { record } = await rollBack(site.zk, { ...change, who: "erin", now: new Date(NOW.getTime() + 1) });
      expect(record).toMatchObject({ state, rollback: { who: "dana", to: "v1" } });
      expect([(await readDeploy(site.zk, "web", "d2")).version, await wish()]).toEqual([version, wished]);
      expect((await readBuild(site.zk, "web", "v1")).value.barred).toBeUndefined();
    },
  );

  test("after a rollback the build that was taken back can be deployed once it is allowed again, and goes back to the same", async () => {
    await rollBack(site.zk, change);
    await site.state("d2", "rolled back");
    expect(asDeployError(await rejection(site.deploy("d3", "v2")), "").code).toBe("build-barred");
    await unbarBuild(site.zk, "web", "v2");
    expect(await site.deploy("d3", "v2")).toMatchObject({ build: "v2", previous: "v1" });
  });

  test("a way back that was paused goes on from there, also when a rollback is asked for", async () => {
    await isIn("rolling");
    await rollBack(site.zk, change);
    await pauseDeploy(site.zk, { ...change, why: "wait" });
    const { record } = await rollBack(site.zk, { ...change, now: new Date(NOW.getTime() + 1) });
    expect(record).toMatchObject({ state: "rolling back", rollback: { to: "v1" } });
    expect(await wish()).toMatchObject({ build: "v1", deploy: "d2" });
  });

  test("a paused way back that is resumed goes back, and does not roll on", async () => {
    await isIn("rolling");
    await rollBack(site.zk, change);
    await pauseDeploy(site.zk, change);
    await resumeDeploy(site.zk, change);
    expect(await site.record("d2")).toMatchObject({ state: "rolling back", rollback: { from: "rolling", to: "v1" } });
  });

  test("of a rollback and a pause at once the deploy goes back, or is paused on its way", async () => {
    await isIn("rolling");
    const both = await Promise.allSettled([rollBack(site.zk, change), pauseDeploy(site.other, change)]);
    const record = await site.record("d2");
    if (both[0].status === "fulfilled") {
      const isPaused = both[1].status === "fulfilled" && record.state === "paused";
      expect(record).toMatchObject({ state: isPaused ? "paused" : "rolling back", rollback: { to: "v1" } });
    } else expect(record).toMatchObject({ state: "paused", from: "rolling" });
  });

  test("of an urgent deploy and a rollback of what it overtakes exactly one stands, and the wish is its own", async () => {
    await isIn("rolling");
    await Promise.allSettled([rollBack(site.zk, change), site.startUrgent({ id: "d3", build: "v3" }, site.other)]);
    const { latest, enabled } = await readHead(site.zk, "web");
    const wanted = latest?.id === "d3" ? { build: "v3", deploy: "d3" } : { build: "v1", deploy: "d2" };
    expect(enabled.value).toMatchObject(wanted);
    expect((await site.record("d2")).state).toBe(latest?.id === "d3" ? "aborted" : "rolling back");
  });

  test("the first deploy of a service has nothing to go back to: it ends, paused or not, and its build is barred", async () => {
    const first = await Site.open(server.connectString, `/first-${count}`);
    await using _ = first;
    await first.start({ id: "d1", build: "v1", stages });
    await first.host("a");
    await pauseDeploy(first.zk, change);
    const { record } = await rollBack(first.zk, change);
    expect(record).toMatchObject({
      state: "aborted",
      reason: "rolled back by dana: it burns; nothing was served before it",
    });
    expect((await readBuild(first.zk, "web", "v1")).value.barred).toMatchObject({ who: "dana" });
  });
});
