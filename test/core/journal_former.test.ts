import { describe, expect, test } from "bun:test";
import { journalAfter } from "../../src/core/journal.ts";
import {
  followedBy,
  isOutlived,
  isWellEnough,
  lastAttempt,
  outlivedBy,
  type FormerWords,
} from "../../src/core/journal_former.ts";
import { hostStatus, type StatusFacts } from "../../src/core/status.ts";
import { isFromBefore, isOlder } from "../../src/core/wish_order.ts";
import { emptyJournal, type Journal } from "../../src/schema/journal.ts";
import { failure, places } from "./journals.ts";

const nothing: FormerWords = { status: null, slot: null, failure: null };
const slot = { deploy: "d7", build: "v7", attempt: 7 };
const begun = { status: { attempt: 7, followed: 5, begun: true }, slot, failure: null };

function after(journal: Journal, told: FormerWords): Journal {
  const event = outlivedBy(journal, told, 1_000);
  if (event === null) throw new Error("there was nothing to learn");
  return journalAfter(journal, event);
}

function statusOf(journal: Journal) {
  const facts: Omit<StatusFacts, "journal"> = {
    target: { kind: "none" },
    held: null,
    actual: null,
    step: "idle",
    sinceMs: 0,
    healthy: null,
    trouble: null,
    notLeaving: "",
    prepared: null,
  };
  return hostStatus({ ...facts, journal });
}

test("a host of which ZooKeeper knows nothing, or no more than its journal, has nothing to learn", () => {
  expect(outlivedBy(emptyJournal, nothing, 0)).toBeNull();
  const known = { attempt: 4, followed: 2, begun: true };
  expect(outlivedBy(places["taken up"], { ...nothing, status: known }, 0)).toBeNull();
  const learnt = after(emptyJournal, begun);
  expect(outlivedBy(learnt, begun, 0)).toBeNull();
});

describe("a host with an empty disk", () => {
  test("numbers its first wish above whatever its status, its slot or its failure names", () => {
    for (const told of [
      { ...nothing, status: { attempt: 7, begun: false } },
      { ...nothing, slot },
      { ...nothing, failure: { ...slot, healthy: true } },
    ]) {
      const journal = after(emptyJournal, told);
      expect(lastAttempt(journal)).toBe(7);
      const wish = { kind: "taken-up", deploy: "d1", build: "v1", again: 0 } as const;
      expect(() => journalAfter(journal, { ...wish, number: 7 })).toThrow("does not follow on 7");
      expect(journalAfter(journal, { ...wish, number: 8 }).attempt?.number).toBe(8);
    }
  });

  test("tells its last number even while nothing is wished of it", () => {
    expect(statusOf(after(emptyJournal, begun))).toMatchObject({ attempt: 7, followed: 5, begun: false });
  });

  test("tells the slot that it was using as lost, until a build is proven or seen to run", () => {
    const journal = after(emptyJournal, begun);
    const told = { deploy: "d7", build: "v7", attempt: 7, healthy: false };
    expect(statusOf(journal).failure).toMatchObject(told);
    const taken = journalAfter(journal, { kind: "taken-up", number: 8, deploy: "d7", build: "v7", again: 0 });
    expect(statusOf(taken).failure).toMatchObject(told);
    expect(statusOf(journalAfter(taken, { kind: "seen-served" })).failure).toBeNull();
    const proven: Journal = { ...places.proven, former: journal.former ?? { attempt: 0, followed: 0, lost: null } };
    expect(statusOf(proven).failure).toMatchObject(told);
    expect(statusOf(journalAfter(proven, { kind: "finished", atMs: 1 })).failure).toBeNull();
  });

  test("loses no slot that it was not using", () => {
    for (const told of [
      { ...begun, status: { ...begun.status, begun: false } },
      { ...begun, slot: { ...slot, attempt: 6 } },
      { ...begun, slot: null },
    ])
      expect(statusOf(after(emptyJournal, told)).failure).toBeNull();
  });

  test("is not well for serving nothing, where it still counts as out of service", () => {
    const lost = after(emptyJournal, { ...nothing, failure: { ...slot, healthy: false } });
    expect(statusOf(lost).failure).toMatchObject({ ...slot, healthy: false });
    expect([isWellEnough(lost, "nothing"), isWellEnough(lost, "healthy")]).toEqual([false, true]);
    expect([isWellEnough(emptyJournal, "nothing"), isWellEnough(emptyJournal, "unhealthy")]).toEqual([true, false]);
  });

  test("tells a failure of its own that came later, and no older one", () => {
    const journal = after(
      { ...emptyJournal, failed: { deploy: "d6", build: "v6", failure, attempt: 3, healthy: true } },
      begun,
    );
    expect(statusOf(journal).failure).toMatchObject({ attempt: 7 });
    const later = { ...journal, failed: { deploy: "d7", build: "v7", failure, attempt: 8, healthy: true } };
    expect(statusOf(later).failure).toMatchObject({ attempt: 8 });
  });

  test("holds a wish of a tree that is older than what its former life followed, and no other", () => {
    const followed = followedBy(after(emptyJournal, begun));
    expect(isOlder("enabled", { build: "v1", number: 4 }, followed)).toBe("unsure");
    expect([isFromBefore(4, followed), isFromBefore(5, followed)]).toEqual([true, false]);
    expect(isOlder("enabled", { build: "v1", number: 5 }, followed)).toBe(false);
  });
});

test("a host whose older disk was put back takes its wish up once more, above the number of its later life", () => {
  const journal = after(places["taken up"], begun);
  expect(isOutlived(journal)).toBe(true);
  const again = journalAfter(journal, { kind: "taken-up", number: 8, deploy: "d2", build: "v2", again: 0 });
  expect(isOutlived(again)).toBe(false);
  expect(statusOf(again)).toMatchObject({ attempt: 8, followed: 5 });
});
