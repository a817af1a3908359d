import { describe, expect, test } from "bun:test";
import { journalAfter, type JournalEvent } from "../../src/core/journal.ts";
import { MAX_RESTARTS, noCounts, rollOf } from "../../src/core/roll.ts";
import type { Activation, Journal, Roll } from "../../src/core/types.ts";
import { failure, forward, places } from "./journals.ts";

function withRoll(restart: Roll, back = false): Journal {
  return {
    ...places.forward,
    activation: { ...forward, phase: back ? { kind: "back", failure, restart } : { kind: "forward", restart } },
  };
}
function activationAfter(before: Journal, event: JournalEvent): Activation {
  const { activation } = journalAfter(before, event);
  if (activation === null) throw new Error("the activation is gone");
  return activation;
}
function rollAfter(before: Journal, event: JournalEvent): Roll {
  const { phase } = activationAfter(before, event);
  if (!("restart" in phase)) throw new Error("the roll is gone");
  return phase.restart;
}
const begin = (batch: readonly string[], instances = ["1", "2", "3"]): JournalEvent => ({
  kind: "batch-begun",
  batch,
  instances,
});

describe.each([false, true])("a batch, back: %p", (back) => {
  test("is begun once more with each try", () => {
    const before = withRoll(rollOf(["1", "2", "3"]), back);
    expect(rollAfter(before, begin(["3", "1"]))).toEqual({ begun: 1, batch: ["3", "1"], left: ["1", "2", "3"] });
    expect(
      rollAfter(withRoll({ begun: 1, batch: ["3", "1"], left: ["1", "2", "3"] }, back), begin(["1", "3"])),
    ).toEqual({ begun: 2, batch: ["1", "3"], left: ["1", "2", "3"] });
  });

  test("forgets instances that the host has not got any more", () => {
    const before = withRoll({ begun: 1, batch: ["1", "2"], left: ["1", "2", "3"] }, back);
    expect(rollAfter(before, begin(["1"], ["1", "3"]))).toEqual({ begun: 2, batch: ["1"], left: ["1", "3"] });
    expect(rollAfter(before, begin(["3"], ["3"]))).toEqual({ begun: 1, batch: ["3"], left: ["3"] });
  });

  test.each<[string, Roll, readonly string[], string]>([
    ["that is empty", rollOf(["1"]), [], "the batch is empty"],
    ["of an instance that was restarted", rollOf(["1"]), ["2"], "2 need not be restarted"],
    [
      "before the last one has ended",
      { begun: 1, batch: ["1"], left: ["1", "2"] },
      ["2"],
      "the restart of 1 has not ended",
    ],
    [
      "larger than the one that was begun",
      { begun: 1, batch: ["1"], left: ["1", "2"] },
      ["1", "2"],
      "the restart of 1 has not ended",
    ],
    [
      "too often",
      { begun: MAX_RESTARTS, batch: ["1"], left: ["1"] },
      ["1"],
      "3 restarts were begun and none ended well",
    ],
  ])("does not begin with one %s", (_, roll, batch, problem) => {
    expect(() => journalAfter(withRoll(roll, back), begin(batch))).toThrow(problem);
  });

  const running = withRoll({ begun: 2, batch: ["1"], left: ["1", "2"] }, back);
  test.each<[Extract<JournalEvent, { kind: "batch-ended" }>["how"], Roll]>([
    ["restarted", rollOf(["2"])],
    ["failed", { begun: 2, batch: ["1"], left: ["1", "2"] }],
    ["untouched", { begun: 2, batch: [], left: ["1", "2"] }],
    ["stopped", { begun: 1, batch: ["1"], left: ["1", "2"] }],
  ])("that ended as %s", (how, roll) => {
    expect(rollAfter(running, { kind: "batch-ended", how, cost: noCounts })).toEqual(roll);
  });

  test("that was stopped is begun again with the same count", () => {
    const stopped = journalAfter(running, { kind: "batch-ended", how: "stopped", cost: noCounts });
    expect(rollAfter(stopped, begin(["1"]))).toEqual({ begun: 2, batch: ["1"], left: ["1", "2"] });
  });

  test("adds what it cost, however it ended", () => {
    const cost = { instances: 1, closed: 3, refused: 2, forced: ["idle"], phaseMs: { stop: 10, idle: 5 } } as const;
    const once = journalAfter(running, { kind: "batch-ended", how: "failed", cost });
    const { counts } = activationAfter(once, {
      kind: "batch-ended",
      how: "restarted",
      cost: { ...cost, closed: null },
    });
    expect(counts).toEqual({ instances: 2, closed: 3, refused: 4, forced: ["idle"], phaseMs: { stop: 20, idle: 10 } });
  });

  test("is none where there is nothing to restart", () => {
    expect(rollAfter(running, { kind: "nothing-to-restart" })).toEqual(rollOf([]));
  });
});

