import { expect, test } from "bun:test";
import { DeployError } from "../../src/core/errors.ts";
import { systemClock } from "../../src/support/clock.ts";
import { throwIfAborted } from "../../src/support/abort.ts";
import { killAll } from "../../src/support/kill.ts";
import { answerWithin, together, until, untilByPauses, withDeadline } from "../../src/support/wait.ts";
import { rejection } from "../harness/rejection.ts";

const never = (): Promise<never> => Promise.withResolvers<never>().promise;
const tooLate = (): DeployError => new DeployError("Cannot wait any longer.", { code: "fetch-failed" });

test("a sleep ends with aborted as soon as its signal is", async () => {
  const stop = new AbortController();
  const sleeping = systemClock.sleep(3_600_000, stop.signal);
  stop.abort();
  expect(await rejection(sleeping)).toMatchObject({ code: "aborted" });
  expect(await rejection(systemClock.sleep(3_600_000, stop.signal))).toMatchObject({ code: "aborted" });
});

test("a sleep of longer than a timer can take does not end at once", async () => {
  const stop = new AbortController();
  const first = await Promise.race([
    systemClock.sleep(2 ** 31 + 1000, stop.signal).catch(() => "aborted"),
    systemClock.sleep(30).then(() => "the short one"),
  ]);
  stop.abort();
  expect(first).toBe("the short one");
});

test("a sleep lasts at least as long as asked", async () => {
  const startedAtMs = systemClock.now();
  await systemClock.sleep(20);
  expect(systemClock.now() - startedAtMs).toBeGreaterThanOrEqual(19);
});

test("work that takes too long ends with the given error and sees its signal aborted", async () => {
  const seen: AbortSignal[] = [];
  const work = withDeadline(
    (signal) => {
      seen.push(signal);
      return never();
    },
    20,
    new AbortController().signal,
    systemClock,
    tooLate,
  );
  expect(await rejection(work)).toMatchObject({ code: "fetch-failed" });
  expect(seen.map((signal) => signal.aborted)).toEqual([true]);
});

test("work that is called off ends with aborted and sees its signal aborted", async () => {
  const stop = new AbortController();
  const seen: AbortSignal[] = [];
  const work = withDeadline(
    (signal) => {
      seen.push(signal);
      return never();
    },
    60_000,
    stop.signal,
    systemClock,
    tooLate,
  );
  stop.abort();
  expect(await rejection(work)).toMatchObject({ code: "aborted" });
  expect(seen.map((signal) => signal.aborted)).toEqual([true]);
});

test("work that is in time returns its value, and its own error passes through", async () => {
  const { signal } = new AbortController();
  expect(await withDeadline(async () => 7, 1000, signal, systemClock, tooLate)).toBe(7);
  expect(
    (await rejection(withDeadline(() => Promise.reject(new Error("its own")), 1000, signal, systemClock, tooLate)))
      .message,
  ).toContain("its own");
});

test("nothing is begun under a signal that is aborted already", async () => {
  let begun = 0;
  const work = withDeadline(async () => begun++, 1000, AbortSignal.abort("newer wish"), systemClock, tooLate);
  expect(await rejection(work)).toMatchObject({ code: "aborted", cause: "newer wish" });
  expect(begun).toBe(0);
  expect(() => throwIfAborted(AbortSignal.abort(), "fetch")).toThrow("Cannot fetch: it was called off.");
});

test("what is done together ends together: the first failure calls the others off and is the one that is told", async () => {
  const ended: string[] = [];
  const waits = async (signal: AbortSignal): Promise<void> => {
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    ended.push("called off");
    throw new Error("too late");
  };
  const fails = async (): Promise<void> => {
    throw new Error("broken");
  };
  expect(String(await rejection(together([waits, fails], new AbortController().signal)))).toContain("broken");
  expect(ended).toEqual(["called off"]);
  await together([async () => void ended.push("done")], new AbortController().signal);
  expect(ended).toEqual(["called off", "done"]);
});

