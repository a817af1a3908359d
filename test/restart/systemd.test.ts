import { expect, test } from "bun:test";
import { chmod, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { RestartSpec } from "../../src/core/resolved_recipe.ts";
import { mainPids, restart, supervisorFor } from "../../src/restart/supervisor.ts";
import { rejection } from "../harness/rejection.ts";
import { tempDir } from "../harness/tempdir.ts";
import { hostEffects } from "./host_effects.ts";

const { signal } = new AbortController();

function unit(action: "restart" | "reload" | "reload-or-restart" = "restart"): Extract<RestartSpec, { by: "systemd" }> {
  return { by: "systemd", unit: "web.service", action, timeoutMs: 10_000 };
}

/** A systemctl that writes down how it was called; `body` is what it does then. */
async function fakeSystemctl(dir: string, body: string): Promise<() => Promise<string[]>> {
  const path = join(dir, "systemctl");
  await writeFile(
    path,
    `#!/bin/sh\nfor word; do printf '%s ' "$word"; done >> ${dir}/calls\necho >> ${dir}/calls\n${body}\n`,
  );
  await chmod(path, 0o755);
  return async () =>
    (await readFile(join(dir, "calls"), "utf8"))
      .trim()
      .split("\n")
      .map((line) => line.trim());
}

test.each(["restart", "reload", "reload-or-restart"] as const)(
  "%s is asked of systemctl without a shell",
  async (action) => {
    await using dir = await tempDir();
    const calls = await fakeSystemctl(dir.path, "exit 0");
    await restart({ ...unit(action), unit: "web@$(id).service" }, hostEffects(dir.path), signal);
    expect((await calls()).at(-1)).toBe(`--no-ask-password ${action} -- web@$(id).service`);
  },
);

test("what is to be started has its failed starts forgotten, and what is reloaded or stopped has not", async () => {
  await using dir = await tempDir();
  const calls = await fakeSystemctl(dir.path, '[ "$2" != reset-failed ]');
  await restart(unit("restart"), hostEffects(dir.path), signal);
  await restart(unit("reload"), hostEffects(dir.path), signal);
  expect(await calls()).toEqual([
    "--no-ask-password reset-failed -- web.service",
    "--no-ask-password restart -- web.service",
    "--no-ask-password reload -- web.service",
  ]);
});

test("stop and start can be asked for alone", async () => {
  await using dir = await tempDir();
  const calls = await fakeSystemctl(dir.path, "exit 0");
  const { parts } = supervisorFor(unit(), hostEffects(dir.path));
  await parts?.stop(signal);
  await parts?.start(signal);
  expect(await calls()).toEqual([
    "--no-ask-password stop -- web.service",
    "--no-ask-password reset-failed -- web.service",
    "--no-ask-password start -- web.service",
  ]);
});

test("a failed restart tells what systemctl said and where to look", async () => {
  await using dir = await tempDir();
  await fakeSystemctl(dir.path, "echo Job for web.service failed. >&2; exit 1");
  expect(await rejection(restart(unit(), hostEffects(dir.path), signal))).toMatchObject({
    code: "restart-failed",
    message:
      'Cannot restart web.service: "systemctl --no-ask-password restart -- web.service" exited with 1, ' +
      "saying: Job for web.service failed.",
    hint: "See: systemctl status web.service; journalctl -u web.service -n 50.",
  });
});

test("a restart that takes too long is a time-out", async () => {
  await using dir = await tempDir();
  await fakeSystemctl(dir.path, '[ "$2" = reset-failed ] || sleep 300');
  const error = await rejection(restart({ ...unit(), timeoutMs: 100 }, hostEffects(dir.path), signal));
  expect(error).toMatchObject({ code: "restart-timeout" });
  expect(error.message).toContain("was not done after 100 ms");
});

test("a restart that is called off is aborted, not failed", async () => {
  await using dir = await tempDir();
  await fakeSystemctl(dir.path, "sleep 300");
  const stop = new AbortController();
  const restarting = restart(unit(), hostEffects(dir.path), stop.signal);
  stop.abort();
  expect(await rejection(restarting)).toMatchObject({ code: "aborted" });
});

test("a host without systemd, or with another unit's name, is told clearly", async () => {
  await using dir = await tempDir();
  const none = { ...unit(), unit: "deployd-test-no-such.service" };
  // The host's own systemctl, whether or not it was booted with systemd.
  expect(await rejection(restart(none, hostEffects(dir.path), signal))).toMatchObject({ code: "restart-failed" });

  const effects = hostEffects(dir.path);
  const missing = {
    ...effects,
    run: (async (_, options) => effects.run(["no-such-systemctl"], options)) as typeof effects.run,
  };
  expect((await rejection(restart(none, missing, signal))).message).toBe(
    `Cannot restart deployd-test-no-such.service: Cannot run "no-such-systemctl": no such program in ${dir.path}:/usr/bin:/bin.`,
  );
});

test.each([
  ["MainPID=4711\\nActiveState=active", [4711]],
  ["ActiveState=reloading\\nMainPID=4711", [4711]],
  ["MainPID=4711\\nActiveState=activating", [4711]],
  ["MainPID=0\\nActiveState=activating", []],
  ["MainPID=0\\nActiveState=inactive", []],
  ["MainPID=4711\\nActiveState=failed", []],
])("what systemd says runs is read from %p", async (shown, pids) => {
  await using dir = await tempDir();
  const calls = await fakeSystemctl(dir.path, `printf '${shown}\\n'`);
  expect(await mainPids(unit(), hostEffects(dir.path), signal)).toEqual(pids);
  expect(await calls()).toEqual([expect.stringMatching(/^show --property=\S*MainPID\S* -- web\.service$/)]);
});

test("an answer of systemd that says nothing is an error and not an absence", async () => {
  await using dir = await tempDir();
  await fakeSystemctl(dir.path, "echo hello");
  expect(await rejection(mainPids(unit(), hostEffects(dir.path), signal))).toMatchObject({ code: "restart-failed" });
});
