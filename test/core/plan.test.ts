import { expect, test } from "bun:test";
import { decide } from "../../src/core/plan.ts";
import { type Actual, type Situation } from "../../src/core/situation.ts";
import { nothingToProtect } from "../../src/core/restart_need.ts";
import { MAX_RESTARTS, noCounts } from "../../src/core/restart_progress.ts";
import {
  emptyJournal,
  type Activation,
  type Journal,
  type RestartProgress,
  type StepFailure,
} from "../../src/schema/journal.ts";

const failure: StepFailure = { code: "check-failed", message: "m", hint: "h", step: "check", log: "", atMs: 1 };
const on = (build: string): Actual["current"] => ({ kind: "link", build, changedAtMs: 0 });
const runs = (build: string): Actual["served"] => ({ kind: "build", build });
const serving = (build: string): Partial<Actual> => ({ current: on(build), served: runs(build) });

/** A host that serves v1 and is wished to serve v2, which it has taken up and installed. */
function situation(
  actual: Partial<Actual> = {},
  journal: Partial<Journal> = {},
  rest: Partial<Omit<Situation, "actual" | "journal">> = {},
): Situation {
  return {
    target: { kind: "build", build: "v2", deploy: "d2" },
    again: 0,
    restarts: false,
    actual: {
      release: "installed",
      spool: "absent",
      startedBy: "deployd",
      stopped: [],
      instances: [{ name: "1", served: actual.served ?? runs("v1") }],
      ...serving("v1"),
      ...actual,
    } as Actual,
    journal: {
      ...emptyJournal,
      boot: { id: "boot 1", begun: 0, over: true },
      attempt: { number: 4, deploy: "d2", build: "v2" },
      ...journal,
    },
    permission: { kind: "none" },
    proof: null,
    soakMs: 100,
    leave: { kind: "stays" },
    mayLeave: false,
    isIll: false,
    maxInstalls: 3,
    batch: 1,
    bootId: "boot 1",
    nowMs: 1_000,
    isUnwanted: false,
    isAlone: false,
    ...rest,
  };
}

const restarted = (begun: number, done: boolean): RestartProgress => ({
  begun: done ? 0 : begun,
  batch: done || begun === 0 ? [] : ["1"],
  left: done ? [] : ["1"],
});
const forward = (begun = 0, done = false): Activation => ({
  build: "v2",
  deploy: "d2",
  previous: "v1",
  attempt: 4,
  soakMs: 100,
  bootId: "boot 1",
  phase: { kind: "forward", restart: restarted(begun, done) },
  counts: noCounts,
});
const back = (begun = 0, done = false, previous: string | null = "v1"): Activation => ({
  ...forward(),
  previous,
  phase: { kind: "back", failure, restart: restarted(begun, done) },
});
const stuck: Activation = { ...forward(), phase: { kind: "stuck", failure, second: null } };
const proof = { build: "v2", attempt: 4, atMs: 950, soaked: false };
const failed = { deploy: "d2", build: "v2", failure, attempt: 4, healthy: true };
const attempt = { number: 4, deploy: "d2", build: "v2" };
const slot = { deploy: "d2", attempt: 4, build: "v2", since: "2026-01-01T00:00:00.000Z", record: 1 };
const granted = { permission: { kind: "granted", slot } } as const;
const newer = { target: { kind: "build", build: "v3", deploy: "d3" } } as const;

