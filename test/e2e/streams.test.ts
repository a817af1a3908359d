import { afterAll, beforeAll, expect, test } from "bun:test";
import { closeSync, openSync, read } from "node:fs";
import { join } from "node:path";
import { TEST_MS } from "../harness/fleet_patience.ts";
import { deploydBinary } from "../harness/binary.ts";
import { run } from "../harness/fleet_program.ts";
import { tempDir } from "../harness/tempdir.ts";
import { enabledPath } from "../../src/store/paths.ts";
import { systemClock } from "../../src/support/clock.ts";
import { ZooKeeper } from "../../src/zookeeper/client.ts";
import { startDevServer, type DevServer } from "../../src/zookeeper/server/dev_server.ts";

/* What becomes of a command whose output nobody takes: by the compiled binary, for each command there is. */

let server: DevServer;
let binary: string;
const digest = `sha256:${"ab".repeat(32)}`;

beforeAll(async () => {
  binary = await deploydBinary();
  server = await startDevServer({ clock: systemClock });
  await ctl("services", "set", "web");
  // Its commit makes the list longer than any pipe holds.
  await ctl(
    "builds",
    "add",
    "web",
    "https://x/v1",
    "--build",
    "v1",
    "--digest",
    digest,
    "--size",
    "1",
    "--commit",
    long,
  );
});
afterAll(() => server.close());

const long = "c".repeat(100_000);
const environment = () => ({ DEPLOYD_ZOOKEEPER: server.connectString });

async function ctl(...args: string[]): Promise<void> {
  const { code, stderr } = await run([binary, "ctl", ...args], { env: environment() });
  expect({ args, code, stderr }).toEqual({ args, code: 0, stderr: "" });
}

/** Runs a line of bash with `deployd` as the binary; the exit code is that of the first program of its pipe. */
function piped(line: string, timeoutMs = 30_000) {
  const script = `deployd() { '${binary}' "$@"; }; ${line}; exit "\${PIPESTATUS[0]}"`;
  return run(["bash", "-c", script], { env: environment(), timeoutMs });
}

const commands = [
  ["version"],
  ["--help"],
  ["help", "configuration"],
  ["ctl", "--help"],
  ["ctl", "status", "--help"],
  ["ctl", "status"],
  ["ctl", "status", "web", "--json"],
  ["ctl", "services", "list"],
  ["ctl", "builds", "list", "web"],
  ["ctl", "status", "--watch"],
  ["ctl", "status", "--watch", "--json"],
  ["pack", "--help"],
  ["doctor", "--json"],
  ["dev", "--help"],
  ["agent", "--help"],
];

test(
  "nobody reads it: each command ends quietly, as by SIGPIPE",
  async () => {
    await using dir = await tempDir();
    const fifo = join(dir.path, "fifo");
    Bun.spawnSync(["mkfifo", fifo]);
    const ended = await Promise.all(commands.map((args) => withoutReader(fifo, args)));
    expect(ended).toEqual(commands.map((args) => ({ args, code: 141, stderr: "" })));
  },
  TEST_MS,
);

async function withoutReader(fifo: string, args: readonly string[]) {
  const reader = openSync(fifo, "r+");
  const writer = openSync(fifo, "w");
  closeSync(reader);
  const child = Bun.spawn([binary, ...args], {
    env: { PATH: process.env["PATH"] ?? "", ...environment() },
    stdin: "ignore",
    stdout: writer,
    stderr: "pipe",
  });
  closeSync(writer);
  return { args, stderr: await new Response(child.stderr).text(), code: await child.exited };
}

test(
  "its disk is full, or it is closed: each command ends with 1, and says what could not be written",
  async () => {
    for (const args of commands) {
      const full = await piped(`deployd ${args.join(" ")} > /dev/full`);
      expect({ args, code: full.code, stderr: full.stderr }).toEqual({
        args,
        code: 1,
        stderr: "deployd: Cannot write to stdout: ENOSPC, no space left on device.\n",
      });
    }
    const closed = await piped("deployd ctl status >&-");
    expect({ code: closed.code, stderr: closed.stderr }).toEqual({
      code: 1,
      stderr: "deployd: Cannot write to stdout: it is closed.\n",
    });
    // What went wrong besides keeps its own code.
    const both = await piped("deployd ctl status wbe --json > /dev/full");
    expect({ code: both.code, stderr: both.stderr }).toMatchObject({
      code: 64,
      stderr: expect.stringContaining('There is no service "wbe"'),
    });
    expect(await piped("deployd ctl status 2> /dev/full")).toMatchObject({ code: 0 });
  },
  TEST_MS,
);

test(
  "its reader leaves: what watches ends by itself, though nothing moves, and a deploy goes on",
  async () => {
    const watched = await piped("deployd ctl status --watch | head -1");
    expect(watched).toMatchObject({ code: 141, stderr: "", stdout: expect.stringContaining("SERVICE") });
    const followed = await piped("deployd ctl deploy web v1 | head -1");
    expect(followed).toMatchObject({ code: 141, stderr: "", stdout: expect.stringContaining("web v1") });
    await using zk = new ZooKeeper({ clock: systemClock, servers: `${server.connectString}/deployd` });
    expect(JSON.parse((await zk.get(enabledPath("web"))).data.toString())).toMatchObject({ build: "v1" });
  },
  TEST_MS,
);

test(
  "its reader is slow: nothing of it is lost",
  async () => {
    const slow = await piped("deployd ctl builds list web --json | { sleep 0.5; cat; }");
    expect(slow).toMatchObject({ code: 0, stderr: "" });
    expect(slow.stdout.length).toBeGreaterThan(long.length);
    expect(JSON.parse(slow.stdout)).toMatchObject({ builds: [{ commit: long }] });
  },
  TEST_MS,
);

test(
  "its reader takes nothing: it can still be told to stop",
  async () => {
    await using dir = await tempDir();
    const fifo = join(dir.path, "fifo");
    Bun.spawnSync(["mkfifo", fifo]);
    const reader = openSync(fifo, "r+");
    const child = Bun.spawn([binary, "ctl", "builds", "list", "web", "--json"], {
      env: environment(),
      stdin: "ignore",
      stdout: openSync(fifo, "w"),
      stderr: "pipe",
    });
    const begun = await new Promise<number>((resolve, reject) =>
      read(reader, Buffer.alloc(1), 0, 1, null, (error, count) => (error === null ? resolve(count) : reject(error))),
    );
    expect(begun).toBe(1);
    child.kill("SIGTERM");
    expect({ code: await child.exited, stderr: await new Response(child.stderr).text() }).toEqual({
      code: 143,
      stderr: "",
    });
    closeSync(reader);
  },
  TEST_MS,
);

test(
  "its terminal does not know how wide it is: nothing is cut but what 80 columns do not hold",
  async () => {
    const { stdout, code } = await run(["script", "-qec", `stty cols 0 rows 0; '${binary}' ctl status`, "/dev/null"], {
      env: environment(),
    });
    expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining("SERVICE") });
    expect(stdout).toContain("web");
  },
  TEST_MS,
);
