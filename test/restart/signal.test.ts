import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { readFile, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { RestartSpec } from "../../src/core/resolved_recipe.ts";
import { mainPids, restart } from "../../src/restart/supervisor.ts";
import { eventually } from "../harness/eventually.ts";
import { rejection } from "../harness/rejection.ts";
import { tempDir } from "../harness/tempdir.ts";
import { hostEffects } from "./host_effects.ts";
import { processFact } from "../harness/real_time.ts";

const { signal } = new AbortController();

function by(name: string, dir: string, timeoutMs = 10_000): Extract<RestartSpec, { by: "signal" }> {
  return { by: "signal", signal: name, pidFile: join(dir, "pid"), timeoutMs };
}

/** A shell that writes its pid file and runs `body`; its group is killed at the end of the block. */
async function service(dir: string, body: string): Promise<{ pid: number } & AsyncDisposable> {
  const child = Bun.spawn(["sh", "-c", `${body}\necho $$ > pid\nwhile :; do sleep 0.02; done`], {
    cwd: dir,
    detached: true,
    stdio: ["ignore", "ignore", "ignore"],
  });
  await eventually(async () => Number(await readFile(join(dir, "pid"), "utf8")) > 0);
  return {
    pid: child.pid,
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode === null && child.signalCode === null) process.kill(-child.pid, "SIGKILL");
      await child.exited;
    },
  };
}

test.each(["HUP", "SIGHUP", "usr1"])("a service that handles %s is told, and lives on", async (name) => {
  await using dir = await tempDir();
  await using web = await service(dir.path, "trap 'touch told' HUP USR1");
  const effects = hostEffects(dir.path);
  await restart(by(name, dir.path), effects, signal);
  await eventually(() => existsSync(join(dir.path, "told")));
  expect(await mainPids(by(name, dir.path), effects, signal)).toEqual([web.pid]);
});

test("a service that dies of a reload is a failed restart", async () => {
  await using dir = await tempDir();
  await using web = await service(dir.path, "");
  expect(await rejection(restart(by("HUP", dir.path), hostEffects(dir.path), signal))).toMatchObject({
    code: "restart-failed",
    message: `Cannot send HUP to the service: process ${web.pid} ended at the signal.`,
    hint: "Does the service handle this signal?",
  });
});

test("a service that hands over to a successor at USR2 has been reloaded", async () => {
  await using dir = await tempDir();
  await using old = await service(
    dir.path,
    `trap 'setsid sh -c "echo \\$\\$ > pid; exec sleep 300" & while [ "$(cat pid)" = $$ ]; do sleep 0.01; done; exit 0' USR2`,
  );
  const effects = hostEffects(dir.path);
  await restart(by("USR2", dir.path), effects, signal);
  const [successor = 0] = await eventually(async () => {
    const pids = await mainPids(by("USR2", dir.path), effects, signal);
    return pids.length === 1 && pids[0] !== old.pid && pids;
  });
  process.kill(successor, "SIGKILL");
});

test("a service that ends at TERM and is started again by somebody has been restarted", async () => {
  await using dir = await tempDir();
  await using watcher = await service(
    dir.path,
    "while :; do sh -c 'echo $$ > pid; exec sleep 300'; done & while :; do sleep 0.02; done",
  );
  const old = Number(await readFile(join(dir.path, "pid"), "utf8"));
  await restart(by("TERM", dir.path), hostEffects(dir.path), signal);
  const now = Number(await readFile(join(dir.path, "pid"), "utf8"));
  expect(now).not.toBe(old);
  expect(await processFact(now)).not.toBeNull();
  expect(watcher.pid).not.toBe(now);
});

test("a service that ends at TERM and that nobody starts again is a time-out", async () => {
  await using dir = await tempDir();
  await using web = await service(dir.path, "");
  const error = await rejection(restart(by("TERM", dir.path, 300), hostEffects(dir.path), signal));
  expect(error).toMatchObject({ code: "restart-timeout" });
  expect(error.message).toContain(`after 300 ms process ${web.pid} had ended, but no other stood in ${dir.path}/pid`);
});

test("a service that ignores TERM is a time-out", async () => {
  await using dir = await tempDir();
  await using web = await service(dir.path, "trap '' TERM");
  const error = await rejection(restart(by("TERM", dir.path, 300), hostEffects(dir.path), signal));
  expect(error.message).toContain(`process ${web.pid} still stood in`);
});

test.each(["0", "KILL", "STOP", "SEGV", "", "constructor"])(
  "the signal %p is refused before anything is sent",
  async (name) => {
    await using dir = await tempDir();
    await using web = await service(dir.path, "");
    expect(await rejection(restart(by(name, dir.path), hostEffects(dir.path), signal))).toMatchObject({
      code: "restart-failed",
      hint: expect.stringContaining("Use one of SIGHUP"),
    });
    expect(await processFact(web.pid)).not.toBeNull();
  },
);

test("a pid file that is not there is named", async () => {
  await using dir = await tempDir();
  const effects = hostEffects(dir.path);
  expect(await rejection(restart(by("HUP", dir.path, 100), effects, signal))).toMatchObject({
    code: "restart-failed",
    message: `Cannot send HUP to the service: there is no pid file ${dir.path}/pid.`,
    hint: "Is the service running, and does it write its pid there?",
  });
  expect(await mainPids(by("HUP", dir.path), effects, signal)).toEqual([]);
});

test.each(["", "web", "12 13", "-1", "0", "1", "1e3", "999999999"])(
  "no signal is sent for a pid file that holds %p",
  async (text) => {
    await using dir = await tempDir();
    await writeFile(join(dir.path, "pid"), text);
    const sent: number[] = [];
    const effects = { ...hostEffects(dir.path), kill: (pid: number) => void sent.push(pid) };
    expect(await rejection(restart(by("HUP", dir.path, 100), effects, signal))).toMatchObject({
      code: "restart-failed",
    });
    expect(sent).toEqual([]);
  },
);

test("a pid file that is older than the process it names is not believed", async () => {
  await using dir = await tempDir();
  await using web = await service(dir.path, "");
  const hourAgo = new Date(Date.now() - 3_600_000);
  await utimes(join(dir.path, "pid"), hourAgo, hourAgo);
  const error = await rejection(restart(by("HUP", dir.path, 100), hostEffects(dir.path), signal));
  expect(error.message).toContain(`pid is older than process ${web.pid}, so another process wrote it`);
  expect(await processFact(web.pid)).not.toBeNull();
});

test("it is believed where the process runs from the service's own directory, whatever the clocks say", async () => {
  await using dir = await tempDir();
  await using web = await service(dir.path, "trap 'touch told' HUP");
  const hourAgo = new Date(Date.now() - 3_600_000);
  await utimes(join(dir.path, "pid"), hourAgo, hourAgo);
  const effects = { ...hostEffects(dir.path), isOfService: async (pid: number) => pid === web.pid };
  await restart(by("HUP", dir.path), effects, signal);
  await eventually(() => existsSync(join(dir.path, "told")));
  expect(await mainPids(by("HUP", dir.path), effects, signal)).toEqual([web.pid]);
});