test.each<[string, Situation, object]>([
  [
    "does not begin again by itself where somebody else brought another build back after it was proven",
    situation({ current: on("v2"), served: runs("v1") }, { attempt: { ...attempt, served: true } }, granted),
    { step: "refuse", failure: { code: "check-failed" } },
  ],
  [
    "begins under a new wish for the same build whatever runs",
    situation({ current: on("v2"), served: runs("v1") }, { attempt: { ...attempt, begun: 0 } }, granted),
    { step: "begin" },
  ],
  [
    "starts a service that died after it was proven",
    situation(
      { current: on("v2"), served: { kind: "down" } },
      { attempt: { ...attempt, served: true, begun: 4 } },
      granted,
    ),
    { step: "begin" },
  ],
  [
    "restarts what it found running and ill for a new wish",
    { ...situation(serving("v2"), {}, granted), isIll: true },
    { step: "begin", activation: { phase: { restart: { left: ["1"] } } } },
  ],
  [
    "does not restart for the same wish what it restarted because it was ill",
    { ...situation(serving("v2"), { attempt: { ...attempt, served: true, begun: 1 } }, granted), isIll: true },
    { step: "idle", reason: "serving" },
  ],
  [
    "restarts what it serves already where the wish is to restart",
    situation(serving("v2"), {}, { ...granted, restarts: true }),
    { step: "begin", activation: { previous: null, phase: { restart: { left: ["1"] } } } },
  ],
  ["asks before it restarts what it serves already", situation(serving("v2"), {}, { restarts: true }), { step: "ask" }],
  [
    "restarts once for each wish that is to restart",
    situation(serving("v2"), { attempt: { ...attempt, served: true, begun: 1 } }, { ...granted, restarts: true }),
    { step: "idle", reason: "serving" },
  ],
  [
    "does not start one for ever that never stays",
    situation(
      { current: on("v2"), served: { kind: "down" } },
      { attempt: { ...attempt, served: true, begun: 5 } },
      granted,
    ),
    { step: "refuse", failure: { code: "attempts-exhausted" } },
  ],
])("a host %s", (_, given, step) => {
  expect(decide(given)).toMatchObject(step);
});

const served = { attempt: { ...attempt, served: true } };

