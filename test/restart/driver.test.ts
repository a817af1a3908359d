import { expect, test } from "bun:test";
import { DeployError, type ErrorCode } from "../../src/core/errors.ts";
import type { RestartPhase } from "../../src/schema/restart_phases.ts";
import type { RestartCost } from "../../src/schema/journal.ts";
import { driveRestart, type RestartPlan, type RestartEffects } from "../../src/restart/driver.ts";
import type { Handover, Supervisor } from "../../src/restart/effects.ts";
import { rejection } from "../harness/rejection.ts";

const { signal } = new AbortController();
const quick = { monotonicMs: () => 0, sleep: async () => {} };

/** What went wrong in a phase, and until which look connections stay open. */
interface Troubles {
  readonly fails?: Partial<Record<RestartPhase, ErrorCode>>;
  /** Connections by look; the last one for ever. */
  readonly open?: readonly (number | null)[];
  readonly healthy?: readonly string[];
  readonly handsOver?: boolean;
  readonly reloads?: boolean;
  readonly noTraffic?: boolean;
  /** What is thrown when the supervisor is asked for its processes. */
  readonly unnamed?: ErrorCode;
}

/** A batch on a host where everything that happens is written down. */
function host(troubles: Troubles = {}) {
  const done: string[] = [];
  let counts: RestartCost | null = null;
  let looks = 0;
  let touched = false;
  const does = async (what: string, phase?: RestartPhase): Promise<void> => {
    done.push(what);
    const code = phase === undefined ? undefined : troubles.fails?.[phase];
    if (code !== undefined) throw new DeployError(`${phase} went wrong`, { code });
  };
  const handover: Handover = {
    begin: () => does("begin", "start"),
    abandon: () => does("abandon"),
    oldPids: async () => [41, 42],
    finish: () => does("finish", "stop"),
  };
  const supervisor = (name: string): Supervisor => ({
    restart: () => does(`restart ${name}`, "start"),
    parts:
      troubles.reloads === true || troubles.handsOver === true
        ? null
        : { stop: () => does(`stop ${name}`, "stop"), start: () => does(`start ${name}`, "start") },
    revival: null,
    handover: troubles.handsOver === true ? handover : null,
    mainPids: async () => {
      const code = troubles.unnamed;
      if (code !== undefined) throw new DeployError("nobody can be named", { code });
      return [Number(name)];
    },
  });
  const effects: RestartEffects = {
    instance: (name) => ({
      supervisor: supervisor(name),
      untilHealthy: () => does(`healthy ${name}`, "healthy"),
      tell: (pids) => does(`tell ${pids.join()}`, "tell"),
      resume: (pids) => does(`resume ${pids.join()}`),
      busy: async () => {
        const open = troubles.open ?? [0];
        return open[Math.min(looks++, open.length - 1)] ?? null;
      },
    }),
    isHealthy: async (name) => (troubles.healthy ?? ["1", "2", "3", "4"]).includes(name),
    traffic:
      troubles.noTraffic === true
        ? null
        : {
            off: (batch) => does(`off ${batch.join()}`, "off"),
            on: (batch) => does(`on ${batch.join()}`, "on"),
            refused: async () => (done.length === 0 ? 5 : 7),
          },
    probe: () => does("probe", "probe"),
    clock: quick,
    onPhase: () => {},
    onTouch: () => (touched = true),
    onCounts: (now) => (counts = now),
  };
  return { effects, done, counts: () => counts, touched: () => touched };
}

const plan = (changes: Partial<RestartPlan> = {}): RestartPlan => ({
  batch: ["1"],
  all: ["1", "2", "3", "4"],
  minAvailable: 3,
  availableMs: 1_000,
  idleMs: 1_000,
  provesHealth: true,
  isWayBack: false,
  force: new Set(),
  ...changes,
});

test("a pid file that names somebody else does not keep the service from being told", async () => {
  const { effects, done } = host({ unnamed: "policy-refused" });
  await driveRestart(plan(), effects, signal);
  expect(done).toEqual(["off 1", "tell ", "stop 1", "start 1", "healthy 1", "on 1", "probe"]);
});

test("a supervisor that cannot be asked calls the restart off", async () => {
  const { effects, done, touched } = host({ unnamed: "restart-failed" });
  expect(await rejection(driveRestart(plan(), effects, signal))).toMatchObject({ code: "restart-failed" });
  expect(done).toEqual(["off 1", "on 1"]);
  expect(touched()).toBe(false);
});

