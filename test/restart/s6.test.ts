import { expect, test } from "bun:test";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { RestartSpec } from "../../src/core/resolved_recipe.ts";
import { mainPids, restart, supervisorFor } from "../../src/restart/supervisor.ts";
import { eventually } from "../harness/eventually.ts";
import { run } from "../harness/fleet_program.ts";
import { rejection } from "../harness/rejection.ts";
import { tempDir } from "../harness/tempdir.ts";
import { hostEffects } from "./host_effects.ts";
import { answers, daemon, type Supervised, supervised } from "./supervised.ts";

const { signal } = new AbortController();
const LONG_MS = 60_000;

function by(service: string, timeoutMs = 20_000): Extract<RestartSpec, { by: "s6" }> {
  return { by: "s6", service, timeoutMs };
}

/** A service under s6-supervise, serving. */
async function s6(): Promise<Supervised & AsyncDisposable> {
  const stack = new AsyncDisposableStack();
  const dir = stack.use(await tempDir());
  const service = await supervised(join(dir.path, "web"));
  stack.use(daemon(["/usr/bin/s6-supervise", service.directory]));
  // The service has a session of its own, so it does not end with its supervisor.
  stack.defer(async () => {
    await run(["s6-svc", "-wD", "-T", "5000", "-dk", service.directory], { timeoutMs: 20_000 });
  });
  await answers(service, "first");
  return { ...service, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

test(
  "a restart brings another process, which serves what is new",
  async () => {
    await using web = await s6();
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
  "a restart waits until a service that can say so is ready",
  async () => {
    await using web = await s6();
    await using dir = await tempDir();
    await writeFile(join(web.directory, "notification-fd"), "3\n");
    await web.writeRun(`rm -f ready; sleep 1; echo yes > ready; echo >&3; exec 3>&-\n${web.server}`);
    const effects = hostEffects(dir.path);
    const { parts } = supervisorFor(by(web.directory), effects);
    await parts?.stop(signal);
    await parts?.start(signal);
    expect(await readFile(join(web.directory, "ready"), "utf8")).toBe("yes\n");
    await writeFile(join(web.directory, "ready"), "old\n");
    await restart(by(web.directory), effects, signal);
    expect(await readFile(join(web.directory, "ready"), "utf8")).toBe("yes\n");
  },
  LONG_MS,
);

test(
  "a stopped service is down until it is started, and a restart starts it too",
  async () => {
    await using web = await s6();
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
    await using web = await s6();
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
    await using web = await s6();
    await using dir = await tempDir();
    await web.writeRun("exit 3");
    expect(await rejection(restart(by(web.directory), hostEffects(dir.path), signal))).toMatchObject({
      code: "restart-failed",
      message: expect.stringContaining(`Cannot restart ${web.directory}: `),
      hint: expect.stringContaining(`s6-svstat ${web.directory}`),
    });
  },
  LONG_MS,
);

test(
  "a service that ignores TERM is a time-out",
  async () => {
    await using web = await s6();
    await using dir = await tempDir();
    const effects = hostEffects(dir.path);
    await web.writeRun("trap '' TERM; echo > ready; while :; do sleep 0.05; done");
    await restart(by(web.directory), effects, signal);
    await eventually(() => Bun.file(join(web.directory, "ready")).exists());
    expect(await rejection(restart(by(web.directory, 1_000), effects, signal))).toMatchObject({
      code: "restart-timeout",
    });
  },
  LONG_MS,
);

test("a directory that s6-supervise does not watch is named", async () => {
  await using dir = await tempDir();
  const effects = hostEffects(dir.path);
  const service = await supervised(join(dir.path, "web"));
  expect(await rejection(restart(by(service.directory), effects, signal))).toMatchObject({
    code: "restart-failed",
    message: expect.stringContaining(service.directory),
    hint: expect.stringContaining("s6-supervise must watch that directory"),
  });
  const error = await rejection(mainPids(by(service.directory), effects, signal));
  expect(error.message).toContain("s6-supervise not running");
});

test("a host without s6 is told which package has it", async () => {
  await using dir = await tempDir();
  const effects = hostEffects(dir.path, "/nowhere");
  expect(await rejection(restart(by("/run/service/web"), effects, signal))).toMatchObject({
    code: "restart-failed",
    message: expect.stringContaining('Cannot run "s6-svc": no such program'),
    hint: expect.stringContaining("apt-get install s6"),
  });
});
