import { expect, test } from "bun:test";
import fc from "fast-check";
import { allowedBy, baseNow } from "../../src/core/limit_base.ts";
import type { Limits } from "../../src/schema/limits.ts";

type Given = Readonly<Record<string, { readonly zone?: string; readonly build?: string | null }>>;

/** Hosts with their zone and the build that they serve; one that says none of that has no status. */
function fleet(given: Given) {
  const all = Object.entries(given);
  return {
    hosts: new Map(all.map(([host, { zone }]) => [host, zone === undefined ? {} : { zone }])),
    status: new Map(all.flatMap(([host, { build }]) => (build === undefined ? [] : [[host, { build }] as const]))),
  };
}

const limits = (changes: Partial<Limits> = {}): Limits => ({ max: 1, budget: 0, soakMs: 0, ...changes });
const never = () => {
  throw new Error("what there is now does not matter any more");
};

test("percentages are of the hosts that serve something, in all and by zone", () => {
  const given = {
    a: { zone: "z1", build: "v1" },
    b: { zone: "z1", build: "v0" },
    c: { zone: "z2", build: "v1" },
    d: { build: "v1" },
    empty: { zone: "z1", build: null },
    silent: { zone: "z3" },
  };
  expect(baseNow(fleet(given))).toEqual({ hosts: 4, zones: { z1: 2, z2: 1 } });
});

test("where none serves anything there is nothing to protect, and they are of all hosts", () => {
  const given = { a: { zone: "z1", build: null }, b: { zone: "z1" }, c: {} };
  expect(baseNow(fleet(given))).toEqual({ hosts: 3, zones: { z1: 2 } });
  expect(baseNow(fleet({}))).toEqual({ hosts: 0, zones: {} });
});

test.each<[Limits["max"], number]>([
  [3, 3],
  ["10%", 2],
  ["50%", 10],
  ["1%", 1],
  ["5,10%", 2],
  ["1,10%", 1],
])("of 20 hosts, %p may be out of service: %p", (max, hosts) => {
  expect(allowedBy({ limits: limits({ max }), base: { hosts: 20, zones: {} } }, never).max).toBe(hosts);
});

test.each<[Limits["budget"], number]>([
  [0, 0],
  [3, 3],
  ["10%", 2],
  ["4%", 0],
  ["1,50%", 1],
  ["5,10%", 2],
])("of 20 hosts, with a budget of %p may fail: %p", (budget, hosts) => {
  expect(allowedBy({ limits: limits({ budget }), base: { hosts: 20, zones: {} } }, never).budget).toBe(hosts);
});

test("the limit of a zone is of the hosts of that zone, at least one, and there is none where none is set", () => {
  const base = { hosts: 30, zones: { big: 20, small: 3 } };
  const { perZone } = allowedBy({ limits: limits({ maxPerZone: "3,25%" }), base }, never);
  expect(["big", "small", "new"].map((zone) => perZone?.(zone))).toEqual([3, 1, 1]);
  expect(allowedBy({ limits: limits(), base }, never).perZone).toBeNull();
});

test("before the first slot percentages are of the hosts as they are now, and from then on of those of that time", () => {
  const now = () => ({ hosts: 40, zones: { a: 40 } });
  const half = limits({ max: "50%", maxPerZone: "50%", budget: "50%" });
  const [open, fixed] = [undefined, { hosts: 4, zones: { a: 2 } }].map((base) =>
    allowedBy({ limits: half, base }, now),
  );
  expect([open?.max, open?.budget, open?.perZone?.("a")]).toEqual([20, 20, 20]);
  expect([fixed?.max, fixed?.budget, fixed?.perZone?.("a")]).toEqual([2, 2, 1]);
});

test("a host that serves nothing raises no limit where any other serves something", () => {
  const host = fc.record({ zone: fc.constantFrom("z1", "z2"), build: fc.constantFrom("v1", null) });
  fc.assert(
    fc.property(fc.array(host), fc.array(fc.constantFrom("z1", "z2")), (hosts, joining) => {
      const before = {
        x: { zone: "z1", build: "v1" },
        ...Object.fromEntries(hosts.map((each, at) => [`h${at}`, each])),
      };
      const joined = Object.fromEntries(joining.map((zone, at) => [`j${at}`, { zone, build: null }]));
      expect(baseNow(fleet({ ...before, ...joined }))).toEqual(baseNow(fleet(before)));
    }),
  );
});
