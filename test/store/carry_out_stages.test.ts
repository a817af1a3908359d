import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import type { DeployMove } from "../../src/core/deploy.ts";
import type { GateMove } from "../../src/core/gate.ts";
import { parseStages, reachAfter } from "../../src/core/stages.ts";
import type { DeployState } from "../../src/schema/deploy_record.ts";
import type { Wish } from "../../src/schema/znodes.ts";
import { barBuild } from "../../src/store/bar.ts";
import { readBuild } from "../../src/store/builds.ts";
import { carryOut, type HeededService, type RoundOutcome } from "../../src/store/carry_out.ts";
import { readHead } from "../../src/store/deploys.ts";
import { readGate } from "../../src/store/gate.ts";
import {
  buildPath,
  canaryPath,
  deployPath,
  deploysPath,
  enabledPath,
  gatePath,
  slotPath,
} from "../../src/store/paths.ts";
import { encode } from "../../src/store/records.ts";
import { setRole } from "../../src/store/registry.ts";
import { setService } from "../../src/store/services.ts";
import { pauseDeploy } from "../../src/store/stop_and_go.ts";
import { systemClock } from "../../src/support/clock.ts";
import { ZooKeeper, type Op } from "../../src/zookeeper/client.ts";
import { servers } from "./servers.ts";
import { NOW, Site, slotOf } from "./site.ts";

/** A client that says which transactions it was asked for, and lets something happen before each of them. */
class Watched extends ZooKeeper {
  readonly multis: (readonly Op[])[] = [];
  before: () => Promise<unknown> = async () => {};

  override async multi(...[ops, options]: Parameters<ZooKeeper["multi"]>): ReturnType<ZooKeeper["multi"]> {
    await this.before();
    this.multis.push(ops);
    return super.multi(ops, options);
  }
}

