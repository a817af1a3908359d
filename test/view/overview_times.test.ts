import { expect, test } from "bun:test";
import { costed, done, moved, activating, started } from "../../src/core/deploy.ts";
import { byServersClock } from "../../src/view/overview.ts";

/** By the clock of whoever writes the record, which is a day ahead of ZooKeeper's. */
const at = (seconds: number): Date => new Date(Date.parse("2026-11-29T12:00:00.000Z") + seconds * 1000);
const servers = (seconds: number): number => Date.parse("2026-11-28T12:00:00.000Z") + seconds * 1000;

const begun = started({
  build: "b2",
  previous: "b1",
  before: null,
  who: "ana",
  why: "",
  stages: [{ hosts: "100%", wait: 0 }],
  limits: { max: 1, budget: 0, soakMs: 0 },
  onHalt: "ask",
  reach: { zones: [], below: 1 },
  restarts: undefined,
  now: at(0),
});
const over = done(activating(begun, { hosts: 1, zones: {} }, at(1)), at(60));

test("a deploy begins and ends by ZooKeeper's clock", () => {
  const { times } = byServersClock(over, { madeAtMs: servers(0), writtenAtMs: servers(60) });
  expect(times).toMatchObject({ created: "2026-11-28T12:00:00.000Z", ended: "2026-11-28T12:01:00.000Z" });
});

test("what is told of it after its end does not move the end", () => {
  const failures = { hosts: 1, first: [{ host: "web-01", reason: "it failed" }] };
  const told = moved(over, { to: "costed", cost: null, failures }, at(3660));
  expect(told.failures).toEqual({ b2: failures });
  const { times } = byServersClock(told, { madeAtMs: servers(0), writtenAtMs: servers(3660) });
  expect(times).toMatchObject({ changed: "2026-11-28T13:01:00.000Z", ended: "2026-11-28T12:01:00.000Z" });
});

test("nothing to tell leaves the record as it is", () => {
  expect(costed(over, null)).toEqual(over);
});
