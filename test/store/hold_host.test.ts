import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { asDeployError } from "../../src/core/errors.ts";
import { hostRecordSchema, type HostRecord } from "../../src/schema/znodes.ts";
import { holdHost, releaseHost, untilHeld } from "../../src/store/hold_host.ts";
import { hostPath, slotPath } from "../../src/store/paths.ts";
import { encode, readRecord } from "../../src/store/records.ts";
import { setRole } from "../../src/store/registry.ts";
import { systemClock } from "../../src/support/clock.ts";
import { rejection } from "../harness/rejection.ts";
import { servers } from "./servers.ts";
import { never, Site, slotOf } from "./site.ts";

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
    site = await Site.open(server.connectString, `/hold-${(count += 1)}`, { max: 1, budget: 0 });
    for (const host of ["a", "b"]) await site.host(host, "fleet", { step: "serving", build: "v1", health: "healthy" });
  });
  afterEach(async () => {
    await site[Symbol.asyncDispose]();
  });

  const request = { service: "web", host: "a", who: "dana", why: "new disk", clock: systemClock };
  const recordOf = async (host: string): Promise<HostRecord | undefined> =>
    (await readRecord(site.zk, hostPath("web", host), hostRecordSchema))?.value;
  const isHeld = async (host: string, held: boolean, withinMs: number) =>
    untilHeld(site.zk, { ...request, host }, held, withinMs, never);
  const gate = async () => (await site.gate()).gate;

  test("a host that is asked for is held when the limits allow it, and the slot says for whom and why", async () => {
    await holdHost(site.zk, request);
    expect(await isHeld("a", true, 0)).toBe(false);
    await site.round();
    expect(await isHeld("a", true, 0)).toBe(true);
    const { holds, slots } = await gate();
    expect([holds.get("a"), slots.size]).toMatchObject([{ hold: true, who: "dana", why: "new disk" }, 0]);
  });

  test("a second one waits until the first is given back", async () => {
    await holdHost(site.zk, request);
    await site.round();
    await holdHost(site.zk, { ...request, host: "b" });
    await site.round();
    expect([...(await gate()).holds.keys()]).toEqual(["a"]);
    expect(await releaseHost(site.zk, "web", "a")).toBe(true);
    await site.round();
    expect([...(await gate()).holds.keys()]).toEqual(["b"]);
    expect(await isHeld("a", false, 0)).toBe(true);
  });

  test("who asks again changes nothing: the first remains who holds it", async () => {
    const first = await holdHost(site.zk, request);
    expect(await holdHost(site.zk, { ...request, who: "erin", why: "" })).toEqual(first);
    expect((await recordOf("a"))?.hold).toMatchObject({ who: "dana", why: "new disk" });
  });

  test("a host that is given back before its turn came never was held", async () => {
    await holdHost(site.zk, request);
    expect(await releaseHost(site.zk, "web", "a")).toBe(true);
    await site.round();
    expect((await gate()).holds.size).toBe(0);
    expect(await releaseHost(site.zk, "web", "a")).toBe(false);
  });

  test("what else its record says is kept, held or not", async () => {
    await site.zk.set(hostPath("web", "a"), JSON.stringify({ role: "fleet", zone: "north", future: 1 }));
    await setRole(site.zk, "web", "a", "canary");
    await holdHost(site.zk, request);
    const held: object | undefined = await recordOf("a");
    expect(held).toMatchObject({ role: "canary", zone: "north", future: 1, hold: { who: "dana" } });
    await releaseHost(site.zk, "web", "a");
    const free: object | undefined = await recordOf("a");
    expect(free).toEqual({ role: "canary", zone: "north", future: 1 });
  });

  test("a host that does not exist is refused with the nearest that does", async () => {
    for (const work of [holdHost(site.zk, { ...request, host: "aa" }), releaseHost(site.zk, "web", "aa")]) {
      expect(asDeployError(await rejection(work), "")).toMatchObject({
        code: "host-unknown",
        hint: 'Did you mean "a"?',
      });
    }
  });

  test("the slot of a deploy is no hold: who waits for one waits until the deploy is through with it", async () => {
    await site.zk.create(slotPath("web", "a"), encode(slotOf()));
    expect(await isHeld("a", true, 0)).toBe(false);
    await holdHost(site.zk, request);
    const waiting = isHeld("a", true, 20_000);
    await site.zk.delete(slotPath("web", "a"));
    await site.round();
    expect(await waiting).toBe(true);
  });

  test("a hold takes capacity from a deploy, and the host that is held gets no slot", async () => {
    await site.deploy("d1", "v2");
    await site.state("d1", "rolling");
    const wish = { build: "v2", deploy: "d1" };
    for (const host of ["c", "d"])
      await site.host(host, "fleet", { wish, step: "ready", build: "v1", health: "healthy" });
    await holdHost(site.zk, { ...request, host: "c" });
    await site.round();
    const held = await gate();
    expect([[...held.holds.keys()], [...held.slots.keys()]]).toEqual([["c"], []]);
    await releaseHost(site.zk, "web", "c");
    await site.round();
    const after = await gate();
    expect([[...after.holds.keys()], [...after.slots.keys()]]).toEqual([[], ["c"]]);
  });

  test("who holds a host and gives back another at once does both", async () => {
    await holdHost(site.zk, request);
    await Promise.all([releaseHost(site.zk, "web", "a"), holdHost(site.other, { ...request, host: "b" })]);
    expect([(await recordOf("a"))?.hold, (await recordOf("b"))?.hold?.who]).toEqual([undefined, "dana"]);
  });
});
