import { describe, expect, test } from "bun:test";
import { journalAfter, type JournalEvent } from "../../src/core/journal.ts";
import { MAX_RESTARTS, noCounts, restartOf } from "../../src/core/restart_progress.ts";
import type { Activation, Journal, RestartProgress } from "../../src/schema/journal.ts";
import { failure, forward, places } from "./journals.ts";

function withProgress(restart: RestartProgress, back = false): Journal {
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
function progressAfter(before: Journal, event: JournalEvent): RestartProgress {
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
    const before = withProgress(restartOf(["1", "2", "3"]), back);
    expect(progressAfter(before, begin(["3", "1"]))).toEqual({ begun: 1, batch: ["3", "1"], left: ["1", "2", "3"] });
    expect(
      progressAfter(withProgress({ begun: 1, batch: ["3", "1"], left: ["1", "2", "3"] }, back), begin(["1", "3"])),
    ).toEqual({ begun: 2, batch: ["1", "3"], left: ["1", "2", "3"] });
  });

  test("forgets instances that the host has not got any more", () => {
    const before = withProgress({ begun: 1, batch: ["1", "2"], left: ["1", "2", "3"] }, back);
    expect(progressAfter(before, begin(["1"], ["1", "3"]))).toEqual({ begun: 2, batch: ["1"], left: ["1", "3"] });
    expect(progressAfter(before, begin(["3"], ["3"]))).toEqual({ begun: 1, batch: ["3"], left: ["3"] });
  });

  test.each<[string, RestartProgress, readonly string[], string]>([
    ["that is empty", restartOf(["1"]), [], "the batch is empty"],
    ["of an instance that was restarted", restartOf(["1"]), ["2"], "2 need not be restarted"],
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
      "3 restarts were begun and none succeeded",
    ],
  ])("does not begin with one %s", (_, progress, batch, problem) => {
    expect(() => journalAfter(withProgress(progress, back), begin(batch))).toThrow(problem);
  });

  const running = withProgress({ begun: 2, batch: ["1"], left: ["1", "2"] }, back);
  test.each<[Extract<JournalEvent, { kind: "batch-ended" }>["how"], RestartProgress]>([
    ["restarted", restartOf(["2"])],
    ["failed", { begun: 2, batch: ["1"], left: ["1", "2"] }],
    ["untouched", { begun: 2, batch: [], left: ["1", "2"] }],
    ["stopped", { begun: 1, batch: ["1"], left: ["1", "2"] }],
  ])("that ended as %s", (how, progress) => {
    expect(progressAfter(running, { kind: "batch-ended", how, cost: noCounts })).toEqual(progress);
  });

  test("that was stopped is begun again with the same count", () => {
    const stopped = journalAfter(running, { kind: "batch-ended", how: "stopped", cost: noCounts });
    expect(progressAfter(stopped, begin(["1"]))).toEqual({ begun: 2, batch: ["1"], left: ["1", "2"] });
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
    expect(progressAfter(running, { kind: "nothing-to-restart" })).toEqual(restartOf([]));
  });
});

describe.each([false, true])("a boot, back: %p", (back) => {
  const boot = (down: readonly string[], bootId = "boot 2"): JournalEvent => ({ kind: "rebooted", bootId, down });

  test("puts what it took down to what is still to be restarted, and is counted", () => {
    const running = withProgress({ begun: 1, batch: ["2"], left: ["2", "3"] }, back);
    expect(progressAfter(running, boot(["1"]))).toEqual({ begun: 1, batch: ["2"], left: ["2", "3", "1"], boots: 1 });
    expect(activationAfter(running, boot([])).bootId).toBe("boot 2");
    const twice = journalAfter(journalAfter(running, boot([])), boot([], "boot 3"));
    expect(progressAfter(twice, begin(["2"]))).toEqual({ begun: 2, batch: ["2"], left: ["2", "3"], boots: 2 });
  });

  test("stays counted when the batch is done", () => {
    const done = journalAfter(withProgress({ begun: 1, batch: ["1"], left: ["1"], boots: 2 }, back), {
      kind: "batch-ended",
      how: "restarted",
      cost: noCounts,
    });
    expect(progressAfter(done, boot(["1"]))).toEqual({ begun: 0, batch: [], left: ["1"], boots: 3 });
    expect(() => journalAfter(journalAfter(done, boot(["1"])), begin(["1"]))).toThrow("rebooted 3 times");
  });

  test("is none where it is the same, and takes nothing down that is to be restarted as it is", () => {
    expect(() => journalAfter(withProgress(restartOf([]), back), boot([], "boot 1"))).toThrow("the same boot");
    expect(() => journalAfter(withProgress(restartOf(["1", "2"]), back), boot(["2", "3"]))).toThrow(
      "2 is to be restarted",
    );
  });

  test("is not counted where the one before is not known", () => {
    const { activation, ...rest } = withProgress(restartOf([]), back);
    if (activation === null) throw new Error("the activation is gone");
    const { bootId: _, ...older } = activation;
    expect(progressAfter({ ...rest, activation: older }, boot([]))).toEqual(restartOf([]));
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
    const running = withProgress({ begun: 1, batch: ["1", "2"], left: ["1", "2", "3"] });
    const one = journalAfter(running, off(["1"]));
    expect(one.traffic).toEqual({ by: "nft", off: ["1"], bootId: "boot 1" });
    expect(journalAfter(one, off(["1", "2"])).traffic?.off).toEqual(["1", "2"]);
    expect(() => journalAfter(one, off(["1", "3"]))).toThrow("nobody restarts 3");
    expect(() => journalAfter(withProgress(restartOf(["1"])), off(["1"]))).toThrow("nobody restarts 1");
  });

  test("comes back at any time, and what is off stays off when the back end is another", () => {
    const left: Journal = { ...places.empty, traffic: { by: "haproxy", off: ["1", "2"], bootId: "boot 0" } };
    expect(journalAfter(left, off(["2"])).traffic).toEqual({ by: "nft", off: ["2"], bootId: "boot 1" });
    expect(journalAfter(left, off([])).traffic).toEqual({ by: "nft", off: [], bootId: "boot 1" });
  });
});
