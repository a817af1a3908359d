import { expect, test } from "bun:test";
import { existsSync, readdirSync, readlinkSync } from "node:fs";
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { trimLog } from "../../src/host/processes_output.ts";
import { eventually } from "../harness/eventually.ts";
import { tempDir } from "../harness/tempdir.ts";
import { endLeftRunning, runCommand } from "../harness/real_time.ts";

const source = (name: string): string => JSON.stringify(join(import.meta.dir, "../..", name));

const alive = (pid: number): boolean => existsSync(`/proc/${pid}/exe`);

async function pidIn(path: string): Promise<number> {
  return await eventually(async () => {
    const pid = Number(await readFile(path, "utf8"));
    return pid > 1 && pid;
  });
}

/** A process that runs `code` as an agent would, to be killed like one. */
function agent(cwd: string, code: string): Bun.Subprocess<"ignore", "pipe", "inherit"> {
  return Bun.spawn([process.execPath, "-e", code], { cwd, stdin: "ignore", stdout: "pipe", stderr: "inherit" });
}

const DAEMON = "(echo $$; exec sh -c 'echo $$ > daemon; while :; do echo tick; sleep 0.05; done') & echo started";

test("a service that a start command leaves behind outlives a killed agent, in its own session, holding nothing of it", async () => {
  await using dir = await tempDir();
  const killed = agent(
    dir.path,
    `const { runCommand } = await import(${source("test/harness/real_time.ts")});
     const { acquireLock } = await import(${source("src/host/lock.ts")});
     const lock = await acquireLock("agent.lock");
     const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("") });
     const socket = await Bun.connect({ hostname: "127.0.0.1", port: server.port, socket: { data() {} } });
     const result = await runCommand({ run: ${JSON.stringify(DAEMON)}, cwd: ".", env: {}, timeoutMs: 10000,
       logFile: "start.log", maxLogBytes: 10000, background: "leave", marker: "start", signal: new AbortController().signal });
     await Bun.write("result", JSON.stringify(result));
     setInterval(() => {}, 1000);`,
  );
  const pid = await pidIn(join(dir.path, "daemon"));
  try {
    await eventually(() => existsSync(join(dir.path, "result")));
    expect(JSON.parse(await readFile(join(dir.path, "result"), "utf8"))).toMatchObject({ kind: "exited", code: 0 });

    const files = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
    const log = join(dir.path, "start.log");
    expect(files.filter((file) => file !== log && file !== "/dev/null")).toEqual([]);
    const session = (await readFile(`/proc/${pid}/stat`, "utf8")).split(") ")[1]?.split(" ")[3];
    const agentSession = (await readFile(`/proc/${killed.pid}/stat`, "utf8")).split(") ")[1]?.split(" ")[3];
    expect(session).not.toBe(agentSession);
    expect(await readFile(`/proc/${pid}/environ`, "utf8")).not.toContain("DEPLOYD_STEP");

    killed.kill("SIGKILL");
    await killed.exited;
    const { size } = await stat(log);
    // It goes on writing, which it could not into a pipe that nobody reads any more.
    await eventually(async () => (await stat(log)).size > size + 50);
    expect(alive(pid)).toBe(true);
  } finally {
    process.kill(pid, "SIGKILL");
    killed.kill("SIGKILL");
  }
});

test("a start command is over when it has ended, however long its service keeps the output open", async () => {
  await using dir = await tempDir();
  const startedAt = performance.now();
  const result = await runCommand({
    run: "sh -c 'echo $$ > daemon; exec sleep 300' & while ! [ -s daemon ]; do sleep 0.01; done; echo started",
    cwd: dir.path,
    env: {},
    timeoutMs: 60_000,
    logFile: join(dir.path, "start.log"),
    maxLogBytes: 1000,
    background: "leave",
    signal: new AbortController().signal,
  });
  const pid = await pidIn(join(dir.path, "daemon"));
  expect(alive(pid)).toBe(true);
  process.kill(pid, "SIGKILL");
  expect(result).toEqual({ kind: "exited", code: 0, tail: "started\n" });
  expect(performance.now() - startedAt).toBeLessThan(30_000);
});

test("a start command's own flood of output is cut back to the limit", async () => {
  await using dir = await tempDir();
  const log = join(dir.path, "start.log");
  const result = await runCommand({
    run: "yes | head -c 50M; sleep 0.3; echo; echo the end",
    cwd: dir.path,
    env: {},
    timeoutMs: 60_000,
    logFile: log,
    maxLogBytes: 10_000,
    background: "leave",
    signal: new AbortController().signal,
  });
  expect(result.tail).toEndWith("the end\n");
  expect((await stat(log)).size).toBeLessThan(10_100);
  expect(await readFile(log, "utf8")).toEndWith("… output cut at 10000 bytes\n");
});

test("a start command that hangs is ended with what it has started", async () => {
  await using dir = await tempDir();
  const result = await runCommand({
    run: "sh -c 'echo $$ > daemon; exec sleep 300' & sleep 300",
    cwd: dir.path,
    env: {},
    timeoutMs: 500,
    killAfterMs: 200,
    logFile: join(dir.path, "start.log"),
    maxLogBytes: 1000,
    background: "leave",
    signal: new AbortController().signal,
  });
  expect(result.kind).toBe("timed-out");
  const pid = await pidIn(join(dir.path, "daemon"));
  await eventually(() => !alive(pid));
});

