import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { canMakeGroups, groupsOf } from "../../src/host/control_group.ts";
import { systemClock } from "../../src/support/clock.ts";
import type { CommandRequest } from "../../src/support/command.ts";
import { eventually } from "../harness/eventually.ts";
import { endLeftRunning, runCommand } from "../harness/real_time.ts";
import { rejection } from "../harness/rejection.ts";
import { tempDir } from "../harness/tempdir.ts";

/* What a command has of its agent, and what of a command is left when it is over. */

const source = (name: string): string => JSON.stringify(join(import.meta.dir, "../..", name));
const alive = (pid: number): boolean => existsSync(`/proc/${pid}/exe`);

/** A session, a parent and an environment of its own: nothing that it inherited is left in it but its control group. */
const daemon = (file: string): string =>
  `setsid env -i sh -c 'echo $$ > ${file}.new; mv ${file}.new ${file}; exec sleep 300' > /dev/null 2>&1 &
   while ! [ -e ${file} ]; do sleep 0.01; done`;

async function pidIn(path: string): Promise<number> {
  return await eventually(async () => {
    const pid = Number(await readFile(path, "utf8"));
    return pid > 1 && pid;
  });
}

function request(dir: string, run: string, more: Partial<CommandRequest> = {}): CommandRequest {
  return {
    run,
    cwd: dir,
    env: {},
    timeoutMs: 30_000,
    logFile: join(dir, "step.log"),
    maxLogBytes: 100_000,
    marker: `step:${dir}#1`,
    signal: new AbortController().signal,
    ...more,
  };
}

const makesGroups = await canMakeGroups(systemClock);

/** Runs it until its daemon is there, and calls it off. */
async function calledOff(what: CommandRequest, file: string): Promise<number> {
  const off = new AbortController();
  const running = rejection(runCommand({ ...what, killAfterMs: 200, signal: off.signal }));
  const pid = await pidIn(file);
  expect(alive(pid)).toBe(true);
  off.abort(new Error("called off"));
  expect(await running).toMatchObject({ code: "aborted" });
  return pid;
}

test("a command may have as many files open as is usual, whatever the runtime has made of it, and ask for more", async () => {
  await using dir = await tempDir();
  const child = Bun.spawn(
    [
      "sh",
      "-c",
      'ulimit -Sn 700; exec "$@"',
      "sh",
      process.execPath,
      "-e",
      `const { runCommand } = await import(${source("test/harness/real_time.ts")});
       const request = { cwd: ".", env: {}, timeoutMs: 30000, logFile: "log", maxLogBytes: 1000, signal: new AbortController().signal };
       const line = await runCommand({ ...request, run: "ulimit -Sn; ulimit -Hn; ulimit -n $(ulimit -Hn); ulimit -Sn", marker: "a#1" });
       const left = await runCommand({ ...request, run: "ulimit -Sn", background: "leave", marker: "a#2" });
       console.log(JSON.stringify([line.tail, left.tail].map((tail) => tail.trim().split("\\n"))));`,
    ],
    { cwd: dir.path, stdout: "pipe", stderr: "inherit" },
  );
  const [line = [], left] = JSON.parse(await new Response(child.stdout).text()) as string[][];
  expect([line[0], left]).toEqual(["1024", ["1024"]]);
  expect(Number(line[1])).toBeGreaterThan(1024);
  expect(line[2]).toBe(line[1] ?? "");
});

test("where fewer files are allowed that is what a command has", async () => {
  await using dir = await tempDir();
  const child = Bun.spawn(
    [
      "sh",
      "-c",
      'ulimit -n 300; exec "$@"',
      "sh",
      process.execPath,
      "-e",
      `const { runCommand } = await import(${source("test/harness/real_time.ts")});
       console.log((await runCommand({ run: "ulimit -Sn", cwd: ".", env: {}, timeoutMs: 30000, logFile: "log", maxLogBytes: 1000,
         signal: new AbortController().signal })).tail);`,
    ],
    { cwd: dir.path, stdout: "pipe", stderr: "inherit" },
  );
  expect((await new Response(child.stdout).text()).trim()).toBe("300");
});

test.if(makesGroups)("a step's daemon ends with it, whatever it has made of its session and environment", async () => {
  await using dir = await tempDir();
  for (const code of [0, 3]) {
    const file = `ends-with-${code}`;
    expect(await runCommand(request(dir.path, `${daemon(file)}\nexit ${code}`))).toMatchObject({ code });
    expect(alive(await pidIn(join(dir.path, file)))).toBe(false);
  }
  const hung = request(dir.path, `${daemon("hangs")}\nsleep 300`);
  expect(alive(await calledOff(hung, join(dir.path, "hangs")))).toBe(false);
});

test.if(makesGroups)("a start's daemon is the service where it ends well, and ended where it does not", async () => {
  await using dir = await tempDir();
  const leave = { background: "leave" } as const;
  await runCommand(request(dir.path, daemon("service"), leave));
  const service = await pidIn(join(dir.path, "service"));
  try {
    expect(alive(service)).toBe(true);
    await runCommand(request(dir.path, `${daemon("failed")}\nexit 1`, leave));
    expect(alive(await pidIn(join(dir.path, "failed")))).toBe(false);
    const hung = request(dir.path, `${daemon("hung")}\nsleep 300`, leave);
    expect(alive(await calledOff(hung, join(dir.path, "hung")))).toBe(false);
    // A killed agent's leftovers are not its service.
    expect(await endLeftRunning(`step:${dir.path}`)).toBe(0);
    expect(alive(service)).toBe(true);
  } finally {
    process.kill(service, "SIGKILL");
  }
  await eventually(() => !alive(service));
  await endLeftRunning(`step:${dir.path}`);
  const left = (["step", "start"] as const).map((kind) => groupsOf(`step:${dir.path}`, kind));
  expect((await Promise.all(left)).flat()).toEqual([]);
});

test.if(makesGroups)(
  "daemons of a killed agent's step, and of its half start, are found without their environment",
  async () => {
    await using dir = await tempDir();
    const marker = `step:${dir.path}`;
    const killed = Bun.spawn(
      [
        process.execPath,
        "-e",
        `const { runCommand } = await import(${source("test/harness/real_time.ts")});
       const request = { cwd: ".", env: {}, timeoutMs: 60000, maxLogBytes: 1000, signal: new AbortController().signal };
       await Promise.all([
         runCommand({ ...request, run: ${JSON.stringify(`${daemon("step")}\nsleep 300`)}, logFile: "a.log", marker: ${JSON.stringify(`${marker}#1`)} }),
         runCommand({ ...request, run: ${JSON.stringify(`${daemon("half")}\nsleep 300`)}, logFile: "b.log", marker: ${JSON.stringify(`${marker}#2`)}, background: "leave" }),
         runCommand({ ...request, run: ${JSON.stringify(`${daemon("other")}\nsleep 300`)}, logFile: "c.log", marker: ${JSON.stringify(`${marker}2#1`)} }),
       ]);`,
      ],
      { cwd: dir.path, stdin: "ignore", stderr: "inherit" },
    );
    const pids = await Promise.all(["step", "half", "other"].map((name) => pidIn(join(dir.path, name))));
    killed.kill("SIGKILL");
    await killed.exited;
    expect(pids.map(alive)).toEqual([true, true, true]);
    await endLeftRunning(marker);
    expect(pids.map(alive)).toEqual([false, false, true]);
    await endLeftRunning(`${marker}2`);
    expect(pids.map(alive)).toEqual([false, false, false]);
  },
);
