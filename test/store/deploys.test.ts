import { afterAll, beforeAll, beforeEach, afterEach, describe, expect, test } from "bun:test";
import { asDeployError, isDeployError } from "../../src/core/errors.ts";
import { canariesFirst, toEverybody } from "../../src/core/stages.ts";
import { plainPaint } from "../../src/cli/paint.ts";
import { statusLines } from "../../src/ctl/status_text.ts";
import type { Wish } from "../../src/schema/znodes.ts";
import { adoptWish } from "../../src/store/adopt.ts";
import { barBuild, unbarBuild } from "../../src/store/bar.ts";
import { listBuilds, readBuild } from "../../src/store/builds.ts";
import { abort, promote } from "../../src/store/change_deploy.ts";
import { listDeploys, readDeploy, readHead } from "../../src/store/deploys.ts";
import {
  buildPath,
  canaryPath,
  deployPath,
  deploysPath,
  enabledPath,
  hostPath,
  servicePath,
} from "../../src/store/paths.ts";
import { encode } from "../../src/store/records.ts";
import { setRole } from "../../src/store/registry.ts";
import { removeBuild } from "../../src/store/remove_build.ts";
import { rollBack } from "../../src/store/roll_back.ts";
import { readService, setService } from "../../src/store/services.ts";
import { startDeploy } from "../../src/store/start_deploy.ts";
import { rejection } from "../harness/rejection.ts";
import { servers } from "./servers.ts";
import { NOW, Site, readOverview } from "./site.ts";

const change = { service: "web", who: "me", why: "it is bad", now: NOW };

async function codeOf(work: Promise<unknown>): Promise<string> {
  const error = await rejection(work);
  if (!isDeployError(error)) throw error;
  return error.code;
}

