import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { emptyGate, outOfService } from "../../src/core/gate.ts";
import { gatePaths, readGate, restoreGate } from "../../src/store/gate.ts";
import { failurePath, failuresPath, gatePath, slotPath, slotsPath } from "../../src/store/paths.ts";
import { encode } from "../../src/store/records.ts";
import { servers } from "./servers.ts";
import { failureOf, Site, slotOf } from "./site.ts";

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
    site = await Site.open(server.connectString, `/gate-${(count += 1)}`);
  });
  afterEach(async () => {
    await site[Symbol.asyncDispose]();
  });

  test("a new service has a gate through which nobody has gone", async () => {
    expect(await readGate(site.zk, "web")).toEqual({
      version: 0,
      moves: 0,
      gate: emptyGate,
      failedVersions: new Map(),
      problems: [],
    });
    expect(await readGate(site.zk, "api")).toBeNull();
  });

  test("slots and failures are read as they are, more of them than fit into one batch as well", async () => {
    const hosts = Array.from({ length: 450 }, (_, at) => `h${at}`);
    await Promise.all(hosts.map((host) => site.zk.create(slotPath("web", host), encode(slotOf({ zone: host })))));
    await site.zk.create(failurePath("web", "h7"), encode(failureOf()));
    await site.zk.create(failurePath("web", "other"), encode(failureOf({ healthy: false })));
    await site.zk.set(failurePath("web", "other"), encode(failureOf({ healthy: false, attempt: 2 })));
    const { gate, failedVersions, problems } = await site.gate();
    expect(gate.slots).toEqual(new Map(hosts.toSorted().map((host) => [host, slotOf({ zone: host })])));
    expect(gate.failed).toEqual(
      new Map([
        ["h7", failureOf()],
        ["other", failureOf({ healthy: false, attempt: 2 })],
      ]),
    );
    expect(failedVersions).toEqual(
      new Map([
        ["h7", 0],
        ["other", 1],
      ]),
    );
    expect(problems).toEqual([]);
  });

  test.each([
    ["that is no record", "{"],
    ["that lacks what matters", encode({ deploy: "d1" })],
    ["in which there is nothing", ""],
  ])("a slot and a failure %s count as taken, are named, and hide no other", async (_what, damage) => {
    await site.zk.create(slotPath("web", "a"), damage);
    await site.zk.create(slotPath("web", "b"), encode(slotOf()));
    await site.zk.create(failurePath("web", "c"), damage);
    await site.zk.create(failurePath("web", "d"), encode(failureOf({ healthy: false })));
    const { gate, failedVersions, problems } = await site.gate();
    expect(gate.unreadable).toEqual({ slots: new Set(["a"]), failed: new Set(["c"]) });
    expect([...gate.slots.keys(), ...gate.failed.keys()]).toEqual(["b", "d"]);
    expect([...failedVersions.keys()]).toEqual(["c", "d"]);
    expect(outOfService(gate)).toEqual(new Set(["a", "b", "c", "d"]));
    expect(problems).toHaveLength(2);
    for (const path of [slotPath("web", "a"), failurePath("web", "c")])
      expect(JSON.stringify(problems)).toContain(path);
  });

  test("a count that somebody has damaged begins again, and is no reason to stand still", async () => {
    for (const damage of ["no count", encode({ moves: -1 }), ""]) {
      await site.zk.set(gatePath("web"), damage);
      const { moves, version, problems } = await site.gate();
      expect({ moves, problems }).toEqual({ moves: 0, problems: [] });
      expect(version).toBe((await site.zk.exists(gatePath("web")))?.version ?? -1);
    }
    await site.zk.set(gatePath("web"), encode({ moves: 7 }));
    expect((await site.gate()).moves).toBe(7);
  });

  test.each([gatePath("web"), slotsPath("web"), failuresPath("web")])(
    "without %s there is no gate, since nobody knows who was in it, until it is made again",
    async (path) => {
      await site.zk.delete(path);
      expect(await readGate(site.zk, "web")).toBeNull();
      await restoreGate(site.zk, "web");
      expect((await site.gate()).gate.slots.size).toBe(0);
    },
  );

  test("a gate that is made again keeps what is left of it, and its versions begin anew", async () => {
    await site.zk.create(slotPath("web", "a"), encode(slotOf()));
    await site.zk.set(gatePath("web"), encode({ moves: 7 }));
    await restoreGate(site.zk, "web");
    expect(await site.gate()).toMatchObject({ moves: 7, version: 1 });
    await site.zk.delete(gatePath("web"));
    // Two that make it at once.
    await Promise.all([restoreGate(site.zk, "web"), restoreGate(site.other, "web")]);
    const { moves, version, gate } = await site.gate();
    expect({ moves, version, holders: [...gate.slots.keys()] }).toEqual({ moves: 0, version: 0, holders: ["a"] });
  });

  test("of a service that was removed no gate is made again", async () => {
    expect(gatePaths("api")).toHaveLength(3);
    await restoreGate(site.zk, "api");
    expect(await site.zk.exists("/services/api")).toBeNull();
  });
});
