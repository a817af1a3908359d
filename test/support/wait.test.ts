import { expect, test } from "bun:test";
import { DeployError } from "../../src/core/errors.ts";
import { systemClock } from "../../src/support/clock.ts";
import { throwIfAborted } from "../../src/support/abort.ts";
import { together, withDeadline } from "../../src/support/wait.ts";
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