describe.each(servers)("with %s", (_name, start) => {
  let server: { connectString: string } & AsyncDisposable;
  let site: Site;
  let count = 0;

  beforeAll(async () => {
    server = await start();
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    site = await Site.open(server.connectString, `/deploys-${(count += 1)}`, { max: 2, budget: 1, soakMs: 7 });
  });
  afterEach(async () => {
    await site[Symbol.asyncDispose]();
  });

  async function wishes(): Promise<unknown> {
    const { enabled, canary } = await readHead(site.zk, "web");
    return { enabled: unnumbered(enabled.value), canary: unnumbered(canary?.value ?? null) };
  }

  function unnumbered(wish: Wish | null): Wish | null {
    if (wish === null) return null;
    const { number: _number, hosts: _hosts, ...rest } = wish;
    return rest;
  }

  test("a deploy begins with a record and the wish of its stage, and no host has a slot", async () => {
    const record = await site.deploy("d1", "v1");
    expect(record).toMatchObject({
      build: "v1",
      previous: null,
      state: "preparing",
      stages: toEverybody,
      stage: 0,
      before: null,
      limits: { max: 2, budget: 1, soakMs: 7 },
    });
    expect((await site.gate()).gate.slots.size).toBe(0);
    expect((await site.zk.children(deployPath("web", "d1"))).children).toEqual([]);
    expect(await wishes()).toEqual({ enabled: { build: "v1", deploy: "d1" }, canary: null });
  });

  test("a wish says how many hosts take it up, so that those of a large fleet do not all ask at once", async () => {
    for (const host of ["a", "b", "c"]) await site.host(host);
    await site.deploy("d1", "v1");
    expect((await readHead(site.zk, "web")).enabled.value).toMatchObject({ build: "v1", hosts: 3 });
  });

  test("asked again with the same id it changes nothing, whatever has become of it", async () => {
    const record = await site.deploy("d1", "v1");
    expect(await site.deploy("d1", "v1")).toEqual(record);
    await site.state("d1", "rolled back");
    await barBuild(site.zk, "web", "v1", { who: "me", why: "", time: NOW.toISOString() });
    expect((await site.deploy("d1", "v1")).state).toBe("rolled back");
  });

  test("of two that start at once exactly one wins", async () => {
    const request = { service: "web", stages: toEverybody, who: "", why: "", limits: {}, now: NOW };
    const both = await Promise.allSettled([
      startDeploy(site.zk, { ...request, id: "d1", build: "v1" }),
      startDeploy(site.other, { ...request, id: "d2", build: "v2" }),
    ]);
    expect(both.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    const front = await readHead(site.zk, "web");
    const winner = both[0].status === "fulfilled" ? { build: "v1", deploy: "d1" } : { build: "v2", deploy: "d2" };
    expect(front.latest?.id).toBe(winner.deploy);
    expect(unnumbered(front.enabled.value)).toEqual(winner);
  });

  test("what cannot be deployed is refused with its reason", async () => {
    expect(await codeOf(site.deploy("d1", "v9"))).toBe("build-unknown");
    expect(await codeOf(site.deploy("d1", "v1", "canary"))).toBe("usage");
    await barBuild(site.zk, "web", "v1", { who: "me", why: "it burns", time: NOW.toISOString() });
    expect(await codeOf(site.deploy("d1", "v1"))).toBe("build-barred");
    await site.deploy("d2", "v2");
    expect(await codeOf(site.deploy("d3", "v3"))).toBe("deploy-running");
    const unknown = { id: "d4", service: "wed", build: "v1", stages: toEverybody, who: "", why: "" };
    const error = await rejection(startDeploy(site.zk, { ...unknown, limits: {}, now: NOW }));
    expect(error).toMatchObject({ code: "service-unknown", hint: 'Did you mean "web"?' });
  });

  test("the build to go back to is the last that was good", async () => {
    await site.deploy("d1", "v1");
    await site.state("d1", "done");
    expect((await site.deploy("d2", "v2")).previous).toBe("v1");
    await site.state("d2", "halted");
    expect((await site.deploy("d3", "v3")).previous).toBe("v1");
  });

  test("a canary deploy is promoted once it waits for that, and asked twice it stays promoted", async () => {
    await site.host("c", "canary");
    await site.deploy("d1", "v1", "canary");
    expect(await wishes()).toEqual({ enabled: null, canary: { build: "v1", deploy: "d1" } });
    expect(await codeOf(promote(site.zk, change))).toBe("deploy-running");
    await site.state("d1", "awaiting promotion");
    expect((await promote(site.zk, change)).record).toMatchObject({ stage: 1, state: "rolling" });
    expect((await promote(site.zk, change)).record).toMatchObject({ stage: 1, state: "rolling" });
    expect(await wishes()).toEqual({ enabled: { build: "v1", deploy: "d1" }, canary: null });
  });

  test("what is not on canary hosts cannot be promoted", async () => {
    expect(await codeOf(promote(site.zk, change))).toBe("nothing-to-do");
    await site.deploy("d1", "v1");
    expect(await codeOf(promote(site.zk, change))).toBe("nothing-to-do");
  });

  test("a rollback wishes the build before it, bars its own, and asked twice does nothing more", async () => {
    await site.deploy("d1", "v1");
    await site.state("d1", "done");
    await site.deploy("d2", "v2");
    const first = await rollBack(site.zk, change);
    expect(first.record).toMatchObject({ state: "rolling back", reason: "it is bad" });
    expect(await wishes()).toEqual({ enabled: { build: "v1", deploy: "d2" }, canary: null });
    expect((await readBuild(site.zk, "web", "v2")).value.barred).toMatchObject({ who: "me", why: "it is bad" });
    const { version } = await readDeploy(site.zk, "web", "d2");
    expect((await rollBack(site.zk, change)).record).toEqual(first.record);
    expect((await readDeploy(site.zk, "web", "d2")).version).toBe(version);
  });

  test("a way back that was halted goes on when it is asked for again, whoever has failed on it", async () => {
    await site.host("a", "fleet", { build: "v2", wish: { build: "v1", deploy: "d2" } });
    await site.deploy("d1", "v1");
    await site.state("d1", "done");
    await site.deploy("d2", "v2");
    await rollBack(site.zk, change);
    const told = { deploy: "d2", attempt: 1, build: "v1", reason: "it is ill as well", again: 0, healthy: false };
    const failing = { step: "failed", failure: { ...told, since: NOW.toISOString() } } as const;
    for (const host of ["b", "c"]) await site.host(host, "fleet", failing);
    await site.round();
    expect(await site.record("d2")).toMatchObject({ state: "halted", reason: "c: it is ill as well" });
    expect((await rollBack(site.zk, change)).record).toMatchObject({ state: "rolling back", rollback: { to: "v1" } });
    await site.round();
    expect((await site.record("d2")).state).toBe("rolling back");
    expect([...(await site.gate()).gate.failed.values()].map(({ healthy }) => healthy)).toEqual([false, false]);
    // The next failure is the first that counts.
    await site.host("d", "fleet", failing);
    await site.round();
    expect((await site.gate()).gate.failed.size).toBe(3);
    expect((await site.record("d2")).state).toBe("rolling back");
  });

  test("a deploy that is refused for a way back is told what would end that", async () => {
    await site.deploy("d1", "v1");
    await site.state("d1", "done");
    await site.deploy("d2", "v2");
    await rollBack(site.zk, change);
    const error = await rejection(site.deploy("d3", "v3"));
    expect(error).toMatchObject({ code: "deploy-running" });
    const hint = asDeployError(error, "").hint;
    expect(hint).toContain("deployd ctl wait web");
    expect(hint).toContain("deployd ctl abort web v2");
    expect((await abort(site.zk, { ...change, build: "v2" })).record).toMatchObject({ state: "aborted", build: "v2" });
    expect(await site.deploy("d3", "v3")).toMatchObject({ previous: "v1" });
  });

  test("a rollback on the canary stage leaves the fleet alone, and at its end canaries follow the fleet", async () => {
    await site.host("c", "canary");
    await site.deploy("d1", "v1");
    await site.state("d1", "done");
    await site.deploy("d2", "v2", "canary");
    await rollBack(site.zk, change);
    const fleet = { build: "v1", deploy: "d1" };
    expect(await wishes()).toEqual({ enabled: fleet, canary: { build: "v1", deploy: "d2" } });
    await site.step("d2", { to: "rolled back", cost: null });
    expect(await wishes()).toEqual({ enabled: fleet, canary: null });
  });

  test("canaries that are back keep their wish where the fleet's came to nothing: by that one nobody is taken back", async () => {
    await site.host("c", "canary");
    await site.deploy("d1", "v1");
    await site.state("d1", "done");
    await site.deploy("d2", "v2");
    await abort(site.zk, change);
    await site.deploy("d3", "v3", "canary");
    await rollBack(site.zk, change);
    await site.step("d3", { to: "rolled back", cost: null });
    expect(await wishes()).toEqual({
      enabled: { build: "v2", deploy: "d2" },
      canary: { build: "v1", deploy: "d3" },
    });
    await site.deploy("d4", "v1");
    expect(await wishes()).toEqual({ enabled: { build: "v1", deploy: "d4" }, canary: null });
  });

  test("after a rollback on the canary stage it is told how many of the whole fleet serve the build", async () => {
    const serves = (deploy: string) => ({ build: "v1", step: "serving" as const, wish: { build: "v1", deploy } });
    await site.host("c", "canary", serves("d2"));
    await site.host("h", "fleet", serves("d1"));
    await site.deploy("d1", "v1");
    await site.state("d1", "done");
    await site.deploy("d2", "v2", "canary");
    await rollBack(site.zk, change);
    await site.step("d2", { to: "rolled back", cost: null });
    const { deploy } = await readOverview(site.zk, "web");
    expect(deploy?.progress).toMatchObject({ hosts: ["c", "h"], serving: ["c", "h"] });
  });

  test("who names the build that a promotion is not of is not told to name the other one", async () => {
    await site.host("c", "canary");
    await site.deploy("d1", "v1");
    await site.state("d1", "done");
    await site.deploy("d2", "v2", "canary");
    expect(await rejection(promote(site.zk, { ...change, build: "v1" }))).toMatchObject({
      hint: "Look first: deployd ctl status web",
    });
  });

  test("where nothing was served before a rollback ends the deploy and bars its build", async () => {
    expect(await codeOf(rollBack(site.zk, change))).toBe("nothing-to-do");
    await site.host("c", "canary");
    await site.deploy("d1", "v1", "canary");
    await site.state("d1", "awaiting promotion");
    const { record } = await rollBack(site.zk, change);
    expect(record).toMatchObject({ state: "aborted", reason: expect.stringMatching(/nothing was served before/) });
    expect((await readBuild(site.zk, "web", "v1")).value.barred).toMatchObject({ who: "me" });
    expect(await wishes()).toEqual({ enabled: null, canary: null });
    await site.deploy("d2", "v2");
    await site.state("d2", "halted");
    expect((await rollBack(site.zk, change)).record.state).toBe("aborted");
    await site.deploy("d3", "v3");
    await site.state("d3", "done");
    expect(await codeOf(rollBack(site.zk, change))).toBe("nothing-to-do");
  });

  test("a build that is deployed once more has the way back that it had", async () => {
    await site.deploy("d1", "v1");
    await site.state("d1", "done");
    // It is what was served before, and no worse for being deployed again.
    expect(await site.deploy("d2", "v1")).toMatchObject({ previous: null });
    expect((await rollBack(site.zk, change)).record.state).toBe("aborted");
    expect((await readBuild(site.zk, "web", "v1")).value.barred).toBeUndefined();
    await site.deploy("d3", "v2");
    await site.state("d3", "done");
    for (const id of ["d4", "d5"]) {
      expect(await site.deploy(id, "v2")).toMatchObject({ previous: "v1" });
      await site.state(id, "done");
    }
    expect((await rollBack(site.zk, change)).record).toMatchObject({ state: "rolling back", rollback: { to: "v1" } });
  });

  test("a deploy of the fleet that was ended is told also when another has come to the canary hosts since", async () => {
    await site.host("c", "canary");
    await site.deploy("d1", "v1");
    await site.state("d1", "done");
    await site.deploy("d2", "v2");
    await abort(site.zk, change);
    expect((await readOverview(site.zk, "web")).problems).toEqual([]);
    await site.deploy("d3", "v3", "canary");
    const { problems } = await readOverview(site.zk, "web");
    expect(problems).toEqual([expect.stringContaining('The fleet is to serve "v2", and its deploy d2 was aborted.')]);
  });

  const barred = { who: "eve", why: "it burns", time: NOW.toISOString() };

  test("a build that the fleet serves is taken back everywhere, also where it was deployed to the canary hosts once more", async () => {
    await site.host("c", "canary");
    await site.host("h");
    for (const [id, build] of [
      ["d1", "v1"],
      ["d2", "v2"],
    ] as const) {
      await site.deploy(id, build);
      await site.state(id, "done");
    }
    expect(await site.deploy("d3", "v2", "canary")).toMatchObject({ previous: "v1", stage: 0 });
    expect((await rollBack(site.zk, change)).record).toMatchObject({ state: "rolling back", stage: 1 });
    expect(await wishes()).toEqual({ enabled: { build: "v1", deploy: "d3" }, canary: null });
  });

  test("a build that was removed is no way back, also where one that is deployed once more had it", async () => {
    for (const [id, build] of [
      ["d1", "v1"],
      ["d2", "v2"],
      ["d3", "v3"],
    ] as const) {
      await site.deploy(id, build);
      await site.state(id, "done");
    }
    await removeBuild(site.zk, "web", "v1");
    await rollBack(site.zk, change);
    await site.step("d3", { to: "rolled back", cost: null });
    expect(await site.deploy("d4", "v2")).toMatchObject({ previous: null });

    await site.state("d4", "done");
    await unbarBuild(site.zk, "web", "v3");
    await site.deploy("d5", "v3");
    await site.zk.delete(buildPath("web", "v2"));
    expect(await rejection(rollBack(site.zk, change))).toMatchObject({
      code: "build-unknown",
      hint: "End it where it is with: deployd ctl abort web v3",
    });
    const { deploy } = await readOverview(site.zk, "web");
    expect([...(deploy?.barred ?? [])]).toEqual(["v2"]);
  });

  test("a wish by hand for a build that may go nowhere is no way back", async () => {
    await site.host("c", "canary");
    await site.deploy("d1", "v1");
    await site.state("d1", "done");
    await barBuild(site.zk, "web", "v2", barred);
    await site.zk.set(enabledPath("web"), "v2");
    expect(await site.deploy("d2", "v3", "canary")).toMatchObject({ previous: "v1" });
  });

  test("a build that was barred meanwhile is not promoted, and not gone back to", async () => {
    await site.host("c", "canary");
    await site.deploy("d1", "v1");
    await site.state("d1", "done");
    await site.deploy("d2", "v2", "canary");
    await site.state("d2", "awaiting promotion");
    await site.zk.set(buildPath("web", "v2"), encode({ ...(await readBuild(site.zk, "web", "v2")).value, barred }));
    expect(await codeOf(promote(site.zk, change))).toBe("build-barred");
    await barBuild(site.zk, "web", "v1", barred);
    expect(await codeOf(rollBack(site.zk, change))).toBe("build-barred");
    expect(await wishes()).toMatchObject({ enabled: { build: "v1" }, canary: { build: "v2" } });
  });

  test("a bar that comes while somebody promotes has one of the two fail", async () => {
    await site.host("c", "canary");
    for (let round = 0; round < 10; round += 1) {
      await unbarBuild(site.zk, "web", "v1");
      await site.deploy(`d${round}`, "v1", "canary");
      await site.state(`d${round}`, "awaiting promotion");
      const [, promotion] = await Promise.allSettled([
        barBuild(site.other, "web", "v1", barred),
        promote(site.zk, change),
      ]);
      const { record } = await readDeploy(site.zk, "web", `d${round}`);
      const stage = promotion.status === "fulfilled" ? 1 : 0;
      expect(record).toMatchObject({ stage, state: "halted" });
    }
  });

  test.each(["preparing", "canary", "awaiting promotion", "rolling", "rolling back"] as const)(
    "a bar halts the deploy that brings the build to hosts: %s",
    async (state) => {
      await site.host("c", "canary");
      await site.deploy("d1", "v1");
      await site.state("d1", "done");
      await site.deploy("d2", "v2", "canary");
      await site.state("d2", state);
      // Of no concern to it: the one that its hosts leave.
      const [build, other] = state === "rolling back" ? ["v1", "v2"] : ["v2", "v1"];
      expect((await barBuild(site.zk, "web", other, barred)).halted).toBeNull();
      expect((await barBuild(site.zk, "web", build, barred)).halted).toBe("d2");
      const { record } = await readDeploy(site.zk, "web", "d2");
      expect(record).toMatchObject({ state: "halted", reason: expect.stringMatching(/barred by eve .* \(it burns\)/) });
    },
  );

  test("whoever says which deploy is meant changes no other", async () => {
    await site.host("c", "canary");
    await site.deploy("d1", "v1");
    await site.state("d1", "done");
    await site.deploy("d2", "v2", "canary");
    await site.state("d2", "awaiting promotion");
    for (const meant of [{ build: "v3" }, { deploy: "d1" }, { build: "v2", deploy: "d1" }, { build: "v1" }]) {
      for (const verb of [promote, rollBack, abort]) {
        const error = asDeployError(await rejection(verb(site.zk, { ...change, ...meant })), "");
        expect(error.code).toBe("deploy-mismatch");
        expect(error.message).toContain('the newest deploy is d2 of "v2" by me, which is awaiting promotion');
      }
    }
    expect((await promote(site.zk, { ...change, build: "v2", deploy: "d2" })).record.state).toBe("rolling");
  });

  test("a rollback and a promotion at the same moment do not both happen", async () => {
    await site.host("c", "canary");
    await site.deploy("d1", "v1");
    await site.state("d1", "done");
    await site.deploy("d2", "v2", "canary");
    await site.state("d2", "awaiting promotion");
    await Promise.allSettled([promote(site.zk, change), rollBack(site.other, change)]);
    const { record } = await readDeploy(site.zk, "web", "d2");
    const wish = (await wishes()) as { enabled: { build: string } };
    // Whoever came second either lost, or turned round what it had read: never one's record with the other's wish.
    if (record.state === "rolling") expect(wish.enabled.build).toBe("v2");
    else {
      expect(record.state).toBe("rolling back");
      expect(wish.enabled.build).toBe("v1");
    }
  });

  test("a wish written by hand becomes a deploy of nobody's, and only once", async () => {
    await site.deploy("d1", "v1");
    await site.state("d1", "done");
    await site.zk.set(enabledPath("web"), "v2");
    expect(await adoptWish(site.zk, "web", "d2", NOW)).toBe("d2");
    expect(await adoptWish(site.zk, "web", "d3", NOW)).toBeNull();
    expect(await wishes()).toEqual({ enabled: { build: "v2", deploy: "d2" }, canary: null });
    const { record } = await readDeploy(site.zk, "web", "d2");
    expect(record).toMatchObject({ build: "v2", previous: "v1", who: "unknown", stages: toEverybody, stage: 0 });
    // Of the settings only what limits it.
    expect(record.limits as object).toEqual({ max: 2, budget: 1, soakMs: 7 });
  });

  test("a wish written by hand overtakes a deploy under way, with its canary hosts", async () => {
    await site.host("c", "canary");
    await site.deploy("d1", "v1");
    await site.state("d1", "done");
    await site.deploy("d2", "v2", "canary");
    await site.zk.set(enabledPath("web"), '{"build":"v3"}');
    expect(await adoptWish(site.zk, "web", "d3", NOW)).toBe("d3");
    expect((await readDeploy(site.zk, "web", "d2")).record.state).toBe("aborted");
    expect(await wishes()).toEqual({ enabled: { build: "v3", deploy: "d3" }, canary: null });
  });

  test("a wish written by hand for the canary hosts is a canary deploy", async () => {
    await site.deploy("d1", "v1");
    await site.state("d1", "done");
    await site.zk.create(canaryPath("web"), "v2");
    expect(await adoptWish(site.zk, "web", "d2", NOW)).toBe("d2");
    expect((await readDeploy(site.zk, "web", "d2")).record).toMatchObject({
      stages: canariesFirst,
      stage: 0,
      previous: "v1",
    });
    expect(await wishes()).toMatchObject({ canary: { build: "v2", deploy: "d2" }, enabled: { deploy: "d1" } });
  });

  test("a wish written by hand for a build that is barred or unknown is not followed", async () => {
    await site.zk.set(enabledPath("web"), "v9");
    expect(await codeOf(adoptWish(site.zk, "web", "d1", NOW))).toBe("build-unknown");
    await barBuild(site.zk, "web", "v2", { who: "me", why: "it burns", time: NOW.toISOString() });
    await site.zk.set(enabledPath("web"), "v2");
    expect(await codeOf(adoptWish(site.zk, "web", "d1", NOW))).toBe("build-barred");
    expect((await readHead(site.zk, "web")).latest).toBeNull();
  });

  test("of two conductors that adopt a wish at once one does", async () => {
    await site.zk.set(enabledPath("web"), "v1");
    await Promise.allSettled([adoptWish(site.zk, "web", "d1", NOW), adoptWish(site.other, "web", "d2", NOW)]);
    const front = await readHead(site.zk, "web");
    expect(front.latest?.id).toBe(front.enabled.value?.deploy ?? "none");
    const ids = (await site.zk.children("/services/web/deploys")).children;
    expect(ids).toHaveLength(1);
  });

  test("settings are kept where a change does not name them, also fields of a newer deployd", async () => {
    await site.zk.set("/services/web", JSON.stringify({ max: 3, budget: 1, soakMs: 5, future: { x: 1 } }));
    await setService(site.zk, "web", { budget: 4 });
    const kept: object = await readService(site.zk, "web");
    expect(kept).toEqual({ max: 3, budget: 4, soakMs: 5, onHalt: "ask", future: { x: 1 } });
  });

  test.each(["4711", "true", "12e4567", "null"])(
    "bare text is a build, also when it reads as JSON: %s",
    async (text) => {
      await site.zk.set(enabledPath("web"), text);
      expect(await wishes()).toEqual({ enabled: { build: text }, canary: null });
    },
  );

  test.each([enabledPath("web"), canaryPath("web")])(
    "a wish that cannot be read is told, and replaced: %s",
    async (path) => {
      await site.deploy("d1", "v1");
      await site.state("d1", "done");
      if (path === canaryPath("web")) await site.zk.create(path, "[1]");
      else await site.zk.set(path, "[1]");
      expect((await readOverview(site.zk, "web")).problems.join(" ")).toContain(path);
      expect((await site.deploy("d2", "v2")).previous).toBe("v1");
      expect(await wishes()).toEqual({ enabled: { build: "v2", deploy: "d2" }, canary: null });
      expect((await readOverview(site.zk, "web")).problems).toEqual([]);
    },
  );

  test("a wish for a build that nobody added is never done", async () => {
    await site.deploy("d1", "v1");
    await site.state("d1", "done");
    await site.zk.set(enabledPath("web"), "v9");
    const overview = await readOverview(site.zk, "web");
    expect(overview.wishTrouble?.word).toBe("not followed");
    const lines = statusLines(overview, { paint: plainPaint, now: NOW });
    expect(lines[0]).toBe("✗ web: the wish is not followed");
    expect(lines.join("\n")).toContain('There is no build "v9"');
    await site.zk.set(enabledPath("web"), "v2");
    expect((await readOverview(site.zk, "web")).wishTrouble?.word).toBe("not taken up");
  });

  test("settings that cannot be read are told, refuse a deploy, and are replaced when they are set", async () => {
    await site.zk.set(servicePath("web"), '{"max":"many"}');
    expect((await readOverview(site.zk, "web")).problems.join(" ")).toContain(servicePath("web"));
    expect(await codeOf(site.deploy("d1", "v1"))).toBe("zookeeper-data-invalid");
    expect(await setService(site.zk, "web", { max: 3 })).toMatchObject({ max: 3, budget: 0 });
    expect((await readOverview(site.zk, "web")).problems).toEqual([]);
  });

  test("a build that cannot be read is told, and hides no other", async () => {
    await site.zk.set(buildPath("web", "v2"), "{}");
    const problems: string[] = [];
    const listed = await listBuilds(site.zk, "web", (problem) => problems.push(problem));
    expect(listed.map(({ id }) => id)).toEqual(["v1", "v3"]);
    expect(problems).toEqual([expect.stringContaining(buildPath("web", "v2"))]);
    expect(await codeOf(site.deploy("d1", "v2"))).toBe("zookeeper-data-invalid");
    expect((await site.deploy("d1", "v1")).build).toBe("v1");
  });

  test("a host that cannot be read is told, and replaced when its role is set", async () => {
    await site.host("w1");
    await site.zk.set(hostPath("web", "w1"), '{"role":"captain"}');
    expect((await readOverview(site.zk, "web")).problems.join(" ")).toContain(hostPath("web", "w1"));
    expect(await setRole(site.zk, "web", "w1", "canary")).toEqual({ role: "canary" });
    expect((await readOverview(site.zk, "web")).problems).toEqual([]);
  });

  test("where it cannot be read which deploy is the newest, or that one is gone, the newest that is there is, and that is told", async () => {
    await site.deploy("d1", "v1");
    await site.state("d1", "done");
    await site.deploy("d2", "v2");
    await site.state("d2", "done");
    for (const damage of ['{"latest": 7}', '{"latest":"20270101-000000-abcd"}', "[]"]) {
      await site.zk.set(deploysPath("web"), damage);
      const front = await readHead(site.zk, "web");
      expect([front.latest?.id, front.damaged]).toEqual(["d2", null]);
      const { problems, deploy } = await readOverview(site.zk, "web");
      expect([deploy?.id, problems.length]).toEqual(["d2", 1]);
      expect(problems.join()).toMatch(
        damage.includes("abcd") ? /deploy 20270101-000000-abcd, the newest, is gone/ : /\/services\/web\/deploys /,
      );
    }
    expect((await site.deploy("d3", "v1")).previous).toBe("v2");
    expect((await readOverview(site.zk, "web")).problems).toEqual([]);
  });

  test("a newest deploy that cannot be read is told by all who look, and refuses what would be begun beside it", async () => {
    await site.deploy("d1", "v1");
    await site.state("d1", "done");
    await site.deploy("d2", "v2");
    await site.zk.set(deployPath("web", "d2"), "{");
    const { problems, deploy } = await readOverview(site.zk, "web");
    expect(deploy).toBeNull();
    expect(problems.join(" ")).toContain(`deleteall CHROOT${deployPath("web", "d2")}`);
    const listed: string[] = [];
    expect((await listDeploys(site.zk, "web", (problem) => listed.push(problem))).map(({ id }) => id)).toEqual(["d1"]);
    expect(listed.join()).toContain(deployPath("web", "d2"));
    const begins = [() => site.deploy("d3", "v3"), () => promote(site.zk, change), () => rollBack(site.zk, change)];
    for (const begin of begins) {
      const error = asDeployError(await rejection(begin()), "");
      expect([error.code, error.message]).toEqual([
        "zookeeper-data-invalid",
        expect.stringContaining(deployPath("web", "d2")),
      ]);
      expect(error.hint).toContain(`deleteall CHROOT${deployPath("web", "d2")}`);
    }
    // Carried out as it stands, it leads on.
    await site.zk.delete(deployPath("web", "d2"));
    expect((await site.deploy("d3", "v3")).build).toBe("v3");
  });
});
