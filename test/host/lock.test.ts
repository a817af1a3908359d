import { expect, test } from "bun:test";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { acquireLock } from "../../src/host/lock.ts";
import { eventually } from "../harness/eventually.ts";
import { tempDir } from "../harness/tempdir.ts";
import { mountTmpfs } from "../harness/tmpfs.ts";
import { rejection } from "../harness/rejection.ts";

const LOCK_MODULE = JSON.stringify(join(import.meta.dir, "../../src/host/lock.ts"));

/** Another process that holds the lock, and a child of it that lives on. */
async function otherHolder(path: string): Promise<{ pid: number; childPid: number; kill: () => Promise<void> }> {
  const child = Bun.spawn(
    [
      process.execPath,
      "-e",
      `const { acquireLock } = await import(${LOCK_MODULE});
       await acquireLock(${JSON.stringify(path)});
       // Nobody keeps the handle: the lock must not be lost to the garbage collector.
       Bun.gc(true);
       const child = Bun.spawn(["sleep", "300"], { stdio: ["ignore", "ignore", "ignore"] });
       console.log(child.pid);
       setInterval(() => {}, 1000);`,
    ],
    { stdout: "pipe", stderr: "inherit" },
  );
  const { value } = await child.stdout.getReader().read();
  return {
    pid: child.pid,
    childPid: Number(new TextDecoder().decode(value)),
    kill: async () => {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

test("a second agent is refused with the pid of the first and the file", async () => {
  await using dir = await tempDir();
  const path = join(dir.path, "run", "agent.lock");
  const other = await otherHolder(path);
  try {
    expect(await rejection(acquireLock(path))).toMatchObject({
      code: "already-running",
      message: `Cannot start: process ${other.pid} holds the lock "${path}".`,
    });
    expect(await readFile(path, "utf8")).toBe(`${other.pid}\n`);
  } finally {
    await other.kill();
    process.kill(other.childPid, "SIGKILL");
  }
});

test("a lock is free as soon as its holder was killed, though a child of it lives on", async () => {
  await using dir = await tempDir();
  const path = join(dir.path, "agent.lock");
  const other = await otherHolder(path);
  try {
    await other.kill();
    await using lock = await eventually(() => acquireLock(path), 2000);
    expect(await readFile(path, "utf8")).toBe(`${process.pid}\n`);
    await lock.release();
  } finally {
    process.kill(other.childPid, "SIGKILL");
  }
});

test("a released lock can be taken again, and releasing it twice does no harm", async () => {
  await using dir = await tempDir();
  const path = join(dir.path, "agent.lock");
  const first = await acquireLock(path);
  expect(await rejection(acquireLock(path))).toMatchObject({ code: "already-running" });
  await first.release();
  await using second = await acquireLock(path);
  await first.release();
  expect(await rejection(acquireLock(path))).toMatchObject({ code: "already-running" });
  await second.release();
});

test("a lock file that was removed under its holder does not stop the next one", async () => {
  await using dir = await tempDir();
  const path = join(dir.path, "agent.lock");
  await using lost = await acquireLock(path);
  await rm(path);
  await using next = await acquireLock(path);
  expect(await rejection(acquireLock(path))).toMatchObject({ code: "already-running" });
  await next.release();
  await lost.release();
});

test("of many that want the lock at once exactly one gets it", async () => {
  await using dir = await tempDir();
  const path = join(dir.path, "agent.lock");
  const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => acquireLock(path)));
  const won = outcomes.filter((outcome) => outcome.status === "fulfilled");
  expect(won.length).toBe(1);
  for (const outcome of won) await outcome.value.release();
});

// Only root may mount.
test.if(process.getuid?.() === 0)(
  "a full disk keeps no agent from its lock, and no name of another in it",
  async () => {
    await using dir = await tempDir();
    await using _mount = await mountTmpfs(dir.path, "size=64k");
    const path = join(dir.path, "agent.lock");
    await writeFile(path, "4000000\n");
    await writeFile(join(dir.path, "filler"), Buffer.alloc(64 * 1024)).catch(() => {});
    const lock = await acquireLock(path);
    expect(await readFile(path, "utf8")).toBe(`${process.pid}\n`);
    await lock.release();
    await writeFile(path, "");
    await writeFile(join(dir.path, "more"), Buffer.alloc(64 * 1024)).catch(() => {});
    const nameless = await acquireLock(path);
    expect(await readFile(path, "utf8")).toBe("");
    await nameless.release();
  },
);
