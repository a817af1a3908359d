import { expect, test } from "bun:test";
import fc from "fast-check";
import type { Actual } from "../../src/core/situation.ts";
import { noCounts, restartOf } from "../../src/core/restart_progress.ts";
import { hostStatus, type StatusFacts } from "../../src/core/status.ts";
import { emptyJournal, type Activation, type StepFailure } from "../../src/schema/journal.ts";
import { hostStatusSchema } from "../../src/schema/znodes.ts";
import { fit } from "../../src/store/publish.ts";

const failure: StepFailure = {
  code: "check-failed",
  message: "it answers 500",
  hint: "look",
  step: "check",
  log: "the end",
  atMs: 1,
};
const actual: Actual = {
  current: { kind: "link", build: "v1", changedAtMs: 0 },
  served: { kind: "build", build: "v1" },
  instances: [{ name: "1", served: { kind: "build", build: "v1" } }],
  startedBy: "deployd",
  stopped: [],
  release: "installed",
  spool: "absent",
};
const failed = { deploy: "d2", build: "v2", failure, attempt: 3, healthy: true };
const activation: Activation = {
  build: "v2",
  deploy: "d2",
  previous: "v1",
  attempt: 3,
  soakMs: 100,
  phase: { kind: "back", failure, restart: restartOf(["1"]) },
  counts: noCounts,
};

function status(changes: Partial<StatusFacts> = {}) {
  return hostStatus({
    target: { kind: "build", build: "v2", deploy: "d2" },
    held: null,
    journal: emptyJournal,
    actual,
    step: "ready",
    sinceMs: 0,
    healthy: null,
    trouble: null,
    notLeaving: "",
    prepared: null,
    ...changes,
  });
}

test("a status says what is served, what is wished and where the host is on the way", () => {
  expect(status({ journal: { ...emptyJournal, attempt: { number: 3, deploy: "d2", build: "v2" } } })).toEqual({
    build: "v1",
    health: "healthy",
    wish: { build: "v2", deploy: "d2" },
    step: "ready",
    rollingBack: false,
    attempt: 3,
    begun: false,
    failure: null,
    since: "1970-01-01T00:00:00.000Z",
    error: null,
    log: "",
    restart: null,
  });
});

test.each<[string, Partial<StatusFacts>, string | null, string]>([
  ["before it has looked", { actual: null }, null, "nothing"],
  ["with nothing installed", { actual: { ...actual, current: { kind: "absent" } } }, null, "nothing"],
  [
    "with a current that is not its own",
    { actual: { ...actual, current: { kind: "foreign", what: "" } } },
    null,
    "nothing",
  ],
  [
    "with a service that is down",
    {
      actual: { ...actual, served: { kind: "down" }, instances: [{ name: "1", served: { kind: "down" } }] },
      healthy: true,
    },
    null,
    "unhealthy",
  ],
  ["with a service it cannot see into", { actual: { ...actual, served: { kind: "unknown" } } }, "v1", "healthy"],
  ["with a service that fails its check", { healthy: false }, "v1", "unhealthy"],
  [
    "started anew after it left the service ill",
    { journal: { ...emptyJournal, failed: { ...failed, healthy: false } } },
    "v1",
    "unhealthy",
  ],
  [
    "when the service that was ill has passed a check",
    { healthy: true, journal: { ...emptyJournal, failed: { ...failed, healthy: false } } },
    "v1",
    "healthy",
  ],
])("a host %s says so", (_what, facts, build, health) => {
  expect(status(facts)).toMatchObject({ build, health });
});

test("a service with one instance down serves, and says what", () => {
  const instances = [
    { name: "1", served: { kind: "build", build: "v1" } },
    { name: "2", served: { kind: "down" } },
  ] as const;
  const half: Actual = { ...actual, served: { kind: "down" }, instances };
  expect(status({ actual: half, healthy: true })).toMatchObject({ build: "v1", health: "healthy" });
  expect(status({ actual: half, healthy: false })).toMatchObject({ build: "v1", health: "unhealthy" });
});

test("a failure is told on the way back, and until there is another wish", () => {
  const told = { error: { code: "check-failed", build: "v2", step: "check" }, log: "the end" };
  expect(status({ journal: { ...emptyJournal, activation } })).toMatchObject({ ...told, rollingBack: true });
  expect(status({ journal: { ...emptyJournal, failed } })).toMatchObject({ ...told, rollingBack: false });
  expect(status({ journal: { ...emptyJournal, failed: { ...failed, deploy: "d1" } } }).error).toBeNull();
  expect(status({ target: { kind: "none" }, journal: { ...emptyJournal, failed } }).error).toBeNull();
});

test("a host says from the beginning of its activation to its end that it has begun", () => {
  const forward: Activation = { ...activation, phase: { kind: "forward", restart: restartOf(["1"]) } };
  const phases: Activation["phase"][] = [
    forward.phase,
    { kind: "proven" },
    activation.phase,
    { kind: "stuck", failure, second: null },
  ];
  for (const phase of phases) {
    expect(status({ journal: { ...emptyJournal, activation: { ...activation, phase } } }).begun).toBe(true);
  }
  expect(status({ journal: { ...emptyJournal, failed } }).begun).toBe(false);
  expect(status({ step: "begun" }).begun).toBe(false);
});

