import { expect, test } from "bun:test";
import {
  conduct,
  grantsWithheld,
  progressOf,
  type ConductedDeploy,
  type ConductedService,
  type Unreadable,
} from "../../src/core/rollout.ts";
import type { DeployRecord, DeployState } from "../../src/schema/deploy_record.ts";
import { recordIn } from "../harness/deploy_records.ts";
import type { Failure, Gate, HostRecord, HostStatus, Role } from "../../src/schema/znodes.ts";
import { hostStatus } from "../harness/host_status.ts";

type Changes = { readonly state?: DeployState; readonly limits?: DeployRecord["limits"]; readonly stage?: "canary" };

const since = "2026-01-01T00:00:00.000Z";

function deploy(record: Changes = {}, gate: Partial<Gate> = {}, id = "d1"): ConductedDeploy {
  const { state, ...changes } = record;
  return { id, gate: { slots: {}, failed: {}, ...gate }, record: recordIn(state ?? "rolling", changes) };
}

function status(changes: Partial<HostStatus> = {}): HostStatus {
  return hostStatus({ build: "v1", health: "healthy", wish: { build: "v2", deploy: "d1" }, since, ...changes });
}

const served = status({ build: "v2", step: "serving" });
const failedWith = (changes: Partial<Failure> = {}): Failure => ({
  reason: "r",
  build: "v2",
  healthy: true,
  since,
  ...changes,
});

const none = new Set<string>();
const readable: Unreadable = { wishes: false, deploys: none, hosts: none, statuses: none, builds: none };

function view(
  hosts: Record<string, HostStatus | null>,
  deploys: ConductedDeploy[],
  rest: Partial<ConductedService> = {},
) {
  const names = Object.keys(hosts);
  return {
    wishes: { enabled: { build: "v2", deploy: "d1" }, canary: null },
    deploys,
    hosts: new Map<string, HostRecord>(
      names.map((name) => [name, { role: (name.startsWith("c") ? "canary" : "fleet") satisfies Role }]),
    ),
    status: new Map(
      names.flatMap((name) => {
        const said = hosts[name] ?? null;
        return said === null ? [] : [[name, said] as const];
      }),
    ),
    unreadable: readable,
    barred: new Map<string, string>(),
    alive: new Set(names),
    missingSince: new Map(),
    nowMs: 1_000,
    lostAfterMs: 100,
    ...rest,
  } satisfies ConductedService;
}

const grantsIn = (given: ConductedService) =>
  conduct(given).flatMap((action) => (action.kind === "grant" ? [action.host] : []));

test("as many hosts are granted as may be out, canaries first, then by name", () => {
  const limits = { max: 2, budget: 0, soakMs: 0 };
  const hosts = { b: status(), a: status(), c1: status(), d: status() };
  expect(grantsIn(view(hosts, [deploy({ limits })]))).toEqual(["c1", "a"]);
});

test("the way back begins with the host that changed last", () => {
  const wish = { build: "v1", deploy: "d1" };
  const hosts = {
    a: status({ wish, since: "2026-01-01T00:00:01.000Z" }),
    b: status({ wish, since: "2026-01-01T00:00:03.000Z" }),
  };
  const given = view(hosts, [deploy({ state: "rolling back" })], { wishes: { enabled: wish, canary: null } });
  expect(grantsIn(given)).toEqual(["b"]);
});

test.each<[string, Partial<HostStatus> | null]>([
  ["has said nothing yet", null],
  ["is still preparing", { step: "install" }],
  ["is prepared for an older wish", { wish: { build: "v1", deploy: "d0" } }],
  ["is prepared for what this deploy wished before it was turned round", { wish: { build: "v1", deploy: "d1" } }],
])("a host that %s is not granted", (_what, changes) => {
  expect(grantsIn(view({ a: changes === null ? null : status(changes) }, [deploy()]))).toEqual([]);
});

