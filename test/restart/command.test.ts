import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { mainPids, restart, supervisorFor } from "../../src/restart/supervisor.ts";
import { eventually } from "../harness/eventually.ts";
import { rejection } from "../harness/rejection.ts";
import { tempDir } from "../harness/tempdir.ts";
import { hostEffects } from "./host_effects.ts";

const { signal } = new AbortController();
const START = "sh -c 'echo $$ > pid; exec sleep 300' & while ! [ -s pid ]; do sleep 0.01; done; echo start >> calls";

const pidIn = async (dir: string): Promise<number> => Number(await readFile(join(dir, "pid"), "utf8"));

test("a restart stops the old service, then starts the new one, which lives on", async () => {
  await using dir = await tempDir();
  const effects = hostEffects(dir.path);
  const spec = {
    by: "command",
    stop: "echo stop >> calls; [ ! -f pid ] || kill -9 $(cat pid); rm -f pid",
    start: START,
    timeoutMs: 10_000,
  } as const;
  await restart(spec, effects, signal);
  const first = await pidIn(dir.path);
  await restart(spec, effects, signal);
  const second = await pidIn(dir.path);
  expect(await readFile(join(dir.path, "calls"), "utf8")).toBe("stop\nstart\nstop\nstart\n");
  await eventually(() => !existsSync(`/proc/${first}/exe`));
  expect(existsSync(`/proc/${second}/exe`)).toBe(true);
  expect(await mainPids(spec, effects, signal)).toEqual([]);
  await supervisorFor(spec, effects).parts?.stop(signal);
  await eventually(() => !existsSync(`/proc/${second}/exe`));
});

test("a stop that fails keeps the start from being tried", async () => {
  await using dir = await tempDir();
  const spec = { by: "command", stop: "echo cannot stop; exit 4", start: "touch started", timeoutMs: 10_000 } as const;
  expect(await rejection(restart(spec, hostEffects(dir.path), signal))).toMatchObject({
    code: "restart-failed",
    message: 'Cannot stop the service: "echo cannot stop; exit 4" exited with 4, saying: cannot stop.',
  });
  expect(existsSync(join(dir.path, "started"))).toBe(false);
});

test("a start that hangs is a time-out that tells its last output", async () => {
  await using dir = await tempDir();
  const spec = { by: "command", start: "echo loading; sleep 300", timeoutMs: 500 } as const;
  const error = await rejection(restart(spec, hostEffects(dir.path), signal));
  expect(error).toMatchObject({ code: "restart-timeout" });
  expect(error.message).toEndWith("was not done after 500 ms, saying: loading.");
});

test("a reload runs its one command, and has no stop and start", async () => {
  await using dir = await tempDir();
  const spec = { by: "command", reload: "echo reload >> calls", timeoutMs: 10_000 } as const;
  const effects = hostEffects(dir.path);
  await restart(spec, effects, signal);
  expect(await readFile(join(dir.path, "calls"), "utf8")).toBe("reload\n");
  expect(supervisorFor(spec, effects).parts).toBeNull();
});

test("a restart by command without any command is refused", async () => {
  await using dir = await tempDir();
  expect(await rejection(restart({ by: "command", timeoutMs: 1000 }, hostEffects(dir.path), signal))).toMatchObject({
    code: "recipe-invalid",
  });
});

test("a secret that a failing command prints is not in the error", async () => {
  await using dir = await tempDir();
  const spec = { by: "command", start: "echo PASSWORD=hunter2; exit 1", timeoutMs: 10_000 } as const;
  expect((await rejection(restart(spec, hostEffects(dir.path), signal))).message).not.toContain("hunter2");
});
