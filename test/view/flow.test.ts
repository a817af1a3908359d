import { expect, test } from "bun:test";
import { flowAfter, hostsPerMinute, leftMs, noFlow, sparkline, type Flow } from "../../src/view/flow.ts";

const MINUTE = 60_000;

/** One host more every ten seconds, from 0 on. */
function steady(seconds: number): Flow {
  let flow = noFlow;
  for (let at = 0; at <= seconds; at += 10) flow = flowAfter(flow, "d1", at / 10, at * 1_000);
  return flow;
}

test("the pace is that of the last two minutes, and what is left takes as long at it", () => {
  expect(hostsPerMinute(steady(100), 100_000)).toBeCloseTo(6, 1);
  expect(leftMs(steady(100), 12, 100_000)).toBeCloseTo(2 * MINUTE, -2);
  // Nothing has come through for a minute: the pace falls by itself.
  expect(hostsPerMinute(steady(100), 160_000)).toBeLessThan(5.5);
});

test("from one host nobody can tell a pace, and from nothing no time", () => {
  const one = flowAfter(flowAfter(noFlow, "d1", 0, 0), "d1", 1, 10_000);
  expect(hostsPerMinute(one, 11_000)).toBeNull();
  expect(leftMs(one, 5, 11_000)).toBeNull();
  expect(leftMs(steady(100), 0, 100_000)).toBeNull();
});

test("another deploy begins anew, and readings that say the same are not kept", () => {
  const flow = steady(100);
  expect(flowAfter(flow, "d2", 0, 101_000).samples).toHaveLength(1);
  expect(flowAfter(flow, "d1", 10, 101_000).samples).toBe(flow.samples);
});

test("as bars the busiest stretch is the highest", () => {
  let flow = flowAfter(noFlow, "d1", 0, 0);
  for (const [at, through] of [
    [10_000, 1],
    [20_000, 9],
    [30_000, 11],
  ] as const)
    flow = flowAfter(flow, "d1", through, at);
  expect(sparkline(flow, 30_000, 3)).toBe("▂█▃");
  expect(sparkline(noFlow, 0, 3)).toBe("");
});
