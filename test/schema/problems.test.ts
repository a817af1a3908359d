import { expect, test } from "bun:test";
import fc from "fast-check";
import { z } from "zod";
import { toEverybody } from "../../src/core/stages.ts";
import { buildId, deployId, digest, hostName, serviceName } from "../../src/schema/names.ts";
import { nearest, parse, parseJson } from "../../src/schema/problems.ts";
import { agentConfigSchema } from "../../src/schema/agent_config.ts";
import { recipeSchema } from "../../src/schema/recipe.ts";
import { deployRecordSchema } from "../../src/schema/deploy_record.ts";
import {
  failureSchema,
  gateSchema,
  hostRecordSchema,
  hostStatusSchema,
  slotSchema,
  wishSchema,
} from "../../src/schema/znodes.ts";

function problems(schema: z.ZodType, input: unknown): string[] {
  const parsed = parse(schema, input);
  return parsed.ok ? [] : parsed.problems;
}

test.each([
  [{ chek: {} }, ['unknown key "chek"; did you mean "check"?']],
  [{ install: { step: [] } }, ['unknown key "install.step"; did you mean "steps"?']],
  [{ zzzzzz: 1 }, ['unknown key "zzzzzz"']],
  [
    { restart: { by: "systemd", unit: "web.service", timeout: 1 } },
    ['unknown key "restart.timeout"; did you mean "timeout_s"?'],
  ],
  [{ check: { http: "http://x/", intervall_s: 1 } }, ['unknown key "check.intervall_s"; did you mean "interval_s"?']],
])("a key that nobody knows is named with the nearest that there is: %o", (input, expected) => {
  expect(problems(recipeSchema, input)).toEqual(expected);
});

test("of the branches of a union the one that was meant is explained", () => {
  const found = problems(recipeSchema, { check: { tcp: "no port" } });
  expect(found.join()).toContain("host:port is required");
  expect(problems(recipeSchema, { install: { steps: [{ run: "" }] } }).join()).toContain("install.steps.0.run");
});

test("all problems are named, each with its key", () => {
  const found = problems(recipeSchema, { install: { attempts: 0, timeout_s: -1 }, restart: { by: "magic" } });
  expect(found.some((problem) => problem.startsWith('"install.attempts"'))).toBe(true);
  expect(found.some((problem) => problem.startsWith('"install.timeout_s"'))).toBe(true);
  expect(found.some((problem) => problem.startsWith('"restart.by"'))).toBe(true);
});

test("what does not fit is told in words of whoever writes the file", () => {
  const found = problems(agentConfigSchema, {
    zookeeper: { servers: 3, session_timeout_s: 0 },
    limits: { releases: 1001, entries: 1.5 },
    log_level: "loud",
    services: { web: { run_as: "" } },
  });
  expect(found).toEqual([
    '"zookeeper.servers": fill in the ZooKeeper servers, as in "zk1:2181,zk2:2181,zk3:2181", or set DEPLOYD_ZOOKEEPER',
    '"zookeeper.session_timeout_s": it must be at least 1',
    '"limits.releases": it must be at most 1000',
    '"limits.entries": a whole number is required, not 1.5',
    '"log_level": one of "debug", "info", "warn", "error" is required',
    "and 1 more",
  ]);
  expect(problems(agentConfigSchema, { services: { web: { units: "x", run_as: "" } } })).toEqual([
    '"zookeeper": it is missing',
    '"services.web.run_as": it is empty',
    '"services.web.units": a list is required, not a text',
  ]);
  expect(problems(recipeSchema, { restart: { by: "sysd" } }).join()).toMatch(/^"restart.by": one of "systemd", /);
  expect(problems(recipeSchema, { restart: { by: "systemd" } })).toEqual(['"restart.unit": it is missing']);
});

test("a restart by command must be able to restart", () => {
  expect(problems(recipeSchema, { restart: { by: "command", stop: "x" } }).join()).toContain('needs "start"');
});

test("text that is no JSON is a problem like any other", () => {
  expect(parseJson(z.string(), "{")).toMatchObject({ ok: false });
  expect(parseJson(z.string(), '"x"')).toEqual({ ok: true, value: "x" });
});

test("the nearest name is found over slips of the finger, and far ones are not offered", () => {
  const names = ["rollback", "promote", "status"];
  expect(nearest("rolback", names)).toBe("rollback");
  expect(nearest("PROMOTE", names)).toBe("promote");
  expect(nearest("stauts", names)).toBe("status");
  expect(nearest("wait", names)).toBeUndefined();
  expect(nearest("x", [])).toBeUndefined();
});

test("one slip in a name is always found", () => {
  const word = fc.stringMatching(/^[a-z]{4,12}$/);
  fc.assert(
    fc.property(word, fc.nat(11), fc.constantFrom("drop", "swap", "double"), (name, at, slip) => {
      const index = at % (name.length - 1);
      const [before, a, b, after] = [name.slice(0, index), name[index], name[index + 1], name.slice(index + 2)];
      const typed =
        slip === "drop" ? before + b + after : slip === "swap" ? before + b + a + after : before + a + a + b + after;
      expect(nearest(typed, [name])).toBe(name);
    }),
  );
});