test("the log of a running service can be cut to its newest half without a gap in what follows", async () => {
  await using dir = await tempDir();
  const log = join(dir.path, "service.log");
  await writeFile(log, "line 0\n".repeat(600));
  const writer = Bun.spawn(
    ["sh", "-c", "i=0; while :; do i=$((i+1)); echo line $i >&3; sleep 0.001; done 3>>service.log"],
    {
      cwd: dir.path,
    },
  );
  try {
    const written = (await stat(log)).size;
    await eventually(async () => (await stat(log)).size > written + 50);
    await trimLog(log, 2000);
    expect((await stat(log)).size).toBeLessThan(2500);
    const { size } = await stat(log);
    await eventually(async () => (await stat(log)).size > size + 100);
    const text = await readFile(log, "utf8");
    expect(text).not.toContain("\0");
    expect(text).toStartWith("line ");
  } finally {
    writer.kill("SIGKILL");
    await writer.exited;
  }
});

test("what a killed agent's step left running is found by its marker and killed, and nothing else", async () => {
  await using dir = await tempDir();
  const marker = `install:${dir.path}`;
  const killed = agent(
    dir.path,
    `const { runCommand } = await import(${source("test/harness/real_time.ts")});
     const request = { cwd: ".", env: {}, timeoutMs: 60000, maxLogBytes: 1000, signal: new AbortController().signal };
     await Promise.all([
       runCommand({ ...request, run: "sh -c 'echo $$ > child; sleep 300' & setsid sh -c 'echo $$ > escaped; sleep 300' & sleep 300",
         logFile: "install.log", marker: ${JSON.stringify(marker)} }),
       runCommand({ ...request, run: "echo $$ > other; sleep 300", logFile: "other.log", marker: ${JSON.stringify(`${marker}2`)} }),
     ]);`,
  );
  const [child, escaped, other] = await Promise.all(
    ["child", "escaped", "other"].map((name) => pidIn(join(dir.path, name))),
  );
  killed.kill("SIGKILL");
  await killed.exited;
  expect([child, escaped, other].map((pid) => alive(pid ?? 0))).toEqual([true, true, true]);

  expect(await endLeftRunning(marker)).toBeGreaterThanOrEqual(3);
  expect([child, escaped].map((pid) => alive(pid ?? 0))).toEqual([false, false]);
  expect(alive(other ?? 0)).toBe(true);
  expect(await endLeftRunning(`${marker}2`)).toBeGreaterThanOrEqual(1);
  expect(await endLeftRunning(marker)).toBe(0);
});

test("a start that a killed agent left half done is ended with all it has started, and a service that runs is not", async () => {
  await using dir = await tempDir();
  const marker = `start:${dir.path}`;
  const killed = agent(
    dir.path,
    `const { runCommand } = await import(${source("test/harness/real_time.ts")});
     const request = { cwd: ".", env: {}, timeoutMs: 60000, maxLogBytes: 1000, background: "leave",
       marker: ${JSON.stringify(`${marker}#1`)}, signal: new AbortController().signal };
     await runCommand({ ...request, run: "sh -c 'echo $$ > running; sleep 300' & :", logFile: "done.log" });
     await runCommand({ ...request, run: "sh -c 'echo $$ > half; sleep 300' & echo $$ > shell; sleep 300; echo late > late",
       logFile: "half.log" });`,
  );
  const [service, half, shell] = await Promise.all(
    ["running", "half", "shell"].map((name) => pidIn(join(dir.path, name))),
  );
  killed.kill("SIGKILL");
  await killed.exited;
  try {
    expect([service, half, shell].map((pid) => alive(pid ?? 0))).toEqual([true, true, true]);
    expect(await endLeftRunning(marker)).toBeGreaterThanOrEqual(1);
    await eventually(() => !alive(half ?? 0) && !alive(shell ?? 0));
    expect(alive(service ?? 0)).toBe(true);
    expect(await endLeftRunning(marker)).toBe(0);
  } finally {
    if (service !== undefined) process.kill(service, "SIGKILL");
  }
});

test("what one command leaves is ended without touching a command that runs at the same time", async () => {
  await using dir = await tempDir();
  const marker = `step:${dir.path}`;
  const { signal } = new AbortController();
  const start = (run: string, part: string) =>
    runCommand({
      run,
      cwd: dir.path,
      env: {},
      timeoutMs: 60_000,
      logFile: join(dir.path, `${part}.log`),
      maxLogBytes: 1_000,
      marker: `${marker}#${part}`,
      signal,
    });
  const other = start("until [ -e go ]; do sleep 0.05; done; echo done", "2");
  await start("sleep 60 & true", "1");
  await writeFile(join(dir.path, "go"), "");
  expect(await other).toMatchObject({ kind: "exited", code: 0 });
  // A successor of a killed agent knows them all by what is before the part.
  const left = start("sleep 60", "3");
  await eventually(async () => (await endLeftRunning(marker)) > 0);
  expect(await left).toMatchObject({ kind: "signalled" });
});