test.each<[string, Situation, object]>([
  [
    "concludes nothing before ZooKeeper was read",
    situation({}, {}, { target: { kind: "unknown" } }),
    { step: "idle", reason: "zookeeper-unread" },
  ],
  ["does nothing without a wish", situation({}, {}, { target: { kind: "none" } }), { step: "idle", reason: "no-wish" }],
  [
    "begins nothing by a slot that it has when there is no wish any more",
    situation({}, {}, { target: { kind: "none" }, ...granted }),
    { step: "idle", reason: "no-wish" },
  ],
  [
    "begins nothing by a slot that it has when a newer wish came",
    situation({}, {}, { ...newer, ...granted }),
    { step: "take-up", build: "v3", deploy: "d3" },
  ],
  [
    "numbers a wish that it has not seen",
    situation({}, { attempt: { number: 3, deploy: "d1", build: "v2" } }),
    { step: "take-up", build: "v2", deploy: "d2" },
  ],
  [
    "numbers a rollback, which has the same deploy's id",
    situation({}, { attempt: { number: 3, deploy: "d2", build: "v9" } }),
    { step: "take-up", build: "v2", deploy: "d2" },
  ],
  [
    "numbers a deploy that a person has tried again, where it has failed",
    situation({}, { failed }, { ...granted, again: 1 }),
    { step: "take-up", build: "v2", deploy: "d2" },
  ],
  [
    "numbers it once for each time that it is tried again",
    situation({}, { failed: { ...failed, again: 1 }, attempt: { ...attempt, again: 1 } }, { ...granted, again: 2 }),
    { step: "take-up", build: "v2", deploy: "d2" },
  ],
  [
    "goes on with what it has taken up again, though its failure is still on record",
    situation({ release: "absent" }, { failed, attempt: { ...attempt, again: 1 } }, { again: 1 }),
    { step: "fetch", build: "v2", deploy: "d2" },
  ],
  [
    "does not try a failed build once more than a person has said",
    situation({}, { failed: { ...failed, again: 1 }, attempt: { ...attempt, again: 1 } }, { ...granted, again: 1 }),
    { step: "idle", reason: "failed" },
  ],
  [
    "leaves a deploy alone that was tried again, where it serves",
    situation(serving("v2"), { attempt: { ...attempt, served: true } }, { again: 1 }),
    { step: "idle", reason: "serving" },
  ],
  [
    "numbers what it prepares anew: others may count a failure that it knows nothing of",
    situation({ release: "absent" }, {}, { again: 1 }),
    { step: "take-up", build: "v2", deploy: "d2" },
  ],
  [
    "numbers what it served, and failed on since, where it is tried again",
    situation({ served: { kind: "down" } }, { failed, attempt: { ...attempt, served: true } }, { again: 1 }),
    { step: "take-up", build: "v2", deploy: "d2" },
  ],
  [
    "does not try a failed build again under the same deploy",
    situation({}, { failed }, granted),
    { step: "idle", reason: "failed" },
  ],
  [
    "tries a build again that failed under another deploy",
    situation({ release: "absent" }, { failed: { ...failed, deploy: "d1" } }),
    { step: "fetch", build: "v2", deploy: "d2" },
  ],
  [
    "follows a newer wish after a failure",
    situation({}, { failed }, newer),
    { step: "take-up", build: "v3", deploy: "d3" },
  ],
  ["downloads what is not there", situation({ release: "absent" }), { step: "fetch", build: "v2", deploy: "d2" }],
  [
    "goes on with half a download",
    situation({ release: "absent", spool: "partial" }),
    { step: "fetch", build: "v2", deploy: "d2" },
  ],
  [
    "verifies what was downloaded",
    situation({ release: "absent", spool: "fetched" }),
    { step: "verify", build: "v2", deploy: "d2" },
  ],
  [
    "unpacks what was verified",
    situation({ release: "absent", spool: "verified" }),
    { step: "extract", build: "v2", deploy: "d2" },
  ],
  ["installs what was unpacked", situation({ release: "extracted" }), { step: "install", build: "v2", deploy: "d2" }],
  [
    "counts installs for this deploy only",
    situation({ release: "extracted" }, { installs: { deploy: "d1", build: "v2", begun: 3 } }),
    { step: "install", build: "v2", deploy: "d2" },
  ],
  ["asks for a slot when it is prepared", situation(), { step: "ask" }],
  [
    "begins when it is granted, and knows the way back",
    situation({}, {}, granted),
    { step: "begin", activation: forward() },
  ],
  [
    "has no way back when it serves nothing yet",
    situation({ current: { kind: "absent" }, served: { kind: "down" } }, {}, { permission: { kind: "free" } }),
    { step: "begin", activation: { ...forward(), previous: null } },
  ],
  [
    "starts a service again that went down, with nothing older behind it",
    situation({ current: on("v2"), served: { kind: "down" } }, {}, granted),
    { step: "begin", activation: { ...forward(), previous: null } },
  ],
  [
    "does not go back to a build that failed here",
    situation(serving("v0"), { failed: { ...failed, build: "v0", deploy: "d0" } }, granted),
    { step: "begin", activation: { ...forward(), previous: null } },
  ],
  [
    "restarts a service that still runs the old build behind the link",
    situation({ current: on("v2"), served: runs("v1") }),
    { step: "ask" },
  ],
  ["remembers that it serves the wish as it was found", situation(serving("v2")), { step: "note-served", attempt: 4 }],
  ["rests when it serves the wish", situation(serving("v2"), served), { step: "idle", reason: "serving" }],
  [
    "takes what it cannot see for granted",
    situation({ current: on("v2"), served: { kind: "unknown" } }),
    { step: "idle", reason: "serving" },
  ],
  [
    "leaves a service alone whose supervisor stopped it",
    situation({ current: on("v2"), served: { kind: "down" }, startedBy: "supervisor" }, served),
    { step: "idle", reason: "serving" },
  ],
  [
    "starts what its supervisor had stopped before it was wished",
    situation({ current: on("v2"), served: { kind: "down" }, startedBy: "supervisor" }),
    { step: "ask" },
  ],
  [
    "prepares again when the release it serves was removed",
    situation({ ...serving("v2"), release: "absent" }),
    { step: "fetch", build: "v2", deploy: "d2" },
  ],
  [
    "begins nothing by a slot that it has when the service came back without it",
    situation(serving("v2"), served, granted),
    { step: "idle", reason: "serving" },
  ],
  ["flips first", situation({}, { activation: forward() }), { step: "flip", build: "v2", back: false }],
  [
    "restarts after the flip",
    situation({ current: on("v2") }, { activation: forward() }),
    { step: "restart", build: "v2", back: false, batch: ["1"] },
  ],
  [
    "restarts again after a crash in the middle",
    situation({ current: on("v2") }, { activation: forward(2) }),
    { step: "restart", build: "v2", back: false, batch: ["1"] },
  ],
  [
    "checks after the restart",
    situation(serving("v2"), { activation: forward(1, true) }),
    { step: "check", build: "v2", back: false },
  ],
  [
    "checks again after a crash, since the proof is gone",
    situation(serving("v2"), { activation: forward(1, true) }, { proof: { ...proof, attempt: 3 } }),
    { step: "check", build: "v2", back: false },
  ],
  [
    "soaks for what is left of the time",
    situation(serving("v2"), { activation: forward(1, true) }, { proof }),
    { step: "soak", build: "v2", remainingMs: 50 },
  ],
  [
    "soaks as its deploy wants it also when ZooKeeper is not read yet",
    situation(serving("v2"), { activation: forward(1, true) }, { proof, target: { kind: "unknown" }, soakMs: 0 }),
    { step: "soak", build: "v2", remainingMs: 50 },
  ],
  [
    "finishes when it has soaked",
    situation(serving("v2"), { activation: forward(1, true) }, { proof: { ...proof, soaked: true }, nowMs: 1_050 }),
    { step: "finish" },
  ],
  [
    "is not proven by time alone",
    situation(serving("v2"), { activation: forward(1, true) }, { proof, nowMs: 2_000 }),
    { step: "soak", build: "v2", remainingMs: 0 },
  ],
  [
    "asks once more, and soaks no longer, when a newer wish waits",
    situation(serving("v2"), { activation: forward(1, true) }, { proof, ...newer }),
    { step: "soak", build: "v2", remainingMs: 0 },
  ],
  [
    "finishes for a newer wish when it was asked once more",
    situation(serving("v2"), { activation: forward(1, true) }, { proof: { ...proof, soaked: true }, ...newer }),
    { step: "finish" },
  ],
  [
    "asks once more, and soaks no longer, when a rollback waits",
    situation(
      serving("v2"),
      { activation: forward(1, true) },
      { proof, target: { kind: "build", build: "v1", deploy: "d2" } },
    ),
    { step: "soak", build: "v2", remainingMs: 0 },
  ],
  [
    "lets an activation go that has changed nothing, for a newer wish",
    situation({}, { activation: forward() }, newer),
    { step: "abandon" },
  ],
  [
    "lets it go on a host that served nothing",
    situation({ current: { kind: "absent" }, served: { kind: "down" } }, { activation: forward() }, newer),
    { step: "abandon" },
  ],
  [
    "brings to an end what it has flipped, whatever is wished by now",
    situation({ current: on("v2") }, { activation: forward() }, newer),
    { step: "restart", build: "v2", back: false, batch: ["1"] },
  ],
  [
    "goes on with an activation while ZooKeeper is away",
    situation({}, { activation: forward() }, { target: { kind: "unknown" } }),
    { step: "flip", build: "v2", back: false },
  ],
  [
    "flips back when the build has failed",
    situation(serving("v2"), { activation: back() }),
    { step: "flip", build: "v1", back: true },
  ],
  [
    "restarts into the old build",
    situation({ current: on("v1") }, { activation: back() }),
    { step: "restart", build: "v1", back: true, batch: ["1"] },
  ],
  [
    "does not take the new build's proof for the old one's",
    situation({ current: on("v1") }, { activation: back(1, true) }, { proof }),
    { step: "check", build: "v1", back: true },
  ],
  [
    "gives up healthy when the old build is proven",
    situation(serving("v1"), { activation: back(1, true) }, { proof: { ...proof, build: "v1" } }),
    { step: "give-up", healthy: true },
  ],
  [
    "gives up when there is no way back",
    situation(serving("v2"), { activation: back(0, false, null) }),
    { step: "give-up", healthy: false },
  ],
  [
    "gives up when the way back cannot be restarted either",
    situation({ current: on("v1") }, { activation: back(MAX_RESTARTS) }),
    { step: "give-up", healthy: false },
  ],
  ["gives up when it is stuck", situation({}, { activation: stuck }), { step: "give-up", healthy: false }],
])("a host %s", (_what, given, expected) => {
  expect(decide(given)).toEqual(expected as ReturnType<typeof decide>);
});

