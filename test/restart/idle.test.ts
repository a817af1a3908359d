import { expect, test } from "bun:test";
import { untilIdle } from "../../src/restart/idle.ts";

const { signal } = new AbortController();

test.each([
  [1, 50],
  [100, 400],
  [5_000, 1_000],
])("after a look at the sockets that took %d ms the next one waits %d ms", async (tookMs, restMs) => {
  let now = 0;
  const rests: number[] = [];
  const clock = { monotonicMs: () => now, sleep: async (ms: number) => void rests.push(ms) };
  const open = [2, 0, 0];
  const count = async (): Promise<number> => {
    now += tookMs;
    return open.shift() ?? 0;
  };
  await untilIdle("1", [count], 60_000, clock, signal);
  expect(rests).toEqual([restMs, restMs]);
});