test("a failure is on the status from the moment at which it is known, and is unhealthy until the host is back", () => {
  const said = {
    deploy: "d2",
    build: "v2",
    attempt: 3,
    reason: "it answers 500",
    again: 0,
    since: "1970-01-01T00:00:00.001Z",
  };
  const whileActive = (phase: Activation["phase"]) =>
    status({ journal: { ...emptyJournal, activation: { ...activation, phase } } }).failure;
  expect(whileActive({ kind: "forward", restart: restartOf(["1"]) })).toBeNull();
  expect(whileActive({ kind: "proven" })).toBeNull();
  expect(whileActive(activation.phase)).toEqual({ ...said, healthy: false });
  expect(whileActive({ kind: "stuck", failure, second: failure })).toEqual({ ...said, healthy: false });
  expect(status({ journal: { ...emptyJournal, failed } }).failure).toEqual({ ...said, healthy: true });
  expect(status({ journal: { ...emptyJournal, failed: { ...failed, healthy: false } } }).failure).toEqual({
    ...said,
    healthy: false,
  });
});

test("a failure is told whatever is wished by now, for whoever conducts may not have counted it", () => {
  const journal = { ...emptyJournal, failed: { ...failed, deploy: "d1" } };
  expect(status({ journal }).failure).toMatchObject({ deploy: "d1" });
  expect(status({ journal, target: { kind: "none" } }).failure).toMatchObject({ deploy: "d1" });
});

test("the failure that is being handled comes before one that an earlier activation left", () => {
  const journal = { ...emptyJournal, activation, failed: { ...failed, deploy: "d1", attempt: 2 } };
  expect(status({ journal }).failure).toMatchObject({ deploy: "d2", attempt: 3 });
  const forward: Activation["phase"] = { kind: "forward", restart: restartOf(["1"]) };
  expect(status({ journal: { ...journal, activation: { ...activation, phase: forward } } }).failure).toMatchObject({
    deploy: "d1",
    attempt: 2,
  });
});

test("a failure that is being retried is told meanwhile", () => {
  expect(status({ trouble: { build: "v2", failure } }).error).toMatchObject({ build: "v2", message: "it answers 500" });
});

test("what became of the build that the host is to have ready is said where there is one", () => {
  expect(status()).not.toHaveProperty("prepared");
  const prepared = { build: "v3", isReady: false, problem: "no room" };
  expect(status({ prepared }).prepared).toEqual(prepared);
});

test("a status fits into its node whatever was printed, and keeps the end of the log", () => {
  // Letters that take one to six bytes in JSON, and halves of a character.
  const letter = fc.constantFrom("x", "ü", "漢", "😀", "\u0001", '"', "\\", "\n", "\ud83d");
  const text = (maxLength: number) =>
    fc
      .array(fc.tuple(letter, fc.nat(maxLength / 3)), { maxLength: 3 })
      .map((runs) => runs.map(([unit, count]) => unit.repeat(count)).join(""));
  fc.assert(
    fc.property(text(3_000), text(3_000), text(9_000), (message, hint, log) => {
      const long = { ...failure, message, hint, log };
      const journal = { ...emptyJournal, failed: { ...failed, failure: long } };
      const whole = status({ journal, trouble: { build: "v2", failure: long } });
      const fitting = fit(whole);
      expect(Buffer.byteLength(JSON.stringify(fitting))).toBeLessThanOrEqual(4_000);
      expect(whole.log.endsWith(fitting.log)).toBe(true);
      expect(fitting).toMatchObject({ build: "v1", step: "ready", error: { code: "check-failed" } });
      expect(hostStatusSchema.safeParse(fitting).success).toBe(true);
      if (fitting.log !== "") expect(fitting.error).toEqual(whole.error);
    }),
    { numRuns: 300 },
  );
});

test.each(["\u0001", "\ud83d", "漢", '"'])("a status fits also when the failure that it keeps is all %j", (letter) => {
  const long = { ...failure, message: letter.repeat(3_000), hint: letter.repeat(3_000), log: letter.repeat(3_000) };
  const journal = { ...emptyJournal, failed: { ...failed, deploy: "20260701-115000-ab12", failure: long } };
  for (const trouble of [null, { build: "v2", failure: long }]) {
    const fitting = fit(status({ journal, trouble }));
    expect(Buffer.byteLength(JSON.stringify(fitting))).toBeLessThanOrEqual(4_000);
    expect(fitting.failure).toMatchObject({ deploy: "20260701-115000-ab12", attempt: 3, healthy: true });
  }
});

test("a status that fits is left as it is", () => {
  const small = status({ trouble: { build: "v2", failure } });
  expect(fit(small)).toEqual(small);
});