test("a host whose agent is away is not granted", () => {
  expect(grantsIn(view({ a: status() }, [deploy()], { alive: new Set() }))).toEqual([]);
});

test.each<[string, ConductedDeploy[]]>([
  ["a slot", [deploy({}, { slots: { x: { attempt: 1, since } } })]],
  [
    "a failure that is not healed",
    [deploy({ limits: { max: 1, budget: 5, soakMs: 0 } }, { failed: { x: failedWith({ healthy: false }) } })],
  ],
  ["a slot of another deploy", [deploy(), deploy({ state: "done" }, { slots: { x: { attempt: 1, since } } }, "d0")]],
])("%s takes the place of a grant", (_what, deploys) => {
  expect(grantsIn(view({ a: status(), x: status({ step: "restart" }) }, deploys))).toEqual([]);
});

test("an unhealthy host takes the place of a grant to any but itself", () => {
  const sick = status({ health: "unhealthy", step: "serving" });
  expect(grantsIn(view({ a: status(), x: sick }, [deploy()]))).toEqual([]);
  expect(grantsIn(view({ x: status({ health: "unhealthy" }) }, [deploy()]))).toEqual(["x"]);
});

test("what is out already can be healed, one after the other", () => {
  const sick = status({ health: "unhealthy" });
  expect(grantsIn(view({ a: sick, b: sick, x: sick }, [deploy()]))).toEqual(["a"]);
});

test.each<[DeployState, boolean]>([
  ["preparing", true],
  ["canary", true],
  ["rolling", true],
  ["done", true],
  ["rolled back", true],
  ["halted", false],
  ["aborted", false],
])("a deploy that is %s grants a waiting host a slot: %p", (state, grants) => {
  expect(grantsIn(view({ a: status() }, [deploy({ state })])).length > 0).toBe(grants);
});

test("a deploy that is done and over its budget grants nothing more", () => {
  const given = view({ a: status(), b: status() }, [deploy({ state: "done" }, { failed: { b: failedWith() } })]);
  expect(grantsIn(given)).toEqual([]);
});

test("a slot holder that stays away is lost, but not before its time, and never set free", () => {
  const held = deploy({}, { slots: { a: { attempt: 1, since } } });
  const away = { alive: new Set<string>(), missingSince: new Map([["a", 901]]) };
  expect(conduct(view({ a: status() }, [held], away))).toEqual([]);
  expect(conduct(view({ a: status() }, [held], { ...away, missingSince: new Map([["a", 900]]) }))).toEqual([
    { kind: "lose", deploy: "d1", host: "a" },
  ]);
  expect(conduct(view({ a: status() }, [held], { ...away, missingSince: new Map() }))).toEqual([]);
});

test("a slot that its host has passed by is taken back, one that it may still use is not", () => {
  const held = deploy({}, { slots: { a: { attempt: 1, since } } });
  expect(conduct(view({ a: status({ attempt: 2 }) }, [held]))).toContainEqual({
    kind: "reclaim",
    deploy: "d1",
    host: "a",
  });
  expect(conduct(view({ a: status({ attempt: 1 }) }, [held]))).toEqual([]);
});

test.each<[string, boolean, Partial<HostStatus>]>([
  ["serves and is healthy", true, { step: "serving" }],
  ["gave up and is healthy", true, { step: "failed" }],
  ["is still at work", false, { step: "check" }],
  ["is unhealthy", false, { step: "serving", health: "unhealthy" }],
])("a failed host that %s is healed: %p", (_what, heals, changes) => {
  const gate = { failed: { a: failedWith({ healthy: false }) } };
  const actions = conduct(view({ a: status(changes), b: status() }, [deploy({}, gate)]));
  expect(actions.some(({ kind }) => kind === "heal")).toBe(heals);
});

