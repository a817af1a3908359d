import { describe, expect, test } from "bun:test";
import { difference } from "../../src/monitor/difference.ts";
import { keysIn } from "../../src/monitor/keys.ts";
import { newReplay, replayAfter, type Replay, type ReplayMessage } from "../../src/monitor/replay.ts";
import { replayScreen } from "../../src/monitor/replay_screen.ts";
import { endOf } from "../../src/view/timeline_scale.ts";
import { expectGolden } from "../harness/golden.ts";
import { timelines } from "../view/timelines.ts";
import { ShownTerminal } from "./shown_terminal.ts";

const told = Object.fromEntries(Object.entries(timelines).map(([name, make]) => [name, make()]));

function replayOf(name: string, columns = 80, rows = 24): Replay {
  const found = told[name];
  if (found === undefined) throw new Error(`there is no timeline "${name}"`);
  return newReplay(found, 10, { columns, rows }, 0);
}

function after(replay: Replay, ...messages: readonly ReplayMessage[]): Replay {
  return messages.reduce((before, message) => replayAfter(before, message).replay, replay);
}

function typed(keys: string): ReplayMessage[] {
  return keysIn(keys, true).keys.map((key) => ({ kind: "key", key }));
}

const tick = (nowMs: number): ReplayMessage => ({ kind: "tick", nowMs });

function shown(replay: Replay): string {
  const { columns, rows } = replay.size;
  const terminal = new ShownTerminal(columns, rows);
  terminal.send(difference(null, replayScreen(replay), true));
  return terminal.text().join("\n").trimEnd();
}

describe.each([
  ["at its beginning", 0],
  ["in the middle", 0.5],
  ["at its end", 1],
] as const)("a replay %s", (when, share) => {
  test.each([
    [40, 12],
    [80, 24],
    [120, 40],
    [160, 48],
  ])("on %dx%d", async (columns, rows) => {
    const replay = replayOf("rolled-back", columns, rows);
    const atMs = endOf(replay.told.timeline) * share;
    const text = shown({ ...replay, atMs, isPlaying: share < 1 });
    await expectGolden(`replay-${when.replaceAll(" ", "-")}-${columns}x${rows}`, text, "timeline");
  });
});

test("time passes by its speed, and it stops at the end", () => {
  const replay = after(replayOf("done"), tick(100), tick(1_100));
  expect(replay.atMs).toBe(11_000);
  expect(after(replay, tick(100_000))).toMatchObject({ atMs: 60_000, isPlaying: false });
});

test("what nobody watched for days is passed in moments", () => {
  const replay = replayOf("days-later");
  expect(endOf(replay.told.timeline)).toBeGreaterThan(2 * 86_400_000);
  const seconds = Array.from({ length: 30 }, (_, at) => tick((at + 1) * 1_000));
  expect(after(replay, ...seconds)).toMatchObject({ atMs: endOf(replay.told.timeline), isPlaying: false });
});

test("space stops it and goes on, and what is over begins anew", () => {
  const stopped = after(replayOf("done"), tick(1_000), ...typed(" "), tick(5_000));
  expect(stopped).toMatchObject({ atMs: 10_000, isPlaying: false });
  expect(after(stopped, ...typed(" "), tick(6_000)).atMs).toBe(20_000);
  expect(after(stopped, ...typed(" "), tick(60_000), ...typed(" "))).toMatchObject({ atMs: 0, isPlaying: true });
});

test("the arrows, and h and l, step from change to change and stand there; 0 and home go to the start", () => {
  const replay = after(replayOf("done"), ...typed("\u001b[C"), ...typed("l"), ...typed("l"));
  expect(replay.isPlaying).toBe(false);
  expect(replay.atMs).toBe(3_000);
  expect(after(replay, ...typed("\u001b[D")).atMs).toBe(2_000);
  expect(after(replay, ...typed("hhhhh")).atMs).toBe(0);
  for (const key of ["0", "\u001b[H"]) expect(after(replay, ...typed(key)).atMs).toBe(0);
  expect(after(replay, ...typed("\u001b[F")).atMs).toBe(60_000);
});

test("+ and - change the speed, within bounds", () => {
  expect(after(replayOf("done"), ...typed("++-")).speed).toBe(20);
  expect(after(replayOf("done"), ...typed("+".repeat(50))).speed).toBe(4_096);
  expect(after(replayOf("done"), ...typed("-".repeat(50))).speed).toBe(0.125);
});

test.each([
  ["q", "quit"],
  ["\u0003", "quit"],
  ["\u001a", "suspend"],
  ["\u000c", "redraw"],
] as const)("%j has %s done", (keys, effect) => {
  const [message] = typed(keys);
  if (message === undefined) throw new Error("no key");
  expect(replayAfter(replayOf("done"), message).effect).toBe(effect);
});

test("what is still to come does not show, and what has come does", () => {
  const replay = replayOf("rolled-back");
  const before = shown({ ...replay, atMs: 30_000 });
  expect(before).toContain("rolling");
  for (const word of ["halted", "rolled back", "✗"]) expect(before).not.toContain(word);
  expect(shown({ ...replay, atMs: 60_000 })).toContain("halted");
});

test("at no size and no instant does anything go over the edge, and the first line says what it is about", () => {
  for (const name of Object.keys(timelines)) {
    const replay = replayOf(name);
    for (const share of [0, 0.3, 1]) {
      const atMs = endOf(replay.told.timeline) * share;
      for (let columns = 1; columns <= 130; columns += 21) {
        for (let rows = 1; rows <= 40; rows += 9) {
          const cells = replayScreen({ ...replay, atMs, size: { columns, rows } });
          new ShownTerminal(columns, rows).send(difference(null, cells, true));
          if (columns > 20 && rows > 1) expect(cells.text(0)).toContain("web");
        }
      }
    }
  }
});