test("between two batches a host turns to a newer build that is ready, and to no other", () => {
  const half: Activation = {
    ...forward(),
    phase: { kind: "forward", restart: { begun: 0, batch: [], left: ["2"] } },
    counts: { ...noCounts, instances: 1 },
  };
  const goesOn = { step: "restart", build: "v2", back: false, batch: ["2"] } as const;
  const step = (release: Actual["release"], target: Situation["target"], activation = half) =>
    decide(situation({ current: on("v2"), release }, { activation }, { target }));
  expect(step("installed", { kind: "build", build: "v3", deploy: "d3" })).toEqual({ step: "abandon" });
  expect(step("extracted", { kind: "build", build: "v3", deploy: "d3" })).toEqual(goesOn);
  // The same build under another deploy: begun anew it would have lost the way back.
  expect(step("installed", { kind: "build", build: "v2", deploy: "d3" })).toEqual(goesOn);
  const inBatch: Activation = { ...half, phase: { kind: "forward", restart: { begun: 1, batch: ["2"], left: ["2"] } } };
  expect(step("installed", { kind: "build", build: "v3", deploy: "d3" }, inBatch)).toEqual(goesOn);
});

test("one of several instances that is down is no leave to restart the others into another build", () => {
  const [up, down] = [
    { name: "1", served: runs("v1") },
    { name: "2", served: { kind: "down" } },
  ] as const;
  const actual = (instances: Actual["instances"]): Actual => ({
    current: on("v1"),
    served: { kind: "down" },
    instances,
    startedBy: "deployd",
    stopped: [],
    release: "installed",
    spool: "absent",
  });
  expect(nothingToProtect(actual([up, down]), "v2")).toBe(false);
  expect(nothingToProtect(actual([up, down]), "v1")).toBe(true);
  expect(nothingToProtect(actual([down]), "v2")).toBe(true);
});

