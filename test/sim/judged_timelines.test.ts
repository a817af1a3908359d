import { expect, test } from "bun:test";
import { newTimeline, timelineAfter, type Timeline } from "../../src/core/timeline.ts";
import { timelineText } from "../../src/core/timeline_record.ts";
import { recordIn } from "../harness/deploy_records.ts";
import { Ledger } from "./checker/ledger.ts";
import { judgeTimelines } from "./checker/timeline_rules.ts";
import { TreeView } from "./checker/tree_view.ts";

const good = timelineAfter(newTimeline(0), {
  atMs: 1_000,
  counts: { done: 2 },
  change: { state: "done", stage: "100%", atMs: 900 },
  slowest: [],
  failed: [],
});

function text(timeline: Timeline): string {
  return timelineText(timeline).text;
}

function violationsOf(timelines: Readonly<Record<string, string>>): string[] {
  const tree = new TreeView("web");
  const put = (path: string, data: string): void => tree.apply({ path: `/deployd/services/web/${path}`, data });
  for (const state of ["rolling", "done"] as const) put("deploys/d1", JSON.stringify(recordIn(state)));
  put("hosts/web-01", "{}");
  for (const [id, data] of Object.entries(timelines)) put(`timelines/${id}`, data);
  const ledger = new Ledger(() => 0);
  judgeTimelines({ tree, ledger });
  return ledger.violations.map(({ what }) => what);
}

test("a timeline that ends as its deploy has ended is right", () => {
  expect(violationsOf({ d1: text(good) })).toEqual([]);
});

test.each([
  ["none", {}, "there is none of it"],
  ["another end", { d1: text({ ...good, marks: [] }) }, "ends with undefined"],
  ["hosts at work", { d1: text({ ...good, samples: [{ atMs: 1, counts: { done: 1, soaking: 1 } }] }) }, '"soaking":1'],
  ["nobody who is done", { d1: text({ ...good, samples: [{ atMs: 1, counts: { ready: 1 } }] }) }, "nobody who is"],
  ["one without its deploy", { d1: text(good), d0: text(good) }, "d0, which is not on record"],
  ["one that is too large", { d1: `${text(good)}${" ".repeat(17_000)}` }, "bytes"],
  ["one that nobody can read", { d1: "{}" }, "cannot be read"],
  ["one that goes back in time", { d1: text({ ...good, untilMs: 0 }) }, "back in time"],
])("%s is seen", (_what, timelines, found) => {
  expect(violationsOf(timelines)).toContainEqual(expect.stringContaining(found));
});
