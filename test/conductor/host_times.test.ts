import { expect, test } from "bun:test";
import { HostTimes } from "../../src/conductor/host_times.ts";
import type { HostStatus, HostStep } from "../../src/schema/znodes.ts";
import { hostStatus } from "../harness/host_status.ts";

const wish = { build: "v2", deploy: "d1" };

/** What hosts say one after the other, and when, in milliseconds. */
function timesOf(said: readonly (readonly [host: string, atMs: number, status: Partial<HostStatus>])[]): HostTimes {
  const times = new HostTimes("d1");
  for (const [host, atMs, status] of said)
    times.look(new Map([[host, hostStatus({ wish, ...status })]]), new Map([[host, { writtenAtMs: atMs }]]));
  return times;
}

const step = (name: HostStep): Partial<HostStatus> => ({ step: name });

test("where a host's time went is told by when it said what, and its turn does not count", () => {
  const times = timesOf([
    ["a", 1_000, step("fetch")],
    ["a", 5_000, step("install")],
    ["a", 6_000, step("ready")],
    ["a", 60_000, step("begun")],
    ["a", 62_000, step("soak")],
    ["a", 65_000, step("serving")],
  ]);
  expect(times.slowest(10, 100_000)).toEqual([
    { host: "a", ms: 10_000, partsMs: { prepare: 5_000, restart: 2_000, soak: 3_000, wait: 54_000 } },
  ]);
});

test("the phases of its restart are told where it tells them, and what else the restart took", () => {
  const restart = {
    build: "v2",
    deploy: "d1",
    instances: 1,
    closed: 0,
    refused: 0,
    forced: [],
    phaseMs: { idle: 700, start: 200 },
  };
  const times = timesOf([
    ["a", 1_000, step("begun")],
    ["a", 2_000, { step: "serving", restart }],
  ]);
  expect(times.slowest(10, 9_000)).toEqual([
    { host: "a", ms: 1_000, partsMs: { idle: 700, start: 200, restart: 100 } },
  ]);
  // What it tells of another deploy's restart is not this one's.
  const other = timesOf([["a", 1_000, { step: "serving", restart: { ...restart, deploy: "d0" } }]]);
  expect(other.slowest(10, 9_000)).toEqual([]);
});

test("a host that hangs gets slower and slower", () => {
  const times = timesOf([["a", 1_000, step("fetch")]]);
  expect(times.slowest(10, 31_000)).toEqual([{ host: "a", ms: 30_000, partsMs: { prepare: 30_000 } }]);
});

test("the way back is told as that", () => {
  const times = timesOf([
    ["a", 1_000, step("check")],
    ["a", 3_000, { step: "restart", rollingBack: true }],
    ["a", 4_000, step("failed")],
  ]);
  expect(times.slowest(10, 9_000)).toEqual([{ host: "a", ms: 3_000, partsMs: { restart: 2_000, back: 1_000 } }]);
});

test("the slowest come first, and no more than are asked for; hosts of another deploy are none", () => {
  const times = timesOf([
    ...Array.from({ length: 20 }, (_, at) => [`h${at}`, (at * 7_000) % 20_000, step("fetch")] as const),
    ["other", 0, { step: "fetch", wish: { build: "v1", deploy: "d0" } }],
  ]);
  const slowest = times.slowest(3, 20_000);
  expect(slowest.map(({ ms }) => ms)).toEqual([20_000, 19_000, 18_000]);
});