describe.each(servers)("with %s", (_name, start) => {
  let server: { connectString: string } & AsyncDisposable;
  let site: Site;
  let watched: Watched;
  let count = 0;
  const stages = parseStages("canary,50%/promote,100%");
  const fleet = new Map(["a", "b", "c"].map((host) => [host, { role: "fleet" as const }]));

  beforeAll(async () => {
    server = await start();
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    site = await Site.open(server.connectString, `/carry-stages-${(count += 1)}`, { max: 2, budget: 0 });
    for (const host of fleet.keys()) await site.host(host);
    await site.host("canary", "canary");
    await site.deploy("d1", "v1");
    await site.state("d1", "done");
    await site.start({ id: "d2", build: "v2", stages });
    watched = new Watched({ clock: systemClock, servers: site.connectString });
  });
  afterEach(async () => {
    await watched.close();
    await site[Symbol.asyncDispose]();
  });

  const isIn = (state: DeployState, changes: Readonly<Record<string, unknown>> = {}) =>
    site.comesTo("d2", state, changes);
  async function carry(
    move: DeployMove,
    moves: readonly GateMove[] = [],
    heeded: readonly HeededService[] = [],
  ): Promise<RoundOutcome> {
    const basis = await site.basis();
    const deploy = basis.deploys.get("d2");
    if (deploy === undefined) throw new Error("there is no deploy d2");
    return carryOut(watched, "web", { moves, steps: [{ deploy, move }] }, { ...basis, heeded }, NOW);
  }
  /** A host that comes back is granted a slot of the deploy that is done. */
  const grant = async (host: string): Promise<GateMove> => ({
    kind: "grant",
    host,
    slot: slotOf({ record: (await site.zk.exists(deployPath("web", "d1")))?.version ?? -1 }),
  });
  const wishes = async (): Promise<{ enabled: Wish | null; canary: Wish | null }> => {
    const { enabled, canary } = await readHead(site.zk, "web");
    return { enabled: enabled.value, canary: canary?.value ?? null };
  };
  const toStage = (stage: number): DeployMove => ({
    to: "next stage",
    reach: reachAfter(stages, stage, "d2", fleet),
  });
  const written = (at = 0): string[] =>
    (watched.multis[at] ?? []).flatMap(({ type, path }) => (type === "check" ? [] : [`${type} ${path}`])).toSorted();

  test("a stage begins with its record, its wish and the pointer in one transaction, together with other deploys' slots", async () => {
    await isIn("awaiting promotion");
    const number = (await wishes()).canary?.number ?? 0;
    const { refused, moved } = await carry(toStage(1), [await grant("a")]);
    expect({ refused, moved }).toEqual({ refused: null, moved: ["a"] });
    expect(watched.multis).toHaveLength(1);
    expect(written()).toEqual(
      [
        `set ${gatePath("web")}`,
        `set ${deployPath("web", "d2")}`,
        `set ${deploysPath("web")}`,
        `set ${enabledPath("web")}`,
        `delete ${canaryPath("web")}`,
        `create ${slotPath("web", "a")}`,
      ].toSorted(),
    );
    const { enabled, canary } = await wishes();
    const reach = reachAfter(stages, 1, "d2", fleet);
    expect(canary).toBeNull();
    expect(enabled).toMatchObject({ build: "v2", deploy: "d2", reach, before: { build: "v1", deploy: "d1" } });
    expect(enabled?.number).toBe(number + 1);
    expect((await readHead(site.zk, "web")).pointer.value).toMatchObject({ latest: "d2", number: number + 1 });
    expect(await site.record("d2")).toMatchObject({ state: "rolling", stage: 1, reach });
    // Nobody has decided this: nothing of it is on record as a person's act.
    expect((await site.record("d2")).acts.map(({ act }) => act)).toEqual(["started"]);
  });

  test("the last stage leaves nobody out, also of those who join later", async () => {
    await isIn("awaiting promotion", { stage: 1, reach: reachAfter(stages, 1, "d2", fleet) });
    await carry(toStage(2));
    const { enabled } = await wishes();
    expect(enabled).toMatchObject({ build: "v2", deploy: "d2" });
    expect([enabled?.reach, enabled?.before]).toEqual([undefined, undefined]);
  });

  test("a stage begins though the node above the deploys is damaged, and its wish is written, which mends that", async () => {
    await isIn("awaiting promotion");
    await site.zk.set(deploysPath("web"), "{");
    const { refused } = await carry(toStage(1));
    expect(refused).toBeNull();
    expect((await site.record("d2")).stage).toBe(1);
    expect((await wishes()).enabled).toMatchObject({ build: "v2", deploy: "d2" });
    expect((await readHead(site.zk, "web")).pointer.value.latest).toBe("d2");
  });

  test.each([
    ["promotes it", "deploy", async () => isIn("rolling", { stage: 1 })],
    ["pauses it", "deploy", async () => pauseDeploy(site.other, { service: "web", who: "dana", why: "", now: NOW })],
    ["starts another", "deploy", async () => site.startUrgent({ id: "d3", build: "v3" }, site.other)],
    ["makes a wish by hand", "deploy", async () => site.other.set(enabledPath("web"), "v3")],
  ] as const)("where somebody %s at that moment, no part of the stage is written", async (_what, kind, meanwhile) => {
    await isIn("awaiting promotion");
    const moves = [await grant("a")];
    watched.before = meanwhile;
    const { refused, moved, written: records } = await carry(toStage(1), moves);
    expect(refused?.kind).toBe(kind);
    expect([moved, records.size]).toEqual([[], 0]);
    expect((await site.gate()).gate.slots.size).toBe(0);
    expect((await wishes()).enabled?.reach).toBeUndefined();
  });

  describe("a deploy that is taken back by itself", () => {
    const back: DeployMove = { to: "turned round", reason: "a: sick", cost: null };

    test("has its build barred and the way back wished in the transaction that turns it round", async () => {
      await isIn("rolling", { stage: 1, reach: reachAfter(stages, 1, "d2", fleet), onHalt: "rollback" });
      expect((await carry(back)).refused).toBeNull();
      expect(watched.multis).toHaveLength(1);
      for (const path of [buildPath("web", "v2"), deployPath("web", "d2"), deploysPath("web"), enabledPath("web")])
        expect(written()).toContain(`set ${path}`);
      expect(await site.record("d2")).toMatchObject({
        state: "rolling back",
        reason: "a: sick",
        rollback: { who: "deployd", from: "rolling", to: "v1" },
        acts: [{ act: "started" }, { act: "turned round", who: "deployd", why: "a: sick" }],
      });
      const { barred } = (await readBuild(site.zk, "web", "v2")).value;
      expect(barred).toMatchObject({ who: "deployd", why: "rolled back in deploy d2: a: sick" });
      expect((await wishes()).enabled).toMatchObject({ build: "v1", deploy: "d2" });
    });

    test("on its canary hosts leaves the fleet's wish as it is", async () => {
      await isIn("canary", { onHalt: "rollback" });
      await carry(back);
      const { enabled, canary } = await wishes();
      expect([enabled?.deploy, enabled?.build]).toEqual(["d1", "v1"]);
      expect(canary).toMatchObject({ build: "v1", deploy: "d2" });
    });

    test("keeps who barred its build before", async () => {
      await isIn("rolling", { stage: 2, onHalt: "rollback" });
      await barBuild(site.zk, "web", "v2", { who: "erin", why: "", time: NOW.toISOString() });
      await isIn("rolling", { stage: 2, onHalt: "rollback" });
      expect((await carry(back)).refused).toBeNull();
      expect((await readBuild(site.zk, "web", "v2")).value.barred?.who).toBe("erin");
    });

    test("is not, where somebody bars its build at that moment: it is looked at again", async () => {
      await isIn("rolling", { stage: 2, onHalt: "rollback" });
      watched.before = async () => barBuild(site.other, "web", "v2", { who: "erin", why: "", time: NOW.toISOString() });
      expect((await carry(back)).refused).toEqual({ kind: "deploy", deploy: "d2" });
      expect((await readBuild(site.zk, "web", "v2")).value.barred?.who).toBe("erin");
    });
  });

  describe("slots that rest on what another service does", () => {
    let db: HeededService;
    beforeEach(async () => {
      await setService(site.zk, "db", {});
      const [gate, deploys] = [await readGate(site.zk, "db"), await site.zk.exists(deploysPath("db"))];
      db = { service: "db", gateVersion: gate?.version ?? -1, deploysVersion: deploys?.version ?? -1 };
    });

    test("are granted while that is as it was read", async () => {
      expect(
        (await carry({ to: "activating", base: { hosts: 1, zones: {} } }, [await grant("a")], [db])).moved,
      ).toEqual(["a"]);
    });

    test.each([
      ["a slot there", gatePath("db")],
      ["a deploy there", deploysPath("db")],
    ])("are refused where %s has come since, and nothing else is written", async (_what, path) => {
      watched.before = async () => site.other.set(path, encode({ moves: 9, latest: null, number: 9 }));
      const outcome = await carry({ to: "activating", base: { hosts: 1, zones: {} } }, [await grant("a")], [db]);
      expect(outcome.moved).toEqual([]);
      expect(outcome.refused).toEqual({ kind: "another service" });
      expect((await site.gate()).gate.slots.size).toBe(0);
    });

    test("do not hold back what frees places", async () => {
      await site.moves(await grant("a"));
      watched.before = async () => site.other.set(gatePath("db"), encode({ moves: 9 }));
      const basis = await site.basis();
      const round = { moves: [{ kind: "reclaim", host: "a" }], steps: [] } as const;
      const { refused } = await carryOut(watched, "web", round, { ...basis, heeded: [db] }, NOW);
      expect(refused).toBeNull();
    });
  });

  test("a host is held and given back by a slot of its own", async () => {
    const hold = { hold: true, who: "dana", why: "", since: NOW.toISOString() } as const;
    const { gate } = await site.moves({ kind: "hold", host: "a", hold });
    expect(gate).toEqual(await site.gate());
    expect([...gate.gate.holds.keys(), ...gate.gate.slots.keys()]).toEqual(["a"]);
    const after = await site.moves({ kind: "unhold", host: "a" });
    expect(after.gate).toEqual(await site.gate());
    expect(await site.zk.exists(slotPath("web", "a"))).toBeNull();
  });

  test("a host stays held while it fails, and while that is forgotten", async () => {
    await site.moves({ kind: "hold", host: "a", hold: { hold: true, who: "dana", why: "", since: NOW.toISOString() } });
    const told = { deploy: "d1", attempt: 1, build: "v2", reason: "", again: 0, healthy: true, round: 1 };
    for (const move of [
      { kind: "fail", host: "a", failure: { ...told, since: NOW.toISOString() } },
      { kind: "clear", host: "a" },
    ] as const) {
      const { gate } = await site.moves(move);
      expect(gate).toEqual(await site.gate());
      expect(gate.gate.holds.has("a")).toBe(true);
      expect(gate.gate.failed.has("a")).toBe(move.kind === "fail");
    }
  });

  test("a host that is held gets no slot by whoever has not seen that", async () => {
    const basis = await site.basis();
    await setRole(site.zk, "web", "a", "fleet");
    await site.moves({ kind: "hold", host: "a", hold: { hold: true, who: "dana", why: "", since: NOW.toISOString() } });
    const { refused } = await carryOut(watched, "web", { moves: [await grant("a")], steps: [] }, basis, NOW);
    expect(refused?.kind).toBe("gate");
    expect((await site.gate()).gate.holds.has("a")).toBe(true);
  });
});
