import { expect, test } from "bun:test";
import fc from "fast-check";
import { costOf, legCost } from "../../src/core/deploy_cost.ts";
import type { HostStatus } from "../../src/schema/znodes.ts";
import { recordIn } from "../harness/deploy_records.ts";
import { status } from "./conducted_view.ts";

type Restart = NonNullable<HostStatus["restart"]>;

const restart = (changes: Partial<Restart> = {}): Restart => ({
  build: "v2",
  deploy: "d1",
  instances: 2,
  closed: 1,
  refused: null,
  forced: [],
  phaseMs: { idle: 5, stop: 1 },
  ...changes,
});
const said = (...restarts: HostStatus["restart"][]) =>
  new Map(restarts.map((each, index) => [`h${index}`, status({ restart: each })]));
const rolling = { id: "d1", record: recordIn("rolling") };
const back = { id: "d1", record: recordIn("rolling back") };

test("what the hosts' restarts have cost adds up, and what nobody could count stays unknown", () => {
  const second = restart({ instances: 4, closed: null, phaseMs: { idle: 7, on: 2 } });
  expect(legCost(said(restart(), second), rolling)).toEqual({
    hosts: 2,
    instances: 6,
    closed: 1,
    refused: null,
    phaseMs: { idle: 12, stop: 1, on: 2 },
  });
  expect(legCost(said(restart({ refused: 3 }), restart()), rolling)).toMatchObject({ refused: 3 });
});

test.each<[string, HostStatus["restart"]]>([
  ["that nobody has told of", null],
  ["of a status that an older agent wrote", undefined],
  ["of nothing", restart({ instances: 0 })],
  ["into another build", restart({ build: "v1" })],
  ["under another deploy", restart({ deploy: "d0" })],
])("a restart %s costs a deploy nothing", (_what, each) => {
  expect(legCost(said(each), rolling)).toBeNull();
  expect(legCost(said(each, restart()), rolling)).toMatchObject({ hosts: 1, instances: 2 });
});

test("the way back is counted by the build that it leads to", () => {
  const statuses = said(restart(), restart({ build: "v1", closed: 9 }));
  expect(legCost(statuses, rolling)).toMatchObject({ hosts: 1, closed: 1 });
  expect(legCost(statuses, back)).toMatchObject({ hosts: 1, closed: 9 });
});

test("a deploy has cost what is on its record, and what its hosts say where nothing is there yet", () => {
  const there = { hosts: 3, instances: 6, closed: 10, refused: 1, phaseMs: { idle: 100 } };
  const withCosts = (costs: object) => ({ ...rolling, record: recordIn("rolling", { costs }) });
  expect(costOf(new Map(), rolling)).toBeNull();
  expect(costOf(said(restart()), rolling)).toMatchObject({ hosts: 1, closed: 1 });
  // Once it is told it is told: hosts go on, and say other things.
  expect(costOf(said(restart()), withCosts({ v2: there }))).toEqual(there);
  expect(costOf(said(restart()), withCosts({ v1: there }))).toEqual({
    hosts: 4,
    instances: 8,
    closed: 11,
    refused: 1,
    phaseMs: { idle: 105, stop: 1 },
  });
  expect(costOf(new Map(), withCosts({ v1: there }))).toEqual(there);
});

test("there and back cost the sum of both", () => {
  const there = { hosts: 1, instances: 2, closed: 1, refused: null, phaseMs: {} };
  const record = recordIn("rolled back", { costs: { v2: there, v1: { ...there, closed: null, refused: 4 } } });
  expect(costOf(new Map(), { id: "d1", record })).toEqual({
    hosts: 2,
    instances: 4,
    closed: 1,
    refused: 4,
    phaseMs: {},
  });
});

test("what a deploy has cost does not depend on the order in which its hosts are read", () => {
  const count = fc.option(fc.nat(100), { nil: null });
  const each = fc.record({ instances: fc.nat(3), closed: count, refused: count, stop: fc.nat(1_000) });
  fc.assert(
    fc.property(fc.array(each, { maxLength: 8 }), (hosts) => {
      const restarts = hosts.map(({ stop, ...rest }) => restart({ ...rest, phaseMs: { stop } }));
      const cost = legCost(said(...restarts), rolling);
      expect(legCost(said(...restarts.toReversed()), rolling)).toEqual(cost);
      const counted = restarts.filter(({ instances }) => instances > 0);
      if (counted.length === 0) return expect(cost).toBeNull();
      const sum = (values: readonly (number | null)[]) => values.reduce<number>((all, value) => all + (value ?? 0), 0);
      expect(cost?.hosts).toBe(counted.length);
      expect(cost?.instances).toBe(sum(counted.map(({ instances }) => instances)));
      expect(cost?.closed ?? 0).toBe(sum(counted.map(({ closed }) => closed)));
      expect(cost?.closed === null).toBe(counted.every(({ closed }) => closed === null));
      expect(cost?.phaseMs["stop"]).toBe(sum(counted.map(({ phaseMs }) => phaseMs["stop"] ?? 0)));
    }),
  );
});
