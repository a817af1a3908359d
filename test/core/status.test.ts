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
const failed = { deploy: "d2", build: "v2", failure, attempt: 3, reported: true, healthy: true };
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

test("a failure that is being retried is told meanwhile", () => {
  expect(status({ trouble: { build: "v2", failure } }).error).toMatchObject({ build: "v2", message: "it answers 500" });
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
      const whole = status({ trouble: { build: "v2", failure: { ...failure, message, hint, log } } });
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

test("a status that fits is left as it is", () => {
  const small = status({ trouble: { build: "v2", failure } });
  expect(fit(small)).toEqual(small);
});