test("a host refuses to touch a current that is not its own", () => {
  const step = decide(situation({ current: { kind: "foreign", what: "a directory" } }));
  expect(step).toMatchObject({ step: "refuse", failure: { code: "current-not-a-link" } });
  expect(JSON.stringify(step)).toContain("a directory");
});

test("a host gives a build up whose install steps were begun too often", () => {
  const step = decide(situation({ release: "extracted" }, { installs: { deploy: "d2", build: "v2", begun: 3 } }));
  expect(step).toMatchObject({ step: "refuse", failure: { code: "attempts-exhausted", step: "install" } });
});

test("a host turns back from a build whose restart was begun too often", () => {
  const step = decide(situation({ current: on("v2") }, { activation: forward(MAX_RESTARTS) }));
  expect(step).toMatchObject({ step: "turn-back", failure: { code: "attempts-exhausted", step: "restart" } });
});

test("a restart that ended well on the last try counts", () => {
  const step = decide(situation(serving("v2"), { activation: forward(MAX_RESTARTS, true) }));
  expect(step).toEqual({ step: "check", build: "v2", back: false });
});

/** The activation of a host that has been started anew since. */
const booted = { bootId: "boot 2" } as const;
const down = { kind: "down" } as const;
const hidden = { kind: "unknown" } as const;
const three = (served: readonly Actual["served"][]): Partial<Actual> => ({
  ...serving("v2"),
  instances: served.map((each, at) => ({ name: String(at + 1), served: each })),
});

test.each<[string, Partial<Actual>, Activation, readonly string[]]>([
  ["what it had restarted", three([down, down]), forward(0, true), ["1", "2"]],
  ["what does not show what it runs", three([hidden, runs("v2")]), forward(0, true), ["1"]],
  ["nothing that it would restart anyway", three([down, down]), forward(1), ["2"]],
  ["what it had restarted on the way back", three([down, runs("v1")]), back(0, true), ["1"]],
  ["nothing that a supervisor starts", { ...three([down, hidden]), startedBy: "supervisor" }, forward(0, true), []],
  [
    "what no supervisor is about to start",
    { ...three([down, down, down]), startedBy: "supervisor", stopped: ["1", "3"] },
    forward(1),
    ["3"],
  ],
])("after a boot in the middle of an activation the host restarts again %s", (_, actual, activation, again) => {
  expect(decide(situation(actual, { activation }, booted))).toEqual({ step: "note-boot", down: [...again] });
  // Only once: from then on it is this boot's.
  const noted = decide(situation(actual, { activation: { ...activation, ...booted } }, booted));
  expect(noted.step).not.toBe("note-boot");
});