test.each<[string, Record<string, HostStatus | null>, Changes, Partial<Gate>, object | null]>([
  [
    "begins to roll with the first slot",
    { a: status() },
    { state: "preparing" },
    { slots: { a: { attempt: 1, since } } },
    { to: "activating" },
  ],
  ["is done when all serve it", { a: served }, {}, {}, { to: "done" }],
  ["is not done while one is on its way", { a: served, b: status() }, {}, {}, null],
  [
    "is done with a failure within its budget",
    { a: served, b: status({ step: "failed" }) },
    { limits: { max: 1, budget: 1, soakMs: 0 } },
    { failed: { b: failedWith() } },
    { to: "done" },
  ],
  [
    "is halted when every host has failed within the budget",
    { b: status({ step: "failed" }) },
    { limits: { max: 1, budget: 1, soakMs: 0 } },
    { failed: { b: failedWith() } },
    { to: "halted" },
  ],
  ["waits while it has no hosts", {}, {}, {}, null],
  ["waits for a person when all canaries serve it", { c1: served }, { state: "canary" }, {}, { to: "proven" }],
  [
    "is rolled back when all serve the build before",
    { a: status({ build: "v1", step: "serving" }) },
    { state: "rolling back" },
    {},
    { to: "rolled back" },
  ],
  ["is not rolled back while one still serves the new build", { a: served }, { state: "rolling back" }, {}, null],
])("a deploy %s", (_what, hosts, record, gate, expected) => {
  const actions = conduct(view(hosts, [deploy(record, gate)])).filter(({ kind }) => kind === "move");
  if (expected === null) expect(actions).toEqual([]);
  else expect(actions).toMatchObject([expected]);
});

test("a deploy that waits for promotion is not told so again", () => {
  const given = view({ c1: served }, [deploy({ state: "awaiting promotion" })]);
  expect(conduct(given)).toEqual([]);
});

test("a host out of reach does not hold a deploy up, and is brought along when it is back", () => {
  const hosts = { a: served, b: status() };
  const actions = conduct(view(hosts, [deploy()], { alive: new Set(["a"]) }));
  expect(actions).toMatchObject([{ kind: "move", to: "done" }]);
  expect(grantsIn(view(hosts, [deploy({ state: "done" })]))).toEqual(["b"]);
});

test("the progress of a canary deploy counts canaries only, of its build only", () => {
  const wishes = { enabled: { build: "v1", deploy: "d0" }, canary: { build: "v2", deploy: "d1" } };
  const given = view(
    { c1: served, c2: status({ build: "v2", step: "serving", wish: { build: "v2", deploy: "d9" } }), f: served },
    [],
    { wishes },
  );
  const progress = progressOf(given, deploy({ state: "canary" }));
  expect(progress).toMatchObject({ hosts: ["c1", "c2"], serving: ["c1"], complete: false, moving: false });
});

test("a way back that was halted is measured by the build that it goes back to", () => {
  const rollback = { who: "", why: "", time: since, from: "rolling", to: "v1" };
  const given = view(
    { a: status({ build: "v1", step: "serving", wish: { build: "v1", deploy: "d1" } }), b: served },
    [],
  );
  const back = { id: "d1", gate: { slots: {}, failed: {} }, record: recordIn("halted", { rollback }) };
  expect(progressOf(given, back).serving).toEqual(["a"]);
});

test.each<[string, Partial<Unreadable>, RegExp]>([
  ["the record or the gate of a deploy", { deploys: new Set(["d0"]) }, /while deploy d0 cannot be read/],
  ["two deploys", { deploys: new Set(["d7", "d0"]) }, /while deploys d0, d7 cannot be read/],
  ["the wish", { wishes: true }, /while the wish cannot be read/],
])("while %s cannot be read nobody is granted anything, and it is said why", (_what, broken, why) => {
  const unreadable = { ...readable, ...broken };
  const given = view({ a: status(), b: status({ health: "unhealthy" }) }, [deploy()]);
  expect(grantsIn(given)).toEqual(["b"]);
  expect(grantsWithheld(readable)).toBeNull();
  expect(grantsIn({ ...given, unreadable })).toEqual([]);
  expect(grantsWithheld(unreadable)).toMatch(why);
});

