import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { asDeployError } from "../../src/core/errors.ts";
import { parseStages, reachAfter } from "../../src/core/stages.ts";
import type { DeployState } from "../../src/schema/deploy_record.ts";
import type { Wish } from "../../src/schema/znodes.ts";
import { barBuild } from "../../src/store/bar.ts";
import { promote, type Change } from "../../src/store/change_deploy.ts";
import { readDeploy, readHead } from "../../src/store/deploys.ts";
import { rejection } from "../harness/rejection.ts";
import { servers } from "./servers.ts";
import { NOW, Site } from "./site.ts";

let changes = 0;
/** Each is somebody's decision of its own; the same one twice is a repeated call. */
const decision = (): Change => ({
  service: "web",
  who: "dana",
  why: "flat",
  now: new Date(NOW.getTime() + (changes += 1)),
});

describe.each(servers)("with %s", (_name, start) => {
  let server: { connectString: string } & AsyncDisposable;
  let site: Site;
  let count = 0;
  const names = ["a", "b", "c", "d"];
  const hosts = new Map(names.map((name) => [name, { role: "fleet" as const }]));
  const stages = parseStages("25%/promote,50%/1m,75%/promote,100%");

  beforeAll(async () => {
    server = await start();
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    site = await Site.open(server.connectString, `/promote-${(count += 1)}`, { max: 2, budget: 1 });
    for (const host of names) await site.host(host);
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
  const refusal = async (change = decision()) => asDeployError(await rejection(promote(site.zk, change)), "");

  test("a person takes it from stage to stage, and each comes to more hosts until it is all of them", async () => {
    const before = { build: "v1", deploy: "d1" };
    for (const stage of [1, 2, 3]) {
      await isIn("awaiting promotion");
      const { record } = await promote(site.zk, decision());
      const reach = reachAfter(stages, stage, "d2", hosts);
      expect(record).toMatchObject({ state: "rolling", stage, reach });
      expect(await site.record("d2")).toEqual(record);
      expect(record.acts.at(-1)).toMatchObject({ act: "promoted", who: "dana", why: "flat" });
      // The last stage is for everybody, also for who joins later.
      expect((await wish())?.reach).toEqual(stage === 3 ? undefined : reach);
      expect((await wish())?.before).toEqual(stage === 3 ? undefined : before);
      expect((await wish())?.number).toBe(stage + 2);
    }
    await isIn("awaiting promotion");
    expect((await site.record("d2")).acts.map(({ act }) => act)).toEqual([
      "started",
      "promoted",
      "promoted",
      "promoted",
    ]);
  });

  test("a stage that waits for time to pass need not be waited for", async () => {
    await isIn("awaiting promotion", { stage: 1 });
    expect((await promote(site.zk, decision())).record).toMatchObject({ stage: 2, state: "rolling" });
  });

  test("a call that is repeated does not take it one stage further, even where the next one waits by then", async () => {
    await isIn("awaiting promotion");
    const change = decision();
    await promote(site.zk, change);
    await isIn("awaiting promotion");
    const { version } = await readDeploy(site.zk, "web", "d2");
    expect((await promote(site.zk, change)).record).toMatchObject({ stage: 1, state: "awaiting promotion" });
    expect((await readDeploy(site.zk, "web", "d2")).version).toBe(version);
    // Another decision does.
    expect((await promote(site.zk, decision())).record.stage).toBe(2);
  });

  test("who promotes while the hosts of the next stage are at work changes nothing", async () => {
    await isIn("awaiting promotion");
    await promote(site.zk, decision());
    const { version } = await readDeploy(site.zk, "web", "d2");
    expect((await promote(site.zk, decision())).record).toMatchObject({ stage: 1, state: "rolling" });
    expect((await readDeploy(site.zk, "web", "d2")).version).toBe(version);
  });

  test("of two who promote at once one does, and it is one stage further", async () => {
    await isIn("awaiting promotion");
    await Promise.allSettled([promote(site.zk, decision()), promote(site.other, { ...decision(), who: "erin" })]);
    const { stage, acts } = await site.record("d2");
    expect([stage, acts.length]).toEqual([1, 2]);
    expect((await wish())?.reach).toEqual(reachAfter(stages, 1, "d2", hosts));
  });

  test.each(["preparing", "rolling"] as const)(
    "while its hosts are at work, %s, it says for whom it waits",
    async (state) => {
      await isIn(state);
      const error = await refusal();
      expect(error.code).toBe("deploy-running");
      expect(error.message).toContain('the hosts of its stage, 25%/promote, do not all serve "v2" yet');
      expect((await site.record("d2")).stage).toBe(0);
    },
  );

  test.each(["paused", "halted", "aborted", "rolling back", "rolled back", "done"] as const)(
    "a deploy that has moved on and is %s is not promoted, whoever promoted it before",
    async (state) => {
      await isIn("awaiting promotion");
      await promote(site.zk, decision());
      const { acts } = await site.record("d2");
      const turned = { act: "turned round", who: "erin", why: "", time: NOW.toISOString() };
      const isBack = state === "rolling back" || state === "rolled back";
      await isIn(state, { stage: state === "done" ? 3 : 1, acts: isBack ? [...acts, turned] : acts });
      const { version } = await readDeploy(site.zk, "web", "d2");
      const outcome = await promote(site.zk, decision()).catch((error: unknown) => asDeployError(error, ""));
      // One that was promoted and is through has what was asked for; everything else is told.
      if (state === "done") expect(outcome).toMatchObject({ id: "d2", record: { state } });
      else expect(outcome).toMatchObject({ code: "nothing-to-do" });
      expect((await readDeploy(site.zk, "web", "d2")).version).toBe(version);
    },
  );

  test("a deploy that another has followed is not promoted, though it is the one that was meant", async () => {
    await isIn("aborted");
    await site.deploy("d3", "v3");
    for (const meant of [{ deploy: "d2" }, { build: "v2" }]) {
      const error = await refusal({ ...decision(), ...meant });
      expect(error.code).toBe("deploy-mismatch");
      expect(error.message).toContain('the newest deploy is d3 of "v3" by me, which is preparing');
    }
  });

  test("a build that was barred meanwhile comes to no further stage", async () => {
    await isIn("awaiting promotion", { stage: 2 });
    await barBuild(site.zk, "web", "v2", { who: "erin", why: "", time: NOW.toISOString() });
    await isIn("awaiting promotion", { stage: 2 });
    expect((await refusal()).code).toBe("build-barred");
    expect((await wish())?.reach).toBeDefined();
  });

  test("hosts that have joined since count in the next stage, and nobody who was reached is left out of it", async () => {
    await isIn("awaiting promotion");
    const first = (await site.record("d2")).reach?.below ?? 1;
    for (const host of ["e", "f", "g", "h"]) await site.host(host);
    const { record } = await promote(site.zk, decision());
    const all = new Map([...hosts, ...["e", "f", "g", "h"].map((name) => [name, { role: "fleet" as const }] as const)]);
    expect(record.reach).toEqual(reachAfter(stages, 1, "d2", all));
    expect(record.reach?.below).toBeGreaterThanOrEqual(first);
  });
});