/** A clock that goes on by each pause, and by what a look takes. */
function pausing(lookMs = 0) {
  let nowMs = 0;
  const pauses: number[] = [];
  const clock = {
    monotonicMs: () => nowMs,
    sleep: async (ms: number) => {
      pauses.push(ms);
      nowMs += ms;
    },
  };
  return { clock, pauses, look: async () => (nowMs += lookMs) };
}

test("it looks at once and until it sees enough", async () => {
  const { clock, pauses } = pausing();
  let looks = 0;
  const when = { everyMs: 10, withinMs: 1000 };
  expect(
    await until(
      async () => (looks += 1),
      (seen) => seen === 3,
      when,
      clock,
    ),
  ).toBe(3);
  expect(pauses).toEqual([10, 10]);
});

test("it looks once, and a last time when the time is over", async () => {
  const none = { everyMs: 10, withinMs: 0 };
  const { clock, pauses } = pausing();
  let looks = 0;
  expect(
    await until(
      async () => (looks += 1),
      () => false,
      none,
      clock,
    ),
  ).toBe(1);
  expect(
    await until(
      async () => (looks += 1),
      () => false,
      { everyMs: 10, withinMs: 25 },
      clock,
    ),
  ).toBe(5);
  expect(pauses).toEqual([10, 10, 10]);
});

test("looks that take long are fewer by the clock, and as many by the pauses", async () => {
  const when = { everyMs: 10, withinMs: 30 };
  const byClock = pausing(20);
  await until(byClock.look, () => false, when, byClock.clock);
  expect(byClock.pauses).toHaveLength(1);
  const byPauses = pausing(20);
  await untilByPauses(byPauses.look, () => false, when, byPauses.clock);
  expect(byPauses.pauses).toHaveLength(3);
});

test("an answer in time is returned, and its work is told that nobody waits any more", async () => {
  const signals: AbortSignal[] = [];
  const work = async (signal: AbortSignal): Promise<string> => {
    signals.push(signal);
    return "here";
  };
  const otherwise = { late: "late", calledOff: "called off" };
  expect(await answerWithin(work, 60_000, otherwise, new AbortController().signal, systemClock)).toBe("here");
  expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
});

test.each([
  ["late", 10, false],
  ["called off", 60_000, true],
] as const)("work without an end is %s", async (expected, ms, isCalledOff) => {
  const stop = new AbortController();
  const otherwise = { late: "late", calledOff: "called off" };
  const answer = answerWithin<string>(never, ms, otherwise, stop.signal, systemClock);
  if (isCalledOff) stop.abort();
  expect(await answer).toBe(expected);
  expect(await answerWithin<string>(never, 60_000, otherwise, AbortSignal.abort(), systemClock)).toBe("called off");
});

test("what work fails with in time is passed on", async () => {
  const fails = async (): Promise<string> => {
    throw tooLate();
  };
  const otherwise = { late: "late", calledOff: "called off" };
  const answer = answerWithin(fails, 60_000, otherwise, new AbortController().signal, systemClock);
  expect(await rejection(answer)).toMatchObject({ code: "fetch-failed" });
});

test("all that is found is killed until nothing is found, also what was forked meanwhile", async () => {
  const { clock } = pausing();
  const rounds = [[{ pid: 4 }, { pid: 5 }], [{ pid: 5 }, { pid: 6 }], []];
  const killed: number[] = [];
  const found = await killAll(
    async () => rounds.shift() ?? [],
    ({ pid }) => {
      killed.push(pid);
      throw new Error("gone already");
    },
    clock,
  );
  expect(killed).toEqual([4, 5, 5, 6]);
  expect(found).toBe(3);
});

test("what does not go by KILL is left after two seconds", async () => {
  const { clock } = pausing();
  expect(
    await killAll(
      async () => [{ pid: 4 }],
      () => {},
      clock,
    ),
  ).toBe(1);
  expect(clock.monotonicMs()).toBe(2000);
});
