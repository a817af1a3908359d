import { expect, test } from "bun:test";
import {
  added,
  batchSize,
  isRestarted,
  mayTakeOut,
  minAvailable,
  nextBatch,
  noCounts,
  restartAmong,
  restartOf,
  touchedBy,
  withBatchBegun,
  withBatchDone,
} from "../../src/core/restart_progress.ts";
import type { InstanceServed } from "../../src/core/served.ts";

const runs = (name: string, build: string | null): InstanceServed => ({
  name,
  served: build === null ? { kind: "down" } : { kind: "build", build },
});

test("a roll goes batch by batch, and one that was begun comes first", () => {
  let progress = restartOf(["1", "2", "3"]);
  expect(nextBatch(progress, 2)).toEqual(["1", "2"]);
  progress = withBatchBegun(progress, ["1", "2"]);
  expect(progress.begun).toBe(1);
  // Whatever the host's file says meanwhile.
  expect(nextBatch(progress, 1)).toEqual(["1", "2"]);
  progress = withBatchDone(progress);
  expect(nextBatch(progress, 2)).toEqual(["3"]);
  expect(progress.begun).toBe(0);
  expect(isRestarted(withBatchDone(withBatchBegun(progress, ["3"])))).toBe(true);
});

test("those that are not well are restarted first", () => {
  expect(nextBatch(restartOf(["1", "2", "3"]), 2, new Set(["3"]))).toEqual(["3", "1"]);
});

test("an instance that the host has not got any more is left out, and the others are not forgotten with it", () => {
  expect(restartAmong({ begun: 2, batch: ["3"], left: ["3", "4"] }, ["1", "4"])).toEqual(restartOf(["4"]));
  expect(restartAmong({ begun: 1, batch: ["2", "3"], left: ["2", "3"] }, ["2"])).toEqual({
    begun: 1,
    batch: ["2"],
    left: ["2"],
  });
});

test("a turn back restarts what was touched, what was being restarted, and what runs the new build by itself", () => {
  const progress = { begun: 1, batch: ["2"], left: ["2", "3", "4"] };
  const instances = [runs("1", "v2"), runs("2", null), runs("3", "v1"), runs("4", "v2")];
  expect(touchedBy(progress, instances, "v1")).toEqual(["1", "2", "4"]);
  expect(touchedBy(restartOf(["1", "2"]), [runs("1", "v1"), runs("2", null)], "v1")).toEqual([]);
  // Unless a boot in the middle of it did that.
  expect(touchedBy({ ...restartOf(["1", "2"]), boots: 1 }, [runs("1", "v1"), runs("2", null)], "v1")).toEqual(["2"]);
});

test.each<[number | string, number, number]>([
  [1, 4, 1],
  [2, 4, 2],
  [9, 4, 4],
  ["25%", 4, 1],
  ["50%", 5, 2],
  ["1%", 4, 1],
  ["100%", 4, 4],
])("a batch of %p in %i instances is %i", (batch, total, size) => {
  expect(batchSize(batch, total)).toBe(size);
});

test("half of the instances stay in service unless the host says otherwise, and an only one may go", () => {
  expect([1, 2, 3, 4, 5].map((total) => minAvailable(undefined, total, 1))).toEqual([0, 1, 2, 2, 3]);
  expect(minAvailable(undefined, 4, 3)).toBe(1);
  expect(minAvailable(0, 4, 1)).toBe(0);
});

test("a batch is taken out only where enough healthy ones stay, or where none of it is healthy anyway", () => {
  const healthy = new Set(["1", "2", "3"]);
  expect(mayTakeOut(["1"], healthy, 2)).toBe(true);
  expect(mayTakeOut(["1"], healthy, 3)).toBe(false);
  expect(mayTakeOut(["4"], healthy, 3)).toBe(true);
  expect(mayTakeOut(["1", "4"], healthy, 3)).toBe(false);
  expect(mayTakeOut(["4"], new Set(), 3)).toBe(true);
});

test("costs add up, and what nobody could count stays unknown", () => {
  const first = { ...noCounts, instances: 1, closed: 2, forced: ["idle"] as const, phaseMs: { idle: 5, stop: 1 } };
  const second = { ...noCounts, instances: 1, closed: 1, forced: ["idle"] as const, phaseMs: { idle: 7 } };
  expect(added(first, second)).toEqual({
    instances: 2,
    closed: 3,
    refused: null,
    forced: ["idle"],
    phaseMs: { idle: 12, stop: 1 },
  });
  expect(added(first, noCounts).closed).toBe(2);
});
