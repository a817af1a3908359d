import { expect, test } from "bun:test";
import { newestDeploy, stuckForMs } from "../../src/view/deploy.ts";
import type { Overview } from "../../src/view/overview.ts";
import { ServerClock, serverNow } from "../../src/view/server_clock.ts";
import { ageMs } from "../../src/view/times.ts";
import { scenes } from "./scenes.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const overview = scenes.rolling();
const newest = Math.max(
  ...[...overview.statuses.values()].map(({ since }) => Date.parse(since)),
  Date.parse(newestDeploy(overview)?.record.times.changed ?? ""),
);
const at = (ms: number): Date => new Date(newest + ms);

/** The same a while later, in which one host has said something. */
function after(ms: number): Overview {
  const [first] = overview.statuses;
  if (first === undefined) throw new Error("there is no host");
  const [host, status] = first;
  return { ...overview, statuses: new Map([...overview.statuses, [host, { ...status, since: at(ms).toISOString() }]]) };
}

test("who looks once with a clock that is right, or ahead, goes by that; behind, by what was written last", () => {
  expect(serverNow(overview, at(5_000))).toEqual(at(5_000));
  expect(serverNow(overview, at(-2 * DAY_MS))).toEqual(at(0));
});

test.each([-2 * DAY_MS, -HOUR_MS, 0, HOUR_MS, 2 * DAY_MS])(
  "who has seen a change come knows the clock, whatever its own says: off by %d ms",
  (off) => {
    const clock = new ServerClock();
    clock.see(overview, at(off));
    clock.see(overview, at(off + 10_000));
    clock.see(after(20_000), at(off + 20_000));
    clock.see(after(20_000), at(off + 50_000));
    expect(clock.at(at(off + 50_000))).toEqual(at(50_000));
    expect(ageMs(at(20_000).toISOString(), clock.at(at(off + 65_000)))).toBe(45_000);
    const view = newestDeploy(after(20_000));
    if (view === null) throw new Error("there is no deploy");
    expect(stuckForMs(view, clock.at(at(off + 65_000)))).toBe(45_000);
    expect(stuckForMs(view, clock.at(at(off + 40_000)))).toBeNull();
  },
);