test("a newer wish is followed before the boot is noted", () => {
  expect(decide(situation(serving("v1"), { activation: forward() }, { ...booted, ...newer }))).toEqual({
    step: "abandon",
  });
});

test("an activation that does not know its boot takes this one for it, and blames nothing on it", () => {
  const { bootId: _, ...unknown } = forward(0, true);
  expect(decide(situation(three([down]), { activation: unknown }))).toEqual({ step: "note-boot", down: [] });
});

test.each([forward, back])("boots in the middle of it are as many as restarts may be", (phase) => {
  const after = (boots: number): string => {
    const { phase: at, ...rest } = phase(0, true);
    const activation: Activation =
      "restart" in at ? { ...rest, phase: { ...at, restart: { ...at.restart, boots } } } : stuck;
    return decide(situation(three([runs("v2")]), { activation })).step;
  };
  expect(after(MAX_RESTARTS - 1)).toBe(phase === forward ? "check" : "flip");
  expect(after(MAX_RESTARTS)).toBe(phase === forward ? "turn-back" : "give-up");
});

/** A service with a supervisor of its own, proven here, that a boot has left down. */
const leftDown = (rest: Partial<Actual> = {}): Partial<Actual> => ({
  ...three([down, down]),
  served: down,
  startedBy: "supervisor",
  stopped: ["1", "2"],
  ...rest,
});
const before = { proven: ["v2"], boot: { id: "boot 1", begun: 0, over: true } } as const;
const tried = (begun: number) => ({ ...before, boot: { id: "boot 2", begun, over: false } });
const revived = { step: "revive", build: "v2", instances: ["1", "2"] };

test.each<[string, Situation, object]>([
  ["whatever permission it has", situation(leftDown(), before, booted), revived],
  ["also where only deployd starts it", situation(leftDown({ startedBy: "deployd" }), before, booted), revived],
  ["also while it waits to be taken to another build", situation(leftDown(), before, { ...booted, ...newer }), revived],
  [
    "what is down of it",
    situation(leftDown({ ...three([runs("v2"), down]), served: runs("v2"), stopped: ["2"] }), before, booted),
    { ...revived, instances: ["2"] },
  ],
  ["once more where that failed", situation(leftDown(), tried(2), booted), revived],
  [
    "without ZooKeeper, when it has been away for a while",
    situation(leftDown(), before, { ...booted, target: { kind: "unknown" }, isAlone: true }),
    revived,
  ],
])("after a boot what was served here is started, %s", (_, at, expected) => {
  expect(decide(at)).toEqual(expected as never);
});

test.each<[string, Situation]>([
  [
    "what was stopped since the boot",
    situation(leftDown(), { ...before, boot: { id: "boot 2", begun: 0, over: true } }, booted),
  ],
  ["a build that was never proven here", situation(leftDown(), { ...before, proven: [] }, booted)],
  [
    "a build that failed after its check",
    situation(leftDown(), { ...before, proven: [], restarted: { build: "v2", processes: [] }, failed }, booted),
  ],
  ["a build that was barred since", situation(leftDown(), before, { ...booted, isUnwanted: true })],
  ["what nobody wishes any more", situation(leftDown(), before, { ...booted, target: { kind: "none" } })],
  ["before it is known what is wished", situation(leftDown(), before, { ...booted, target: { kind: "unknown" } })],
  ["what somebody else is about to start", situation(leftDown({ stopped: [] }), before, booted)],
  ["what could not be started three times", situation(leftDown(), tried(3), booted)],
  ["on a host of which no boot is known", situation(leftDown(), { proven: ["v2"], boot: undefined } as never, booted)],
])("after a boot nothing is done for %s", (_, at) => {
  expect(decide(at).step).not.toBe("revive");
});

test("a boot is over when the service was seen to run in it", () => {
  expect(
    decide(situation(leftDown({ ...serving("v2"), ...three([runs("v2")]), stopped: [] }), before, booted)),
  ).toEqual({
    step: "boot-over",
  });
});
