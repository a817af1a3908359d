import { expect, test } from "bun:test";
import fc from "fast-check";
import { removable } from "../../src/core/retention.ts";
import { servedBuild, type RunningProcess, type ServedFacts } from "../../src/core/served.ts";

const link = { kind: "link", build: "v2", changedAtMs: 100 } as const;
const running = (changes: Partial<RunningProcess> = {}): RunningProcess => ({
  pid: 10,
  startTicks: 1_000,
  startedAtMs: 50,
  release: null,
  ...changes,
});
const facts = (changes: Partial<ServedFacts>): ServedFacts => ({
  current: link,
  processes: [],
  mains: null,
  restarted: null,
  ...changes,
});

test.each<[string, Partial<ServedFacts>, object]>([
  ["is down when its supervisor runs nothing", { mains: [] }, { kind: "down" }],
  [
    "is down when its supervisor runs nothing, whatever children it left",
    { mains: [], processes: [running({ release: "v2" })] },
    { kind: "down" },
  ],
  [
    "serves current's build when any of its processes shows that",
    { processes: [running({ release: "v2" }), running({ pid: 11, release: "v1", startTicks: 9_999 })] },
    { kind: "build", build: "v2" },
  ],
  [
    "serves the build that its newest process shows",
    { processes: [running({ release: "v0", startTicks: 1 }), running({ release: "v1", startTicks: 2 })] },
    { kind: "build", build: "v1" },
  ],
  [
    "serves current's build when its main process started after the flip",
    { mains: [running({ startedAtMs: 101 })] },
    { kind: "build", build: "v2" },
  ],
  ["cannot be told when its main process is older than the flip", { mains: [running()] }, { kind: "unknown" }],
  [
    "serves current's build when a reload for it left this main process running",
    { mains: [running()], restarted: { build: "v2", processes: [{ pid: 10, startTicks: 1_000 }] } },
    { kind: "build", build: "v2" },
  ],
  [
    "cannot be told when the pid was given to another process",
    { mains: [running()], restarted: { build: "v2", processes: [{ pid: 10, startTicks: 999 }] } },
    { kind: "unknown" },
  ],
  [
    "cannot be told when the reload was for another build",
    { mains: [running()], restarted: { build: "v1", processes: [{ pid: 10, startTicks: 1_000 }] } },
    { kind: "unknown" },
  ],
  [
    "cannot be told when its main process was there before the flip, though a clock that was set says otherwise",
    {
      mains: [running({ startedAtMs: 999 })],
      restarted: { build: "v1", processes: [{ pid: 10, startTicks: 1_000 }] },
    },
    { kind: "unknown" },
  ],
  [
    "serves current's build when a clock that was set says that what a restart for it left is older than the flip",
    {
      mains: [running({ startedAtMs: 1 })],
      restarted: { build: "v2", processes: [{ pid: 10, startTicks: 1_000 }] },
    },
    { kind: "build", build: "v2" },
  ],
  [
    "cannot be told from half of its main processes",
    { mains: [running({ startedAtMs: 101 }), running({ pid: 11 })] },
    { kind: "unknown" },
  ],
  ["cannot be told without a link", { current: { kind: "absent" }, mains: [running()] }, { kind: "unknown" }],
  [
    "serves current's build when nobody knows its main process, and one that a restart for it left shows nothing and runs",
    { processes: [running()], restarted: { build: "v2", processes: [{ pid: 10, startTicks: 1_000 }] } },
    { kind: "build", build: "v2" },
  ],
  [
    "is down when all that a restart left are gone, whoever else names current",
    { processes: [running({ pid: 11 })], restarted: { build: "v2", processes: [{ pid: 10, startTicks: 1_000 }] } },
    { kind: "down" },
  ],
  ["cannot be told when nothing was ever seen", {}, { kind: "unknown" }],
  [
    "is down when processes were seen once and are gone",
    { restarted: { build: "v2", processes: [{ pid: 10, startTicks: 1_000 }] } },
    { kind: "down" },
  ],
])("a service %s", (_what, changes, expected) => {
  expect(servedBuild(facts(changes))).toEqual(expected as ReturnType<typeof servedBuild>);
});

test("the oldest releases go, but never one that is needed", () => {
  const releases = ["a", "b", "c", "d"].map((build, index) => ({ build, madeAtMs: index }));
  expect(removable(releases, 2, new Set(["a"]))).toEqual(["b"]);
  expect(removable(releases, 9, new Set())).toEqual([]);
});

test("at least the newest are kept, and everything else that nobody needs goes", () => {
  const release = fc.record({ build: fc.string({ minLength: 1, maxLength: 2 }), madeAtMs: fc.nat(5) });
  fc.assert(
    fc.property(
      fc.uniqueArray(release, { selector: ({ build }) => build }),
      fc.integer({ min: 1, max: 5 }),
      fc.array(fc.string({ minLength: 1, maxLength: 2 })),
      (releases, keep, names) => {
        const needed = new Set(names);
        const gone = removable(releases, keep, needed);
        const kept = releases.filter(({ build }) => !gone.includes(build));
        expect(gone.some((build) => needed.has(build))).toBe(false);
        expect(kept.length).toBeGreaterThanOrEqual(Math.min(keep, releases.length));
        expect(kept.filter(({ build }) => !needed.has(build)).length).toBeLessThanOrEqual(keep);
        const youngestGone = Math.max(
          -1,
          ...releases.filter(({ build }) => gone.includes(build)).map((r) => r.madeAtMs),
        );
        const freely = kept.filter(({ build }) => !needed.has(build)).map(({ madeAtMs }) => madeAtMs);
        for (const madeAtMs of freely) expect(madeAtMs).toBeGreaterThanOrEqual(youngestGone);
      },
    ),
  );
});
