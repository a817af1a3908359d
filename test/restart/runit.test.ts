import { expect, test } from "bun:test";
import { join } from "node:path";
import type { RestartSpec } from "../../src/core/resolved_recipe.ts";
import { mainPids, restart, supervisorFor } from "../../src/restart/supervisor.ts";
import { eventually } from "../harness/eventually.ts";
import { rejection } from "../harness/rejection.ts";
import { tempDir } from "../harness/tempdir.ts";
import { hostEffects } from "./host_effects.ts";
import { answers, daemon, type Supervised, supervised } from "./supervised.ts";

const { signal } = new AbortController();
const LONG_MS = 60_000;

function by(service: string, timeoutMs = 20_000): Extract<RestartSpec, { by: "runit" }> {
  return { by: "runit", service, timeoutMs };
}

/** A service under runsv, serving. */
async function runsv(): Promise<Supervised & AsyncDisposable> {
  const stack = new AsyncDisposableStack();
  const dir = stack.use(await tempDir());
  const service = await supervised(join(dir.path, "web"));
  stack.use(daemon(["/usr/bin/runsv", service.directory]));
  await answers(service, "first");
  return { ...service, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

test(
  "a restart brings another process, which serves what is new",
  async () => {
    await using web = await runsv();
    await using dir = await tempDir();
    const effects = hostEffects(dir.path);
    const before = await mainPids(by(web.directory), effects, signal);
    expect(before).toHaveLength(1);
    await web.writeAnswer("second");
    await restart(by(web.directory), effects, signal);
    await answers(web, "second");
    const after = await mainPids(by(web.directory), effects, signal);
    expect(after).toHaveLength(1);
    expect(after).not.toEqual(before);
  },
  LONG_MS,
);

test(
  "a stopped service is down until it is started, and a restart starts it too",
  async () => {
    await using web = await runsv();
    await using dir = await tempDir();
    const effects = hostEffects(dir.path);
    const { parts } = supervisorFor(by(web.directory), effects);
    await parts?.stop(signal);
    expect(await mainPids(by(web.directory), effects, signal)).toEqual([]);
    expect(await web.ask()).toStartWith("no answer");
    await parts?.stop(signal);
    await parts?.start(signal);
    await answers(web, "first");
    await parts?.start(signal);
    await parts?.stop(signal);
    await restart(by(web.directory), effects, signal);
    await answers(web, "first");
  },
  LONG_MS,
);

test(
  "what a boot leaves down is known, and started; what somebody is about to start is not",
  async () => {
    await using web = await runsv();
    await using dir = await tempDir();
    const { parts, revival } = supervisorFor(by(web.directory), hostEffects(dir.path));
    expect(await revival?.isNeeded(signal)).toBe(false);
    await parts?.stop(signal);
    expect(await revival?.isNeeded(signal)).toBe(true);
    await revival?.start(signal);
    await answers(web, "first");
    expect(await revival?.isNeeded(signal)).toBe(false);
    const unwatched = supervisorFor(by(join(dir.path, "unwatched")), hostEffects(dir.path));
    expect((await rejection(unwatched.revival?.isNeeded(signal) ?? Promise.resolve())).message).toContain("unwatched");
  },
  LONG_MS,
);

test(
  "a service that ends as soon as it is started is a failed restart",
  async () => {
    await using web = await runsv();
    await using dir = await tempDir();
    await web.writeRun("exit 3");
    expect(await rejection(restart(by(web.directory, 2_000), hostEffects(dir.path), signal))).toMatchObject({
      code: "restart-failed",
      message: expect.stringContaining(`Cannot restart ${web.directory}: `),
      hint: expect.stringContaining(`sv status ${web.directory}`),
    });
  },
  LONG_MS,
);

test(
  "a service that ignores TERM is a time-out, and says that it still runs",
  async () => {
    await using web = await runsv();
    await using dir = await tempDir();
    const effects = hostEffects(dir.path);
    await web.writeRun("trap '' TERM; echo > ready; while :; do sleep 0.05; done");
    await restart(by(web.directory), effects, signal);
    await eventually(() => Bun.file(join(web.directory, "ready")).exists());
    const error = await rejection(restart(by(web.directory, 1_000), effects, signal));
    expect(error).toMatchObject({ code: "restart-timeout" });
    // sv's own words, or ours where sv was wrong.
    expect(error.message).toMatch(/timeout: run: |after 1000 ms process \d+ still ran/);
  },
  LONG_MS,
);

test("a directory that runsv does not watch is named", async () => {
  await using dir = await tempDir();
  const effects = hostEffects(dir.path);
  const service = await supervised(join(dir.path, "web"));
  const error = await rejection(restart(by(service.directory), effects, signal));
  expect(error).toMatchObject({
    code: "restart-failed",
    message: expect.stringContaining("unable to open supervise/ok: file does not exist"),
    hint: expect.stringContaining("runsv must watch that directory"),
  });
  expect(await rejection(mainPids(by(service.directory), effects, signal))).toMatchObject({ code: "restart-failed" });
});

test("a host without runit is told which package has it", async () => {
  await using dir = await tempDir();
  const effects = hostEffects(dir.path, "/nowhere");
  expect(await rejection(restart(by("/etc/service/web"), effects, signal))).toMatchObject({
    code: "restart-failed",
    message: expect.stringContaining('Cannot run "sv": no such program'),
    hint: expect.stringContaining("apt-get install runit"),
  });
});