test("nothing that could mean something to a path, a shell or a terminal is a name", () => {
  const bad = [
    "",
    ".",
    "..",
    ".hidden",
    "-rf",
    "a/b",
    "a b",
    "a\n",
    "a\u0000",
    "ü",
    "$(x)",
    "a;b",
    "*",
    "\u001b[31m",
    "a".repeat(300),
  ];
  for (const schema of [serviceName, hostName, buildId, deployId])
    for (const text of bad) expect(schema.safeParse(text).success).toBe(false);
  for (const schema of [serviceName, hostName, buildId, deployId])
    for (const text of ["a", "web-1.example.org", "1.2.3", "A_b"]) expect(schema.safeParse(text).success).toBe(true);
  expect(buildId.safeParse("1.2.3+4").success).toBe(true);
});

test("a digest is written in one way only", () => {
  expect(digest.safeParse(`sha256:${"a".repeat(64)}`).success).toBe(true);
  for (const text of [
    "a".repeat(64),
    `sha256:${"A".repeat(64)}`,
    `sha256:${"a".repeat(63)}`,
    `sha256:${"a".repeat(64)}\n`,
  ])
    expect(digest.safeParse(text).success).toBe(false);
});

test("a wish may be a bare build id, and keeps fields of a newer deployd", () => {
  expect(wishSchema.parse("v1")).toEqual({ build: "v1" });
  expect(wishSchema.parse({ build: "v1", deploy: "d", x: 1 })).toEqual({ build: "v1", deploy: "d", x: 1 });
  expect(wishSchema.safeParse("../v1").success).toBe(false);
});

const since = "2026-01-01T00:00:00.000Z";
const slot = { deploy: "d1", attempt: 0, build: "v1", since, record: 0 };
const told = { deploy: "d1", attempt: 1, build: "v1", reason: "", healthy: false, since };

test.each<[string, z.ZodType, object]>([
  ["a slot", slotSchema, { ...slot, zone: "z1", wasOut: true }],
  ["a failure", failureSchema, { ...told, again: 1, round: 2 }],
  ["a gate", gateSchema, { moves: 7 }],
  [
    "a host's record",
    hostRecordSchema,
    { role: "fleet", unlocked: { deploy: "d1", attempt: 1, who: "ana", time: since } },
  ],
])("%s of a newer deployd is carried along whole", (_what, schema, record) => {
  expect(schema.parse({ ...record, later: { x: 1 } })).toEqual({ ...record, later: { x: 1 } });
});

test.each(["deploy", "attempt", "build", "since", "record"] as const)(
  "a slot without its %s cannot be read",
  (field) => {
    const { [field]: _, ...rest } = slot;
    expect(slotSchema.safeParse(slot).success).toBe(true);
    expect(slotSchema.safeParse(rest).success).toBe(false);
  },
);

test.each(["deploy", "attempt", "build", "healthy"] as const)("a failure without its %s cannot be read", (field) => {
  const { [field]: _, ...rest } = told;
  expect(failureSchema.safeParse(rest).success).toBe(false);
});

test("what an older agent does not say of itself is read as nothing: it has not begun, and has not failed", () => {
  const status = { build: null, health: "nothing", wish: null, step: "idle", attempt: 1, since };
  expect(hostStatusSchema.parse(status)).toMatchObject({ begun: false, failure: null });
  expect(hostStatusSchema.safeParse({ ...status, failure: { reason: "it is half told" } }).success).toBe(false);
  expect(failureSchema.parse(told).round).toBe(1);
  expect(gateSchema.parse({}).moves).toBe(0);
});

test("a deploy's record of a newer deployd is carried along whole", () => {
  const record = {
    build: "v1",
    previous: null,
    who: "",
    why: "",
    before: { build: "v0", deploy: "d0", since: "x" },
    stages: [{ hosts: "zone:a", wait: 5, verdict: "x" }, ...toEverybody],
    stage: 0,
    reach: { zones: ["a"], below: 0.5, racks: ["r1"] },
    limits: { max: "5,10%", maxPerZone: 1, budget: 0, soakMs: 0, rackMax: 2 },
    base: { hosts: 9, zones: { a: 3 }, racks: 4 },
    onHalt: "rollback",
    round: 3,
    again: 1,
    acts: [{ act: "started", who: "", why: "", time: "2026-01-01T00:00:00.000Z", from: "ci" }],
    costs: { v1: { hosts: 1, instances: 2, closed: null, refused: 0, phaseMs: { stop: 5 }, bytes: 9 } },
    state: "rolling",
    times: { created: "2026-01-01T00:00:00.000Z", changed: "2026-01-01T00:00:00.000Z", paused: "x" },
    analysis: { x: 1 },
  };
  expect(deployRecordSchema.parse(record)).toEqual(record as ReturnType<typeof deployRecordSchema.parse>);
});

test.each([
  ["one that ended without saying when", { state: "done" }, '"times.ended"'],
  ["one that goes back without saying where", { state: "rolling back" }, '"rollback"'],
  ["one in no stage at all", { state: "rolling", stage: -1 }, '"stage"'],
  ["one that is paused without saying where", { state: "paused" }, '"from"'],
  ["one in a state of a newer deployd", { state: "analysing" }, "this deployd knows no such state"],
])("a deploy's record that contradicts itself cannot be read: %s", (_what, changes, problem) => {
  const time = "2026-01-01T00:00:00.000Z";
  const record = { build: "v2", previous: "v1", who: "", why: "", stages: toEverybody, stage: 0 };
  const limits = { max: 1, budget: 0, soakMs: 0 };
  const found = problems(deployRecordSchema, {
    ...record,
    limits,
    times: { created: time, changed: time },
    ...changes,
  });
  expect(found).toHaveLength(1);
  expect(found.join()).toContain(problem);
});
