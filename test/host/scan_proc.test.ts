import { expect, test } from "bun:test";
import { createServer } from "node:net";
import { join } from "node:path";
import { ownerOf } from "../../src/host/scan_proc.ts";
import { listens } from "../../src/host/process_sockets.ts";
import { eventually } from "../harness/eventually.ts";
import { tempDir } from "../harness/tempdir.ts";
import { descendantsOf, processFact } from "../harness/real_time.ts";

test("children come before their own children, each with its parent, and end with the process", async () => {
  const child = Bun.spawn(["sh", "-c", "sh -c 'sleep 300; true' & sleep 301; true"], { detached: true });
  try {
    const found = await eventually(async () => {
      const below = await descendantsOf(child.pid);
      return below.length === 3 && below;
    });
    expect(found.slice(0, 2).map(({ parent }) => parent)).toEqual([child.pid, child.pid]);
    expect(found.slice(0, 2).map(({ pid }) => pid)).toContain(found[2]?.parent ?? 0);
    for (const { pid, startTicks } of found) expect((await processFact(pid))?.startTicks).toBe(startTicks);
  } finally {
    process.kill(-child.pid, "SIGKILL");
    await child.exited;
  }
  expect(await descendantsOf(child.pid)).toEqual([]);
});

test("what has ended and is not yet forgotten runs no program, and its parent does", async () => {
  const parent = Bun.spawn(["sh", "-c", "true & exec sleep 300"]);
  try {
    const child = await eventually(async () => {
      const text = await Bun.file(`/proc/${parent.pid}/task/${parent.pid}/children`).text();
      return text.trim() !== "" && Number(text);
    });
    await eventually(() => ownerOf(child)?.hasProgram === false);
    expect(ownerOf(child)?.parent).toBe(parent.pid);
    expect(ownerOf(parent.pid)?.hasProgram).toBe(true);
  } finally {
    parent.kill("SIGKILL");
    await parent.exited;
  }
});

test.each(["tcp", "tcp6", "unix"] as const)(
  "a process that accepts connections on a %s socket listens",
  async (kind) => {
    await using dir = await tempDir();
    const server = createServer();
    const { promise, resolve } = Promise.withResolvers<void>();
    const where = {
      tcp: { host: "127.0.0.1", port: 0 },
      tcp6: { host: "::1", port: 0 },
      unix: { path: join(dir.path, "s") },
    };
    server.listen(where[kind], () => resolve());
    await promise;
    expect(await listens(process.pid)).toBe(true);
    server.close();
  },
);

test("a process without such a socket does not listen, nor does one that is gone", async () => {
  const child = Bun.spawn(["sleep", "300"]);
  expect(await listens(child.pid)).toBe(false);
  child.kill("SIGKILL");
  await child.exited;
  expect(await listens(child.pid)).toBe(false);
});
