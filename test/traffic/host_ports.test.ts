import { expect, test } from "bun:test";
import { readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { eventually } from "../harness/eventually.ts";
import { rejection } from "../harness/rejection.ts";
import { tempDir } from "../harness/tempdir.ts";
import { trafficEffects } from "../harness/real_time.ts";

const effects = trafficEffects();
const { signal } = new AbortController();
const options = { timeoutMs: 10_000, signal };

test("a tool gets its input, no shell, and an environment in which it speaks English", async () => {
  expect(await effects.tool(["cat"], { ...options, input: "*nat\nCOMMIT\n" })).toEqual({
    code: 0,
    stdout: "*nat\nCOMMIT\n",
    stderr: "",
  });
  expect((await effects.tool(["echo", "$HOME; exit 3"], options)).stdout).toBe("$HOME; exit 3\n");
  expect((await effects.tool(["env"], options)).stdout.trim().split("\n").toSorted()).toEqual([
    "LANG=C",
    "LC_ALL=C",
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  ]);
});

test("how a tool ended and what it said are handed back", async () => {
  expect(await effects.tool(["sh", "-c", "echo out; echo err >&2; exit 4"], options)).toEqual({
    code: 4,
    stdout: "out\n",
    stderr: "err\n",
  });
  expect((await effects.tool(["sh", "-c", "kill -9 $$"], options)).code).toBe(137);
  const { stdout } = await effects.tool(["sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x"], options);
  expect(stdout.length).toBe(3_000_000);
});

test("a tool may leave its input unread", async () => {
  const { code } = await effects.tool(["true"], { ...options, input: "x".repeat(1_000_000) });
  expect(code).toBe(0);
});

test("a program that is not there is found missing and is an error", async () => {
  expect(effects.find("no-such-nft")).toBeNull();
  expect(effects.find("sh")).toEndWith("/sh");
  expect(await rejection(effects.tool(["no-such-nft"], options))).toMatchObject({
    code: "traffic-failed",
    message: expect.stringContaining('Cannot run "no-such-nft": there is no such program in /usr/local/sbin:'),
  });
});

/** Lines that the shell `run` has written; its child has another pid than itself. */
async function pidsOf(file: string): Promise<number[]> {
  return await eventually(async () => {
    const pids = (await readFile(file, "utf8")).trim().split("\n").map(Number);
    return pids.length === 2 && pids;
  });
}

async function areGone(pids: readonly number[]): Promise<boolean> {
  const states = pids.map((pid) => readFile(`/proc/${pid}/stat`, "utf8").catch(() => ""));
  return (await Promise.all(states)).every((stat) => stat === "" || stat.includes(") Z "));
}

test("past its time a hook is killed with all that it started", async () => {
  await using dir = await tempDir();
  const file = join(dir.path, "pids");
  const hook = effects.hook(`echo $$ > ${file}; sleep 300 & echo $! >> ${file}; wait`, {}, { timeoutMs: 500, signal });
  const pids = await pidsOf(file);
  const error = await rejection(hook);
  expect(error).toMatchObject({ code: "traffic-failed" });
  expect(error.message).toContain("it was not done after 500 ms and was killed.");
  await eventually(() => areGone(pids));
});

test("a hook that is called off is killed the same way", async () => {
  await using dir = await tempDir();
  const file = join(dir.path, "pids");
  const stop = new AbortController();
  const hook = effects.hook(
    `echo $$ > ${file}; sleep 300 & echo $! >> ${file}; wait`,
    {},
    { timeoutMs: 60_000, signal: stop.signal },
  );
  const pids = await pidsOf(file);
  stop.abort();
  expect(await rejection(hook)).toMatchObject({ code: "aborted" });
  await eventually(() => areGone(pids));
  expect(await rejection(effects.hook("true", {}, { timeoutMs: 1000, signal: stop.signal }))).toMatchObject({
    code: "aborted",
  });
});

test("a hook has a session of its own and only the given variables", async () => {
  const { stdout } = await effects.hook(
    "env | cut -d= -f1; cut -d' ' -f6 /proc/$$/stat; echo $$",
    { DEPLOYD_SERVICE: "web" },
    options,
  );
  const lines = stdout.trim().split("\n");
  const [session, pid] = lines.slice(-2);
  expect(session).toBe(pid ?? "");
  // PWD, OLDPWD, SHLVL and _ are the shell's own.
  const names = lines.slice(0, -2).filter((name) => !/^(?:PWD|OLDPWD|SHLVL|_)$/.test(name));
  expect(names.toSorted()).toEqual(["DEPLOYD_SERVICE", "PATH"]);
});

test("a hook that leaves something in the background is not waited for", async () => {
  await using dir = await tempDir();
  const file = join(dir.path, "pid");
  const { code, stdout } = await effects.hook(`echo said; sleep 300 & echo $! > ${file}`, {}, options);
  try {
    expect({ code, stdout }).toEqual({ code: 0, stdout: "said\n" });
  } finally {
    process.kill(Number(await readFile(file, "utf8")), "SIGKILL");
  }
});

test("a socket is asked and answers until it closes", async () => {
  await using dir = await tempDir();
  const path = join(dir.path, "s.sock");
  await using server = createServer((socket) => {
    socket.once("data", (text) => {
      socket.write(`${text.toString().trim()}?\n`);
      setImmediate(() => socket.end("yes\n"));
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  expect(await effects.ask(path, "well\n", options)).toBe("well?\nyes\n");
  expect(await rejection(effects.ask(join(dir.path, "none"), "well\n", options))).toMatchObject({
    code: "traffic-failed",
    message: expect.stringContaining(`Cannot ask the socket ${join(dir.path, "none")}: `),
  });
  const stop = new AbortController();
  stop.abort();
  expect(await rejection(effects.ask(path, "well\n", { ...options, signal: stop.signal }))).toMatchObject({
    code: "aborted",
  });
});

test("a file is read, and its absence is null", async () => {
  expect(await effects.read("/proc/net/tcp")).toContain("local_address");
  expect(await effects.read("/proc/net/no_such_table")).toBeNull();
});
