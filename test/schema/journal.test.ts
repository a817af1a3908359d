import { describe, expect, test } from "bun:test";
import { emptyJournal, JOURNAL_VERSION } from "../../src/schema/journal.ts";
import { readJournal, type JournalReading } from "../../src/schema/journal_versions.ts";

/** As the first agents wrote it, before they counted connections and knew of traffic. */
const first = `{
 "version": 1,
 "attempt": { "number": 7, "deploy": "20260801-1", "build": "9b1e0d4" },
 "asked": { "deploy": "20260801-1", "attempt": 7 },
 "installs": { "deploy": "20260801-1", "build": "9b1e0d4", "begun": 1 },
 "activation": {
  "build": "9b1e0d4",
  "deploy": "20260801-1",
  "previous": "1f3c77a",
  "attempt": 7,
  "phase": {
   "kind": "back",
   "failure": { "code": "check-failed", "message": "it answers 500", "hint": "look", "step": "check", "log": "", "atMs": 5 },
   "restart": { "begun": 1, "batch": ["1"], "left": ["1", "2"] }
  },
  "counts": { "instances": 1, "closed": null, "refused": 2, "forced": ["idle"], "phaseMs": { "stop": 12, "start": 40 } }
 },
 "failed": null,
 "restarted": { "build": "1f3c77a", "processes": [{ "pid": 41, "startTicks": 4100 }, { "pid": 42, "startTicks": 4200, "instance": "2" }] },
 "proven": ["1f3c77a"]
}
`;

/** As the last agents of version 1 wrote it. */
const last = {
  ...JSON.parse(first),
  traffic: { by: "nft", off: ["1"], bootId: "b" },
  lastRestart: { instances: 1, closed: 0, refused: null, forced: [], phaseMs: {}, build: "1f3c77a", deploy: "d" },
};

function understood(text: string) {
  const reading = readJournal(text);
  if (reading.kind !== "understood") throw new Error(`it is ${reading.kind}: ${reading.problems.join("; ")}`);
  return reading.journal;
}
function foreign(text: string): Extract<JournalReading, { kind: "foreign" }> {
  const reading = readJournal(text);
  if (reading.kind !== "foreign") throw new Error(`it is ${reading.kind}`);
  return reading;
}

describe("a journal of version 1", () => {
  test("is brought to this version, and nothing of it is lost", () => {
    expect(understood(first)).toEqual({
      ...JSON.parse(first),
      version: JOURNAL_VERSION,
      lastRestart: null,
      traffic: null,
      activation: { ...last.activation, soakMs: 0 },
    });
    const activation = { ...last.activation, soakMs: 0 };
    expect(understood(JSON.stringify(last))).toEqual({ ...last, version: JOURNAL_VERSION, activation });
  });

  test("keeps what its agent carried along for a newer one", () => {
    expect(understood(JSON.stringify({ ...last, held: { until: 9 } }))).toHaveProperty("held", { until: 9 });
  });
});

describe("a journal of version 2", () => {
  const failure = { code: "check-failed", message: "it answers 500", hint: "look", step: "check", log: "", atMs: 5 };
  const second = {
    ...last,
    version: 2,
    activation: null,
    asked: { deploy: "20260801-1", attempt: 7 },
    failed: { deploy: "20260801-1", build: "9b1e0d4", failure, attempt: 7, reported: false, healthy: true },
  };

  test("is brought to this version: what was asked for and reported is not gone by, and is not lost either", () => {
    expect(understood(JSON.stringify(second))).toEqual({ ...second, version: JOURNAL_VERSION });
    const { asked: _, ...without } = second;
    expect(understood(JSON.stringify(without))).toEqual({ ...without, version: JOURNAL_VERSION });
  });
});

const newer = {
  ...last,
  version: JOURNAL_VERSION + 1,
  number: { highest: 12 },
  attempt: { ...last.attempt, stage: { name: "half" } },
  activation: {
    ...last.activation,
    soakMs: 5_000,
    budget: [1, { of: 2 }],
    phase: {
      ...last.activation.phase,
      since: 5,
      failure: { ...last.activation.phase.failure, code: "disk-melted", step: "warm-up", seen: { by: "judge" } },
      restart: { ...last.activation.phase.restart, order: ["2", "1"] },
    },
    counts: {
      ...last.activation.counts,
      forced: ["idle", "warm-up"],
      phaseMs: { stop: 12, "warm-up": 90 },
      bytes: 1,
    },
  },
  restarted: { build: "1f3c77a", processes: [{ pid: 41, startTicks: 4100, cgroup: { id: 3 } }] },
};

describe("a journal of a newer version", () => {
  test("is gone by as far as it is known, and the rest is carried along, at any depth", () => {
    expect(understood(JSON.stringify(newer))).toEqual({ ...newer, version: JOURNAL_VERSION });
  });

  test.each<[string, object, string]>([
    [
      "a phase of the activation",
      { activation: { ...newer.activation, phase: { kind: "warming" } } },
      "activation.phase.kind",
    ],
    ["a traffic back end", { traffic: { ...newer.traffic, by: "ebpf" } }, "traffic.by"],
    ["another form of a field", { proven: { newest: "9b1e0d4" } }, "proven"],
    ["a field that has moved away", { activation: undefined, activations: [newer.activation] }, "activation"],
  ])("with %s that is not known is told and not gone by", (_, change, place) => {
    const reading = foreign(JSON.stringify({ ...newer, ...change }));
    expect(reading.newer).toBe(true);
    expect(reading.problems.join()).toContain(`"${place}"`);
    // The number must still be told, or the status of this host would be taken for that of a former wish.
    expect(reading.known.attempt).toEqual(newer.attempt);
  });
});

describe("a journal that somebody edited", () => {
  test.each<[string, object]>([
    ["without a version", { version: undefined }],
    ["with a version that is no number", { version: "2" }],
    ["with a version that never was", { version: 0 }],
    ["with a count that is no count", { installs: { deploy: "d", build: "b", begun: -1 } }],
    ["without its activation", { activation: undefined }],
  ])("%s is told and not gone by", (_, change) => {
    const reading = foreign(JSON.stringify({ ...last, ...change }));
    expect(reading.newer).toBe(false);
    expect(reading.problems).not.toEqual([]);
    expect(reading.known.attempt).toEqual(last.attempt);
    expect(reading.known.version).toBe(JOURNAL_VERSION);
  });
});

test.each([
  ["nothing", ""],
  ["the half of one", first.slice(0, first.length / 2)],
  ["zeros", "\0".repeat(64)],
  ["a list", "[]"],
  ["null", "null"],
  ["a text", '"journal"'],
])("%s is no journal", (_, text) => {
  expect(readJournal(text)).toMatchObject({ kind: "torn" });
});

test("an empty journal is one", () => {
  expect(understood(JSON.stringify(emptyJournal))).toEqual(emptyJournal);
});