test("a batch goes through all phases in the order that drops nothing", async () => {
  const { effects, done, counts } = host({ open: [2, 1, 0] });
  await driveRestart(plan(), effects, signal);
  expect(done).toEqual(["off 1", "tell 1", "stop 1", "start 1", "healthy 1", "on 1", "probe"]);
  expect(counts()).toMatchObject({ instances: 1, closed: 0, refused: 2, forced: [] });
  expect(Object.keys(counts()?.phaseMs ?? {})).toEqual([
    "off",
    "tell",
    "idle",
    "stop",
    "start",
    "healthy",
    "on",
    "probe",
  ]);
});

test("all of a batch are through one phase before any is in the next", async () => {
  const { effects, done } = host();
  await driveRestart(plan({ batch: ["1", "2"], minAvailable: 2 }), effects, signal);
  expect(done).toEqual([
    "off 1,2",
    "tell 1",
    "tell 2",
    "stop 1",
    "stop 2",
    "start 1",
    "start 2",
    "healthy 1",
    "healthy 2",
    "on 1,2",
    "probe",
  ]);
});

test("a service that nobody drains and nothing fronts is restarted by its supervisor in one", async () => {
  const { effects, done } = host({ noTraffic: true });
  await driveRestart(plan({ idleMs: null, provesHealth: false, minAvailable: 0 }), { ...effects, probe: null }, signal);
  expect(done).toEqual(["restart 1"]);
});

test("a reload is drained like a restart, and closes nothing", async () => {
  const { effects, done, counts } = host({ reloads: true, open: [0, 0, 9] });
  await driveRestart(plan(), effects, signal);
  expect(done).toEqual(["off 1", "tell 1", "restart 1", "healthy 1", "on 1", "probe"]);
  expect(counts()?.closed).toBeNull();
});

test.each<[RestartPhase, ErrorCode, string[]]>([
  ["off", "traffic-failed", ["off 1", "resume 1", "on 1"]],
  ["tell", "restart-failed", ["off 1", "tell 1", "resume 1", "on 1"]],
])("what fails in the phase %s is called off: the app goes on and has its traffic back", async (phase, code, said) => {
  const { effects, done, touched } = host({ fails: { [phase]: code } });
  expect(await rejection(driveRestart(plan(), effects, signal))).toMatchObject({ code });
  expect(done).toEqual(said);
  expect(touched()).toBe(false);
});

test("clients that do not leave call the restart off, and are told of by number", async () => {
  const { effects, done } = host({ open: [4, 3] });
  const error = await rejection(driveRestart(plan(), effects, signal));
  expect(error).toMatchObject({ code: "drain-timeout" });
  expect(String(error)).toContain("after 1 s 3 connections are open");
  expect(done).toEqual(["off 1", "tell 1", "resume 1", "on 1"]);
});

test("clients that do not leave are closed and counted where that is forced", async () => {
  const { effects, done, counts } = host({ open: [4, 3] });
  await driveRestart(plan({ force: new Set(["idle"]) }), effects, signal);
  expect(done).toEqual(["off 1", "tell 1", "stop 1", "start 1", "healthy 1", "on 1", "probe"]);
  expect(counts()).toMatchObject({ closed: 3, forced: ["idle"] });
});

test("where nobody can count connections nobody waits for them", async () => {
  const { effects, done, counts } = host({ open: [null] });
  await driveRestart(plan(), effects, signal);
  expect(done).toContain("stop 1");
  expect(counts()?.closed).toBeNull();
});

test.each<[RestartPhase, string[]]>([
  ["stop", ["off 1", "tell 1", "stop 1"]],
  ["start", ["off 1", "tell 1", "stop 1", "start 1"]],
  ["healthy", ["off 1", "tell 1", "stop 1", "start 1", "healthy 1"]],
])("traffic stays off when the phase %s fails, since there is nothing behind it", async (phase, said) => {
  const { effects, done, touched } = host({ fails: { [phase]: "restart-failed" } });
  expect(await rejection(driveRestart(plan(), effects, signal))).toMatchObject({ code: "restart-failed" });
  expect(done).toEqual(said);
  expect(touched()).toBe(true);
});

test("what a restart has cost is known also when it fails", async () => {
  const { effects, counts } = host({ open: [2], fails: { healthy: "check-failed" } });
  await rejection(driveRestart(plan({ force: new Set(["idle"]) }), effects, signal));
  expect(counts()).toMatchObject({ closed: 2, forced: ["idle"] });
});