test("what cannot be read does not stop a lost holder from being found, nor a slot from being taken back", () => {
  const unreadable = { ...readable, deploys: new Set(["d0"]), wishes: true };
  const gate = { slots: { a: { attempt: 1, since }, b: { attempt: 1, since } } };
  const hosts = { a: status(), b: status({ attempt: 2 }) };
  const away = { unreadable, alive: new Set(["b"]), missingSince: new Map([["a", 0]]) };
  expect(conduct(view(hosts, [deploy({}, gate)], away))).toEqual([
    { kind: "lose", deploy: "d1", host: "a" },
    { kind: "reclaim", deploy: "d1", host: "b" },
  ]);
});

test("a host whose status cannot be read takes the place of a grant, as an unhealthy one does", () => {
  const unreadable = { ...readable, statuses: new Set(["x"]) };
  expect(grantsIn(view({ a: status(), x: null }, [deploy()], { unreadable }))).toEqual([]);
  expect(grantsIn(view({ a: status(), x: null }, [deploy()], { unreadable, alive: new Set(["a"]) }))).toEqual(["a"]);
  // One that nobody has registered is no part of the service.
  expect(grantsIn(view({ a: status() }, [deploy()], { unreadable, alive: new Set(["a", "x"]) }))).toEqual(["a"]);
});

test("a host whose role cannot be read keeps what it holds, and is granted nothing", () => {
  const unreadable = { ...readable, hosts: new Set(["x"]) };
  const limits = { max: 1, budget: 5, soakMs: 0 };
  const failed = deploy({ limits }, { failed: { x: failedWith({ healthy: false }) } });
  expect(grantsIn(view({ a: status() }, [failed]))).toEqual(["a"]);
  expect(grantsIn(view({ a: status() }, [failed], { unreadable }))).toEqual([]);
  const ill = {
    unreadable,
    status: new Map([
      ["a", status()],
      ["x", status({ health: "unhealthy" })],
    ]),
  };
  expect(grantsIn(view({ a: status() }, [deploy()], { ...ill, alive: new Set(["a", "x"]) }))).toEqual([]);
});

test("without the wish, or without its hosts' roles, a deploy does not pass for one that has no hosts left", () => {
  const back = deploy({ state: "rolling back" });
  const none = { enabled: null, canary: null };
  expect(conduct(view({}, [back]))).toMatchObject([{ to: "rolled back" }]);
  expect(conduct(view({ a: served }, [back], { wishes: none, unreadable: { ...readable, wishes: true } }))).toEqual([]);
  expect(conduct(view({}, [back], { unreadable: { ...readable, hosts: new Set(["a"]) } }))).toEqual([]);
});

test("a deploy is not over in the round that gives a host that failed before its slot", () => {
  const gate = { failed: { b: failedWith({ healthy: true }) } };
  const rolling = deploy({ limits: { max: 1, budget: 1, soakMs: 0 } }, gate);
  expect(conduct(view({ a: served, b: status({ attempt: 2 }) }, [rolling]))).toEqual([
    { kind: "grant", deploy: "d1", host: "b", attempt: 2, wasOut: false },
  ]);
  const [move] = conduct(view({ a: served, b: status({ step: "failed", attempt: 2 }) }, [rolling]));
  expect(move).toMatchObject({ kind: "move", to: "done" });
});

test("a host that is out of service is granted a slot beyond max, which says so", () => {
  const fleet = view({ a: status({ health: "unhealthy" }), b: status({ health: "unhealthy" }) }, [deploy()]);
  const grants = conduct(fleet).filter(({ kind }) => kind === "grant");
  expect(grants).toMatchObject([{ host: "a", wasOut: true }]);
  const alone = view({ a: status({ health: "unhealthy" }) }, [deploy()]);
  expect(conduct(alone).filter(({ kind }) => kind === "grant")).toMatchObject([{ host: "a", wasOut: false }]);
});

