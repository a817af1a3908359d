import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { asDeployError } from "../../src/core/errors.ts";
import { parseStages, reachAfter, toEverybody } from "../../src/core/stages.ts";
import type { Wish } from "../../src/schema/znodes.ts";
import { readHead } from "../../src/store/deploys.ts";
import { deployPath } from "../../src/store/paths.ts";
import { registerHost } from "../../src/store/registry.ts";
import { setService } from "../../src/store/services.ts";
import { rejection } from "../harness/rejection.ts";
import { servers } from "./servers.ts";
import { NOW, Site } from "./site.ts";

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
    site = await Site.open(server.connectString, `/start-${(count += 1)}`, { max: 2, budget: 1, soakMs: 7 });
  });
  afterEach(async () => {
    await site[Symbol.asyncDispose]();
  });

  async function served(build: string, id: string): Promise<void> {
    await site.deploy(id, build);
    await site.state(id, "done");
  }
  const fleetWish = async (): Promise<Wish | null> => (await readHead(site.zk, "web")).enabled.value;
  const refusal = async (work: Promise<unknown>) => asDeployError(await rejection(work), "");
  const hosts = (names: readonly string[]) => new Map(names.map((name) => [name, { role: "fleet" as const }]));

  test("the wish says whom the first stage reaches, and what the others serve until then", async () => {
    const names = ["a", "b", "c", "d"];
    for (const host of names) await site.host(host);
    await served("v1", "d1");
    const stages = parseStages("50%/promote,100%");
    const record = await site.start({ id: "d2", build: "v2", stages });
    const reach = reachAfter(stages, 0, "d2", hosts(names));
    const before = { build: "v1", deploy: "d1" };
    expect(record).toMatchObject({ stages, stage: 0, reach, before, previous: "v1" });
    expect(await fleetWish()).toMatchObject({ build: "v2", deploy: "d2", reach, before });
    expect(reach.below).toBeGreaterThan(0);
    expect(reach.below).toBeLessThan(1);
  });

  test("a stage by zone reaches that zone and no share of the others", async () => {
    await registerHost(site.zk, "web", "a", "north");
    await registerHost(site.zk, "web", "b", "south");
    await site.start({ id: "d1", build: "v1", stages: parseStages("zone:north,100%") });
    expect(await fleetWish()).toMatchObject({ reach: { zones: ["north"], below: 0 }, before: null });
  });

  test("a deploy that comes to everybody at once wishes the same of all", async () => {
    await served("v1", "d1");
    await site.deploy("d2", "v2");
    const wish = await fleetWish();
    expect(wish).toMatchObject({ build: "v2", deploy: "d2" });
    expect([wish?.reach, wish?.before]).toEqual([undefined, undefined]);
  });

  test("where a deploy names no stages those of its service count, and on a halt it does what the service says", async () => {
    const stages = parseStages("25%/5m,100%");
    await setService(site.zk, "web", { stages, onHalt: "rollback" });
    expect(await site.start({ id: "d1", build: "v1" })).toMatchObject({ stages, stage: 0, onHalt: "rollback" });
    await site.state("d1", "done");
    const own = await site.start({ id: "d2", build: "v2", stages: toEverybody, onHalt: "freeze" });
    expect(own).toMatchObject({ stages: toEverybody, onHalt: "freeze" });
  });

  test("of limits the deploy's own count, and the service's where it has none", async () => {
    await setService(site.zk, "web", { max: "10%", maxPerZone: 2, progressMs: 60_000 });
    const record = await site.start({ id: "d1", build: "v1", limits: { max: "3,50%", firstZoneSoakMs: 9 } });
    const limits: object = record.limits;
    expect(limits).toEqual({
      max: "3,50%",
      maxPerZone: 2,
      budget: 1,
      soakMs: 7,
      firstZoneSoakMs: 9,
      progressMs: 60_000,
    });
  });

  test("a zone in which no host is is refused with the nearest one that there is", async () => {
    await registerHost(site.zk, "web", "a", "north");
    await registerHost(site.zk, "web", "b", "south");
    const error = await refusal(site.start({ id: "d1", build: "v1", stages: parseStages("zone:nort,100%") }));
    expect(error).toMatchObject({ code: "usage", hint: 'Did you mean "north"?' });
    expect(error.message).toContain('none of its 2 hosts is in the zone "nort"; there are: north, south');
    expect(await site.zk.exists(deployPath("web", "d1"))).toBeNull();
  });

  test("where no host says in which zone it is, that is what a stage by zone is refused for", async () => {
    await site.host("a");
    const error = await refusal(site.start({ id: "d1", build: "v1", stages: parseStages("zone:north,100%") }));
    expect(error.code).toBe("usage");
    expect(error.message).toContain("no host says in which zone it is");
    expect(error.hint).toContain("agent.toml");
  });

  test("a stage of canary hosts is refused where there are none, and says how one is named", async () => {
    await site.host("a");
    const error = await refusal(site.deploy("d1", "v1", "canary"));
    expect(error).toMatchObject({ code: "usage", hint: "Name one with: deployd ctl hosts role web HOST canary" });
    expect(error.message).toContain("none of its 1 hosts is a canary");
  });

  test("a second deploy is refused, and says whose the first is", async () => {
    await site.start({ id: "d1", build: "v1", who: "dana" });
    const error = await refusal(site.start({ id: "d2", build: "v2", who: "erin" }));
    expect(error.code).toBe("deploy-running");
    expect(error.message).toContain('deploy d1 of "v1" by dana is preparing');
    expect(await site.zk.exists(deployPath("web", "d2"))).toBeNull();
  });

  test.each(["rolling", "paused", "awaiting promotion", "rolling back"] as const)(
    "an urgent deploy ends one that is %s, and says whose it was",
    async (state) => {
      await served("v1", "d1");
      await site.start({ id: "d2", build: "v2", who: "dana" });
      await site.state("d2", state);
      const { overtaken } = await site.startUrgent({ id: "d3", build: "v3", who: "erin" });
      expect(overtaken).toMatchObject({ id: "d2", record: { who: "dana", state } });
      const reason = 'overtaken by the urgent deploy d3 of "v3" by erin';
      expect(await site.record("d2")).toMatchObject({ state: "aborted", reason });
      expect(await site.record("d3")).toMatchObject({ state: "preparing", previous: "v1" });
      expect(await fleetWish()).toMatchObject({ build: "v3", deploy: "d3" });
      // Whoever asks again, because the answer was lost, ends nothing more.
      expect((await site.startUrgent({ id: "d3", build: "v3", who: "erin" })).record.state).toBe("preparing");
    },
  );

  test("what an urgent deploy overtakes ends in the transaction in which it begins, or neither happens", async () => {
    await site.deploy("d1", "v1");
    const both = await Promise.allSettled([
      site.startUrgent({ id: "d2", build: "v2" }),
      site.startUrgent({ id: "d3", build: "v3" }, site.other),
    ]);
    const { latest, enabled } = await readHead(site.zk, "web");
    const winner = latest?.id ?? "";
    const loser = winner === "d2" ? "d3" : "d2";
    expect(enabled.value?.deploy).toBe(winner);
    expect(await site.record("d1")).toMatchObject({ state: "aborted" });
    // The slower one has either not happened, or was overtaken in turn.
    const other = await site.zk.exists(deployPath("web", loser));
    if (both.every(({ status }) => status === "fulfilled")) expect((await site.record(loser)).state).toBe("aborted");
    else expect(other).toBeNull();
  });

  test("an urgent deploy where none is under way overtakes nobody, and leaves the one that has ended as it was", async () => {
    await served("v1", "d1");
    expect((await site.startUrgent({ id: "d2", build: "v2" })).overtaken).toBeNull();
    expect(await site.record("d1")).toMatchObject({ state: "done" });
  });

  test("why a deploy was started against the rules is on record with who did", async () => {
    const freeze = { who: "dana", why: "sale", time: NOW.toISOString() };
    await setService(site.zk, "web", { freeze });
    expect((await refusal(site.start({ id: "d1", build: "v1" }))).code).toBe("frozen");
    const record = await site.start({ id: "d1", build: "v1", who: "erin", override: "the hole is being used" });
    const override = "the hole is being used";
    expect(record.acts).toMatchObject([{ act: "started", who: "erin", override, time: NOW.toISOString() }]);
    await site.state("d1", "done");
    await setService(site.zk, "web", { freeze: undefined });
    expect((await site.start({ id: "d2", build: "v2" })).acts[0]?.override).toBeUndefined();
  });

  test("what runs already may be deployed again: it is a deploy like any other, and goes back to what was before", async () => {
    await served("v1", "d1");
    await served("v2", "d2");
    const again = await site.start({ id: "d3", build: "v2", stages: parseStages("50%,100%") });
    expect(again).toMatchObject({ build: "v2", previous: "v1", before: { build: "v2", deploy: "d2" } });
  });
});
