import { expect, test } from "bun:test";
import { chmod, mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { hostDisk } from "../../src/host/disk.ts";
import { Files } from "../../src/steps/files.ts";
import { systemClock } from "../../src/support/clock.ts";
import { fileError } from "../../src/support/file_error.ts";
import { eventually } from "../harness/eventually.ts";
import { tempDir } from "../harness/tempdir.ts";
import { rejection } from "../harness/rejection.ts";

const files = new Files(hostDisk, systemClock);

/** What another process needs for files of its own. */
const PRELUDE = `
  const { hostDisk } = await import(${JSON.stringify(join(import.meta.dir, "../../src/host/disk.ts"))});
  const { Files } = await import(${JSON.stringify(join(import.meta.dir, "../../src/steps/files.ts"))});
  const { systemClock } = await import(${JSON.stringify(join(import.meta.dir, "../../src/support/clock.ts"))});
  const files = new Files(hostDisk, systemClock);`;

const content = (filler: string): string => filler.repeat(200_000);
const error = (code: string): Error => Object.assign(new Error(`${code}: it failed`), { code });

test("an atomic write replaces the file, sets its mode and leaves nothing else", async () => {
  await using dir = await tempDir();
  const path = join(dir.path, "state.json");
  await files.writeAtomic(path, "one");
  expect((await stat(path)).mode & 0o777).toBe(0o644);
  await files.writeAtomic(path, new TextEncoder().encode("two"), 0o600);
  expect(await files.readIfThere(path)).toBe("two");
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(await readdir(dir.path)).toEqual(["state.json"]);
});

test("whenever a writer is killed, the file is whole, and what it left is swept away", async () => {
  await using dir = await tempDir();
  const path = join(dir.path, "state.json");
  await files.writeAtomic(path, content("a"));
  for (let round = 0; round < 5; round++) {
    const writer = Bun.spawn(
      [
        process.execPath,
        "-e",
        `${PRELUDE}
         for (;;) for (const filler of ["a", "b"]) await files.writeAtomic(${JSON.stringify(path)}, filler.repeat(200000));`,
      ],
      { stdio: ["ignore", "ignore", "inherit"] },
    );
    // Seen at work: in the middle of writing a temporary file.
    await eventually(async () => (await readdir(dir.path)).some((name) => name.endsWith(".tmp")));
    writer.kill("SIGKILL");
    await writer.exited;
    const text = await readFile(path, "utf8");
    expect([content("a"), content("b")]).toContain(text);
  }
  await files.sweepTemps(dir.path);
  expect(await readdir(dir.path)).toEqual(["state.json"]);
}, 30_000);

test("a sweep takes temporaries only", async () => {
  await using dir = await tempDir();
  await symlink("releases/b1", join(dir.path, ".current.0123456789ab.tmp"));
  await writeFile(join(dir.path, ".state.json.ba9876543210.tmp"), "half");
  const kept = [".current.tmp", ".hidden", "current", "x.0123456789ab.tmp"];
  for (const name of kept) await writeFile(join(dir.path, name), "");
  await files.sweepTemps(dir.path);
  expect((await readdir(dir.path)).sort()).toEqual(kept);
  await files.sweepTemps(join(dir.path, "no-such-dir"));
});

test("a file that is not there is null, and one that cannot be read is an error", async () => {
  await using dir = await tempDir();
  expect(await files.readIfThere(join(dir.path, "no"))).toBeNull();
  expect(await files.readWithTime(join(dir.path, "no"))).toBeNull();
  expect((await rejection(files.readIfThere(dir.path))).message).toContain(`Cannot read "${dir.path}"`);
  await writeFile(join(dir.path, "pid"), "12\n");
  const read = await files.readWithTime(join(dir.path, "pid"));
  expect(read?.text).toBe("12\n");
  expect(Math.abs((read?.changedAtMs ?? 0) - Date.now())).toBeLessThan(10_000);
});

test("a tree is removed with everything in it, and what its links point at stays", async () => {
  await using dir = await tempDir();
  const shared = join(dir.path, "shared");
  await mkdir(shared);
  await writeFile(join(shared, "keep"), "kept");
  const release = join(dir.path, "release");
  await mkdir(join(release, "a/b/c"), { recursive: true });
  await writeFile(join(release, "a/b/c/file"), "");
  await symlink(shared, join(release, "a/shared"));
  await chmod(join(release, "a/b"), 0o500);
  await files.removeTree(release);
  await files.removeTree(release);
  expect(await readdir(dir.path)).toEqual(["shared"]);
  expect(await readdir(shared)).toEqual(["keep"]);

  await symlink(shared, release);
  await files.removeTree(release);
  expect(await readdir(shared)).toEqual(["keep"]);
});

test("free space is a number of bytes", async () => {
  await using dir = await tempDir();
  expect(await files.freeBytes(dir.path)).toBeGreaterThan(0);
  expect((await rejection(files.freeBytes("/no/such/path"))).message).toContain(
    'Cannot ask for the free space of "/no/such/path"',
  );
});

test("errors of files say what to do", () => {
  expect(fileError('Cannot write "x"', error("ENOSPC"))).toMatchObject({ code: "disk-full", retry: true });
  expect(fileError('Cannot write "x"', error("EDQUOT"))).toMatchObject({ code: "disk-full" });
  expect(fileError('Cannot write "x"', error("EACCES")).explained).toContain("Give the agent's user the permission");
  expect(fileError('Cannot write "x"', error("EIO")).message).toBe('Cannot write "x": EIO: it failed.');
});
