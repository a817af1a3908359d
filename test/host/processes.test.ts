import { expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { mkdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { userByName } from "../../src/host/users.ts";
import type { CommandRequest } from "../../src/support/command.ts";
import { eventually } from "../harness/eventually.ts";
import { tempDir } from "../harness/tempdir.ts";
import { mountTmpfs } from "../harness/tmpfs.ts";
import { rejection } from "../harness/rejection.ts";
import { runCommand } from "../harness/real_time.ts";

function request(dir: string, run: CommandRequest["run"], more: Partial<CommandRequest> = {}): CommandRequest {
  return {
    run,
    cwd: dir,
    env: {},
    timeoutMs: 30_000,
    logFile: join(dir, "log", "step.log"),
    maxLogBytes: 100_000,
    signal: new AbortController().signal,
    ...more,
  };
}

const openFiles = (): number => readdirSync("/proc/self/fd").length;
const alive = (pid: number): boolean => existsSync(`/proc/${pid}/exe`) && pid > 0;

async function pidIn(path: string): Promise<number> {
  return await eventually(async () => {
    const pid = Number(await readFile(path, "utf8"));
    return pid > 1 && pid;
  });
}

test("both streams of a command end up in its log in the order written, and its exit code is told", async () => {
  await using dir = await tempDir();
  const run = "echo one; echo two >&2; echo three >/dev/stderr; echo four >/dev/stdout; exit 3";
  const result = await runCommand(request(dir.path, run));
  expect(result).toEqual({ kind: "exited", code: 3, tail: "one\ntwo\nthree\nfour\n" });
  expect(await readFile(join(dir.path, "log/step.log"), "utf8")).toBe("one\ntwo\nthree\nfour\n");
});

test("a command ended by a signal says which", async () => {
  await using dir = await tempDir();
  expect(await runCommand(request(dir.path, "kill -9 $$"))).toEqual({ kind: "signalled", signal: "SIGKILL", tail: "" });
});

test("a command sees the environment it was given, a PATH, and nothing of the agent's", async () => {
  await using dir = await tempDir();
  process.env["DEPLOYD_TEST_LEAK"] = "leaked";
  const env = {
    BUILD: "9b1e0d4",
    NOTIFY_SOCKET: "/run/systemd/notify",
    WATCHDOG_USEC: "5",
    LISTEN_FDS: "1",
    BUN_OPTIONS: "--preload x",
    DEPLOYD_STEP: "somebody else's",
  };
  const { tail } = await runCommand(request(dir.path, ["env"], { env, marker: "install:web" }));
  delete process.env["DEPLOYD_TEST_LEAK"];
  const names = tail.trim().split("\n").sort();
  expect(names).toEqual([
    "BUILD=9b1e0d4",
    "DEPLOYD_STEP=install:web",
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  ]);
});

test("a list of words reaches the program as it is, untouched by a shell", async () => {
  await using dir = await tempDir();
  const { tail } = await runCommand(request(dir.path, ["printf", "%s\n", "$HOME; echo no", "*"]));
  expect(tail).toBe("$HOME; echo no\n*\n");
});

test("a new log replaces the old one unless it is to go on after it", async () => {
  await using dir = await tempDir();
  await runCommand(request(dir.path, "echo one"));
  await runCommand(request(dir.path, "echo two"));
  await runCommand(request(dir.path, "echo three", { log: "append" }));
  expect(await readFile(join(dir.path, "log/step.log"), "utf8")).toBe("two\nthree\n");
});

test("a gigabyte of output costs neither disk nor memory, and its end is still known", async () => {
  await using dir = await tempDir();
  // In a process of its own, so that its peak memory is that of this one command.
  const source = `
    const { runCommand } = await import(${JSON.stringify(join(import.meta.dir, "../harness/real_time.ts"))});
    const { readFileSync } = await import("node:fs");
    const result = await runCommand({ run: "yes | head -c 1G; echo; echo the end", cwd: ".", env: {}, timeoutMs: 60000,
      logFile: "big.log", maxLogBytes: 100000, signal: new AbortController().signal });
    const peakKb = Number(/VmHWM:\\s+(\\d+)/.exec(readFileSync("/proc/self/status", "utf8"))[1]);
    console.log(JSON.stringify({ kind: result.kind, end: result.tail.slice(-10), tail: result.tail.length, peakKb }));`;
  const child = Bun.spawn([process.execPath, "-e", source], { cwd: dir.path, stdout: "pipe", stderr: "inherit" });
  const told = JSON.parse(await new Response(child.stdout).text());
  expect(told).toMatchObject({ kind: "exited", end: "y\n\nthe end\n".slice(-10) });
  expect(told.tail).toBeLessThanOrEqual(2048);
  expect(told.peakKb).toBeLessThan(150_000);
  expect((await stat(join(dir.path, "big.log"))).size).toBeLessThan(100_200);
  const log = await readFile(join(dir.path, "big.log"), "utf8");
  expect(log).toContain("… output cut at 100000 bytes\n");
  expect(log).toEndWith("… 1073741833 bytes were written in all\n");
}, 60_000);

test("output of exactly the limit is not called cut", async () => {
  await using dir = await tempDir();
  await runCommand(request(dir.path, "printf 12345; printf 67890", { maxLogBytes: 10 }));
  expect(await readFile(join(dir.path, "log/step.log"), "utf8")).toBe("1234567890");
});

test("a command that hangs is ended in time with all its children, also those that ignore TERM", async () => {
  await using dir = await tempDir();
  const run = `trap '' TERM
    sh -c 'trap "" TERM; sh -c "trap \\"\\" TERM; echo \\$\\$ > grandchild; sleep 300; sleep 300" & wait; sleep 300' &
    echo waiting; sleep 300; sleep 300`;
  const hanging = runCommand(request(dir.path, run, { timeoutMs: 1500, killAfterMs: 200 }));
  const grandchild = await pidIn(join(dir.path, "grandchild"));
  expect(alive(grandchild)).toBe(true);
  expect(await hanging).toEqual({ kind: "timed-out", tail: "waiting\n" });
  await eventually(() => !alive(grandchild));
}, 20_000);

test("a command that ends at TERM does not wait for KILL", async () => {
  await using dir = await tempDir();
  const startedAt = performance.now();
  const result = await runCommand(request(dir.path, "sleep 300", { timeoutMs: 100, killAfterMs: 60_000 }));
  expect(result.kind).toBe("timed-out");
  expect(performance.now() - startedAt).toBeLessThan(30_000);
});

test("a command that is called off is killed before the error is thrown", async () => {
  await using dir = await tempDir();
  const stop = new AbortController();
  const running = runCommand(request(dir.path, "echo $$ > pid; sleep 300", { signal: stop.signal }));
  const pid = await pidIn(join(dir.path, "pid"));
  stop.abort();
  expect(await rejection(running)).toMatchObject({ code: "aborted", retry: true });
  expect(alive(pid)).toBe(false);
});

test("nothing is started under a signal that is aborted already", async () => {
  await using dir = await tempDir();
  const running = runCommand(request(dir.path, "touch started", { signal: AbortSignal.abort() }));
  expect(await rejection(running)).toMatchObject({ code: "aborted" });
  expect(existsSync(join(dir.path, "started"))).toBe(false);
});

test("what an install step leaves in the background ends with it, also in a session of its own", async () => {
  await using dir = await tempDir();
  const run = `sh -c 'echo $$ > plain; sleep 300' &
    setsid sh -c 'echo $$ > escaped; sleep 300' &
    while ! [ -s plain ] || ! [ -s escaped ]; do sleep 0.01; done; echo done`;
  const result = await runCommand(request(dir.path, run, { marker: `install:${dir.path}` }));
  expect(result).toEqual({ kind: "exited", code: 0, tail: "done\n" });
  for (const name of ["plain", "escaped"]) {
    const pid = await pidIn(join(dir.path, name));
    await eventually(() => !alive(pid));
  }
});

test("a step whose output somebody holds open for ever is over when the step is", async () => {
  await using dir = await tempDir();
  // No marker: the escaped process cannot be found, and keeps the pipe.
  const run = "setsid sh -c 'echo $$ > escaped; sleep 300' & while ! [ -s escaped ]; do sleep 0.01; done; echo done";
  const result = await runCommand(request(dir.path, run));
  const escaped = await pidIn(join(dir.path, "escaped"));
  process.kill(-escaped, "SIGKILL");
  expect(result).toEqual({ kind: "exited", code: 0, tail: "done\n" });
});

test("a command runs as the user it was given, with that user's groups and home and none of root's", async () => {
  await using dir = await tempDir();
  const nobody = userByName("nobody");
  const running = runCommand(
    request(dir.path, 'id -u; id -G; echo "$USER $HOME"; echo seen >/dev/stderr', { user: nobody, cwd: "/" }),
  );
  if (process.getuid?.() === 0) {
    const { tail } = await running;
    expect(tail).toBe(`${nobody.uid}\n${nobody.gid}\nnobody ${nobody.home}\nseen\n`);
  } else {
    expect(await rejection(running)).toMatchObject({ code: "config-invalid" });
  }
});

test("a user that the host does not know is refused by name", () => {
  expect(() => userByName("no-such-user-here")).toThrow('Cannot run commands as "no-such-user-here"');
  expect(() => userByName("-x")).toThrow('Cannot run commands as "-x"');
});

test("a program or a directory that is not there is an error that names it", async () => {
  await using dir = await tempDir();
  expect((await rejection(runCommand(request(dir.path, ["no-such-program"])))).message).toContain(
    'Cannot run "no-such-program"',
  );
  expect((await rejection(runCommand(request(dir.path, "true", { cwd: "/no/such/dir" })))).message).toContain(
    "in /no/such/dir",
  );
  expect(await runCommand(request(dir.path, "no-such-program"))).toMatchObject({ kind: "exited", code: 127 });
});

test("a log that cannot be opened is an error that names it", async () => {
  await using dir = await tempDir();
  await mkdir(join(dir.path, "log/step.log"), { recursive: true });
  expect((await rejection(runCommand(request(dir.path, "true")))).message).toContain("step.log");
});

test("a log on a full disk is told in the tail of what failed, and the command runs to its end", async () => {
  await using dir = await tempDir();
  // /dev/full answers every write with ENOSPC.
  const full = { logFile: "/dev/full", log: "append" } as const;
  const result = await runCommand(request(dir.path, "yes | head -c 1M; echo; echo done; exit 3", full));
  expect(result).toMatchObject({ kind: "exited", code: 3 });
  expect(result.tail).toContain("done\n");
  expect(result.tail).toContain('Cannot write the log "/dev/full": no space is left (ENOSPC).');
  // What a supervisor's tool answers is read.
  expect(await runCommand(request(dir.path, "echo ActiveState=active", full))).toEqual({
    kind: "exited",
    code: 0,
    tail: "ActiveState=active\n",
  });
});

// Only root may mount.
test.if(process.getuid?.() === 0)("a log that finds no room on a full disk keeps no command from running", async () => {
  await using dir = await tempDir();
  // No name fits beside its root.
  await using _mount = await mountTmpfs(join(dir.path, "log"), "size=4k,nr_inodes=1");
  const before = await stat("/dev/null");
  const logFile = join(dir.path, "log", "v1", "step.log");
  const user = userByName("nobody");
  for (const background of ["kill", "leave"] as const) {
    const more = { logFile, background, user, marker: "step:full" };
    const said = "echo said; echo again > /dev/stderr; exit";
    expect(await runCommand(request("/", `${said} 0`, more))).toMatchObject({ kind: "exited", code: 0 });
    const failed = await runCommand(request("/", `${said} 3`, more));
    expect(failed).toMatchObject({ kind: "exited", code: 3 });
    expect(failed.tail).toContain(`Cannot open the log "${logFile}": no space is left (ENOSPC).`);
  }
  const after = await stat("/dev/null");
  expect([after.uid, after.mode]).toEqual([before.uid, before.mode]);
});

test("a thousand commands leave no file open", async () => {
  await using dir = await tempDir();
  await runCommand(request(dir.path, "true"));
  const before = openFiles();
  for (let round = 0; round < 125; round++) {
    const batch = Array.from({ length: 8 }, (_, index) =>
      runCommand(
        request(dir.path, "echo $$", {
          logFile: join(dir.path, `${index}.log`),
          background: index % 2 === 0 ? "kill" : "leave",
        }),
      ),
    );
    for (const result of await Promise.all(batch)) expect(result).toMatchObject({ kind: "exited", code: 0 });
  }
  await eventually(() => openFiles() <= before);
}, 60_000);
