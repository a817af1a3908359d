import { expect, test } from "bun:test";
import { ProgressWatch } from "../../src/conductor/progress_watch.ts";
import { noneOut } from "../../src/core/gate.ts";
import type { Failure, HostStatus } from "../../src/schema/znodes.ts";
import { recordIn } from "../harness/deploy_records.ts";
import { statusOf } from "../store/site.ts";

const wish = { build: "v2", deploy: "d1" };
const failure: Failure = {
  deploy: "d1",
  attempt: 1,
  build: "v2",
  reason: "sick",
  again: 0,
  healthy: true,
  since: "2026-01-01T00:00:00.000Z",
  round: 1,
};

/** A watch of one deploy with one host, a second after the other. */
function watch(stillForMs = 0) {
  const progress = new ProgressWatch();
  const deploy = { id: "d1", record: recordIn("rolling"), recordVersion: 1, out: noneOut };
  let status: HostStatus = statusOf({ wish, step: "fetch", attempt: 1 });
  let nowMs = 0;
  const look = (change: Partial<HostStatus> = {}, of: Partial<typeof deploy> = {}): number => {
    nowMs += 1_000;
    status = { ...status, ...change };
    Object.assign(deploy, of);
    progress.look(deploy, new Map([["web-1", status]]), nowMs, () => stillForMs);
    return progress.stillForMs(nowMs);
  };
  return { look, progress };
}

test("a deploy has moved when a host comes to a rung, to another attempt, or back", () => {
  const { look } = watch();
  expect(look()).toBe(0);
  expect(look()).toBe(1_000);
  expect(look({ step: "verify" })).toBe(0);
  expect(look({ attempt: 2 })).toBe(0);
  expect(look({ step: "check" })).toBe(0);
  expect(look({ rollingBack: true })).toBe(0);
  expect(look()).toBe(1_000);
});

test("it has moved when its record was written, and when one more host has failed", () => {
  const { look } = watch();
  look();
  expect(look({}, { recordVersion: 2 })).toBe(0);
  expect(look({}, { out: { slots: {}, failed: { "web-2": failure } } })).toBe(0);
  expect(look({}, { out: { slots: {}, failed: { "web-2": failure } } })).toBe(1_000);
  expect(look({}, { id: "d2" })).toBe(0);
});

test("nothing has moved when a host tries the same again and again, falls ill, or follows another deploy", () => {
  const { look } = watch();
  look();
  look({ step: "install" });
  expect(look({ step: "fetch" })).toBe(1_000);
  expect(look({ step: "install" })).toBe(2_000);
  expect(look({ health: "unhealthy" })).toBe(3_000);
  expect(look({ step: "serving", wish: { build: "v1", deploy: "d0" } })).toBe(4_000);
});

test("who comes to a deploy that stands still is told how long it has", () => {
  const { look, progress } = watch(60_000);
  expect(look()).toBe(60_000);
  expect(look()).toBe(61_000);
  expect(look({ step: "ready" })).toBe(0);
  progress.look(null, new Map(), 10_000, () => 60_000);
  expect(progress.stillForMs(10_000)).toBe(0);
});