describe.each([false, true])("a boot, back: %p", (back) => {
  const boot = (down: readonly string[], bootId = "boot 2"): JournalEvent => ({ kind: "rebooted", bootId, down });

  test("puts what it took down to what is still to be restarted, and is counted", () => {
    const running = withRoll({ begun: 1, batch: ["2"], left: ["2", "3"] }, back);
    expect(rollAfter(running, boot(["1"]))).toEqual({ begun: 1, batch: ["2"], left: ["2", "3", "1"], boots: 1 });
    expect(activationAfter(running, boot([])).bootId).toBe("boot 2");
    const twice = journalAfter(journalAfter(running, boot([])), boot([], "boot 3"));
    expect(rollAfter(twice, begin(["2"]))).toEqual({ begun: 2, batch: ["2"], left: ["2", "3"], boots: 2 });
  });

  test("stays counted when the batch is done", () => {
    const done = journalAfter(withRoll({ begun: 1, batch: ["1"], left: ["1"], boots: 2 }, back), {
      kind: "batch-ended",
      how: "restarted",
      cost: noCounts,
    });
    expect(rollAfter(done, boot(["1"]))).toEqual({ begun: 0, batch: [], left: ["1"], boots: 3 });
    expect(() => journalAfter(journalAfter(done, boot(["1"])), begin(["1"]))).toThrow("started anew 3 times");
  });

  test("is none where it is the same, and takes nothing down that is to be restarted as it is", () => {
    expect(() => journalAfter(withRoll(rollOf([]), back), boot([], "boot 1"))).toThrow("the same boot");
    expect(() => journalAfter(withRoll(rollOf(["1", "2"]), back), boot(["2", "3"]))).toThrow("2 is to be restarted");
  });

  test("is not counted where the one before is not known", () => {
    const { activation, ...rest } = withRoll(rollOf([]), back);
    if (activation === null) throw new Error("the activation is gone");
    const { bootId: _, ...older } = activation;
    expect(rollAfter({ ...rest, activation: older }, boot([]))).toEqual(rollOf([]));
    expect(() => journalAfter({ ...rest, activation: older }, boot(["1"]))).toThrow("nothing is known of the boot");
  });
});

describe("traffic", () => {
  const off = (names: readonly string[], by: "nft" | "haproxy" = "nft"): JournalEvent => ({
    kind: "traffic",
    by,
    off: names,
    bootId: "boot 1",
  });

  test("goes off only where a restart was begun", () => {
    const running = withRoll({ begun: 1, batch: ["1", "2"], left: ["1", "2", "3"] });
    const one = journalAfter(running, off(["1"]));
    expect(one.traffic).toEqual({ by: "nft", off: ["1"], bootId: "boot 1" });
    expect(journalAfter(one, off(["1", "2"])).traffic?.off).toEqual(["1", "2"]);
    expect(() => journalAfter(one, off(["1", "3"]))).toThrow("nobody restarts 3");
    expect(() => journalAfter(withRoll(rollOf(["1"])), off(["1"]))).toThrow("nobody restarts 1");
  });

  test("comes back at any time, and what is off stays off when the back end is another", () => {
    const left: Journal = { ...places.empty, traffic: { by: "haproxy", off: ["1", "2"], bootId: "boot 0" } };
    expect(journalAfter(left, off(["2"])).traffic).toEqual({ by: "nft", off: ["2"], bootId: "boot 1" });
    expect(journalAfter(left, off([])).traffic).toEqual({ by: "nft", off: [], bootId: "boot 1" });
  });
});