test("no batch is taken out while too few others are healthy", async () => {
  const { effects, done } = host({ healthy: ["1", "2", "3"] });
  const error = await rejection(driveRestart(plan(), effects, signal));
  expect(error).toMatchObject({ code: "instances-unavailable" });
  expect(String(error)).toContain("of 4 instances 2, 3 would be left healthy, but 3 must be");
  expect(done).toEqual([]);
});

test("an instance that is down takes nothing away and may be restarted all the same", async () => {
  const { effects, done } = host({ healthy: ["2"] });
  await driveRestart(plan(), effects, signal);
  expect(done).toContain("start 1");
});

test("the way back goes on although too few others are healthy", async () => {
  const { effects, done } = host({ healthy: ["1"] });
  await driveRestart(plan({ isWayBack: true }), effects, signal);
  expect(done).toContain("start 1");
});

test("every instance of a batch is handed over, not the first alone", async () => {
  const { effects, done } = host({ handsOver: true, noTraffic: true });
  await driveRestart(plan({ batch: ["1", "2"], all: ["1", "2"], minAvailable: 0, idleMs: null }), effects, signal);
  expect(done).toEqual(["begin", "healthy 1", "finish", "probe", "begin", "healthy 2", "finish", "probe"]);
});

test("nobody fails for a figure that cannot be had", async () => {
  const { effects, done, counts } = host();
  const traffic =
    effects.traffic === null ? null : { ...effects.traffic, refused: () => Promise.reject(new Error("gone")) };
  await driveRestart(plan(), { ...effects, traffic }, signal);
  expect(done).toContain("probe");
  expect(counts()?.refused).toBeNull();
});

test("a stop that is forced to go on is made apart from the start, so that the start comes", async () => {
  const { effects, done } = host({ noTraffic: true, fails: { stop: "restart-failed" } });
  await driveRestart(plan({ force: new Set(["stop"]), idleMs: null }), effects, signal);
  expect(done).toEqual(["stop 1", "start 1", "healthy 1", "probe"]);
});

test("a successor is proven before the old one is told to go", async () => {
  const { effects, done, counts } = host({ handsOver: true, noTraffic: true, open: [1, 0, 0, 6] });
  await driveRestart(plan({ all: ["1"], minAvailable: 0 }), effects, signal);
  expect(done).toEqual(["begin", "healthy 1", "tell 41", "finish", "probe"]);
  expect(counts()?.closed).toBe(6);
});

test("a successor that is not healthy is taken back, and the old one is told nothing", async () => {
  const { effects, done, touched } = host({ handsOver: true, noTraffic: true, fails: { healthy: "check-failed" } });
  expect(await rejection(driveRestart(plan({ all: ["1"], minAvailable: 0 }), effects, signal))).toMatchObject({
    code: "check-failed",
  });
  expect(done).toEqual(["begin", "healthy 1", "abandon"]);
  expect(touched()).toBe(false);
});

test("clients that stay with the old one do not keep it once the successor serves", async () => {
  const { effects, done, counts } = host({ handsOver: true, noTraffic: true, open: [3] });
  await driveRestart(plan({ all: ["1"], minAvailable: 0 }), effects, signal);
  expect(done).toEqual(["begin", "healthy 1", "tell 41", "finish", "probe"]);
  expect(counts()).toMatchObject({ closed: 3, forced: ["idle"] });
});

test("a batch that is stopped in the middle is left as it is, for the agent that comes next", async () => {
  const stop = new AbortController();
  const { effects, done } = host({ open: [1] });
  const clock = {
    ...quick,
    sleep: async () => {
      stop.abort(new Error("the agent stops"));
      throw new DeployError("Cannot wait: it was called off.", { code: "aborted" });
    },
  };
  const error = await rejection(driveRestart(plan({ force: new Set(["idle"]) }), { ...effects, clock }, stop.signal));
  expect(error).toMatchObject({ code: "aborted" });
  expect(done).toEqual(["off 1", "tell 1"]);
});

test("the time of a phase is that of all instances that go through it one after the other", async () => {
  let now = 0;
  const { effects, counts } = host({ handsOver: true });
  const clock = { ...quick, monotonicMs: () => (now += 10) };
  await driveRestart(plan({ batch: ["1", "2"], minAvailable: 2 }), { ...effects, clock }, signal);
  expect(counts()?.phaseMs).toMatchObject({ start: 20, healthy: 20, stop: 20 });
});

test("a phase that was forced for several instances is told once", async () => {
  const { effects, counts } = host({ handsOver: true, open: [1] });
  await driveRestart(plan({ batch: ["1", "2"], minAvailable: 2 }), effects, signal);
  expect(counts()?.forced).toEqual(["idle"]);
});