test("a host that failed is counted on again when it says under a later number that it is well", () => {
  const failed = (attempt: number) => deploy({}, { failed: { a: failedWith({ healthy: false, attempt }) } });
  const heals = (said: HostStatus, attempt: number) =>
    conduct(view({ a: said }, [failed(attempt)])).filter(({ kind }) => kind === "heal");
  expect(heals(status({ attempt: 3 }), 2)).toEqual([{ kind: "heal", deploy: "d1", host: "a" }]);
  expect(heals(status({ attempt: 3 }), 3)).toEqual([]);
  expect(heals(status({ attempt: 3, health: "unhealthy" }), 2)).toEqual([]);
});

test("failures that a person has forgiven leave the budget to the others, and keep their share of max", () => {
  const limits = { max: 2, budget: 0, soakMs: 0 };
  const gate = (forgiven: boolean) => ({ failed: { x: failedWith({ healthy: false, forgiven }) } });
  const hosts = { a: status(), b: status(), x: null };
  const granted = (forgiven: boolean) => grantsIn(view(hosts, [deploy({ limits }, gate(forgiven))]));
  expect(granted(false)).toEqual([]);
  expect(granted(true)).toEqual(["a"]);
});

test.each<[string, Record<string, HostStatus | null>, Partial<Gate>, Partial<ConductedService>, boolean]>([
  ["nobody has the build, and one cannot even fetch the other", { a: status({ step: "fetch" }) }, {}, {}, true],
  ["one has the build", { a: served, b: status({ build: "v1" }) }, {}, {}, false],
  [
    "one was left ill by it",
    { a: status({ build: null }) },
    { failed: { a: failedWith({ healthy: false }) } },
    {},
    false,
  ],
  ["one failed on it and is well", { a: status({ build: "v1" }) }, { failed: { a: failedWith() } }, {}, true],
  ["one is on its way", { a: status({ build: "v1" }) }, { slots: { a: { attempt: 1, since } } }, {}, false],
  [
    "nobody is there, for a moment",
    { a: served },
    {},
    { alive: new Set(), missingSince: new Map([["a", 950]]) },
    false,
  ],
  ["nobody is there any more", { a: served }, {}, { alive: new Set(), missingSince: new Map([["a", 800]]) }, true],
  ["nobody knows what one serves", { a: null }, {}, { unreadable: { ...readable, statuses: new Set(["a"]) } }, false],
])("a way back where %s", (_, hosts, gate, rest, complete) => {
  const wishes = { enabled: { build: "v1", deploy: "d1" }, canary: null };
  const back = deploy({ state: "rolling back" }, gate);
  const moves = conduct(view(hosts, [back], { wishes, ...rest })).filter(({ kind }) => kind === "move");
  expect(moves).toEqual(complete ? [{ kind: "move", deploy: "d1", to: "rolled back" }] : []);
});

test("a build that was barred gets to no host that does not have it, and its deploy is halted", () => {
  const barred = new Map([["v2", '"v2" was barred by eve']]);
  const hosts = { a: status(), b: status({ build: "v2", health: "unhealthy" }) };
  const limits = { max: 2, budget: 0, soakMs: 0 };
  const done = view(hosts, [deploy({ state: "done", limits })]);
  expect(grantsIn(done)).toEqual(["a", "b"]);
  expect(grantsIn({ ...done, barred })).toEqual(["b"]);
  expect(grantsIn({ ...done, unreadable: { ...readable, builds: new Set(["v2"]) } })).toEqual(["b"]);
  for (const state of ["preparing", "rolling"] as const) {
    const actions = conduct(view({ a: status() }, [deploy({ state })], { barred }));
    expect(actions).toEqual([{ kind: "move", deploy: "d1", to: "halted", reason: '"v2" was barred by eve' }]);
  }
});
