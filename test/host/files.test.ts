import { expect, test } from "bun:test";
import { chmod, mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  fileError,
  freeBytes,
  readIfThere,
  readWithTime,
  removeTree,
  sweepTemps,
  tempBeside,
  writeFileAtomic,
} from "../../src/host/files.ts";
import { eventually } from "../support/eventually.ts";
import { tempDir } from "../support/tempdir.ts";
import { rejection } from "../support/rejection.ts";

const FILES_MODULE = JSON.stringify(join(import.meta.dir, "../../src/host/files.ts"));

const content = (filler: string): string => filler.repeat(200_000);
const error = (code: string): Error => Object.assign(new Error(`${code}: it failed`), { code });

test("an atomic write replaces the file, sets its mode and leaves nothing else", async () => {
  await using dir = await tempDir();
  const path = join(dir.path, "state.json");
  await writeFileAtomic(path, "one");
  expect((await stat(path)).mode & 0o777).toBe(0o644);
  await writeFileAtomic(path, new TextEncoder().encode("two"), 0o600);
  expect(await readIfThere(path)).toBe("two");
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(await readdir(dir.path)).toEqual(["state.json"]);
});

test("whenever a writer is killed, the file is whole, and what it left is swept away", async () => {
  await using dir = await tempDir();
  const path = join(dir.path, "state.json");
  await writeFileAtomic(path, content("a"));
  for (let round = 0; round < 5; round++) {
    const writer = Bun.spawn(
      [
        process.execPath,
        "-e",
        `const { writeFileAtomic } = await import(${FILES_MODULE});
         for (;;) for (const filler of ["a", "b"]) await writeFileAtomic(${JSON.stringify(path)}, filler.repeat(200000));`,
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
  await sweepTemps(dir.path);
  expect(await readdir(dir.path)).toEqual(["state.json"]);
}, 30_000);

test("a sweep takes temporaries only", async () => {
  await using dir = await tempDir();
  await symlink("releases/b1", tempBeside(join(dir.path, "current")));
  await writeFile(tempBeside(join(dir.path, "state.json")), "half");
  const kept = [".current.tmp", ".hidden", "current", "x.0123456789ab.tmp"];
  for (const name of kept) await writeFile(join(dir.path, name), "");
  expect(await sweepTemps(dir.path)).toBe(2);
  expect((await readdir(dir.path)).sort()).toEqual(kept);
  expect(await sweepTemps(join(dir.path, "no-such-dir"))).toBe(0);
});

test("a file that is not there is null, and one that cannot be read is an error", async () => {
  await using dir = await tempDir();
  expect(await readIfThere(join(dir.path, "no"))).toBeNull();
  expect(await readWithTime(join(dir.path, "no"))).toBeNull();
  expect((await rejection(readIfThere(dir.path))).message).toContain(`Cannot read "${dir.path}"`);
  await writeFile(join(dir.path, "pid"), "12\n");
  const read = await readWithTime(join(dir.path, "pid"));
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
  await removeTree(release);
  await removeTree(release);
  expect(await readdir(dir.path)).toEqual(["shared"]);
  expect(await readdir(shared)).toEqual(["keep"]);

  await symlink(shared, release);
  await removeTree(release);
  expect(await readdir(shared)).toEqual(["keep"]);
});

test("free space is a number of bytes", async () => {
  await using dir = await tempDir();
  expect(await freeBytes(dir.path)).toBeGreaterThan(0);
  expect((await rejection(freeBytes("/no/such/path"))).message).toContain(
    'Cannot ask for the free space of "/no/such/path"',
  );
});

test("errors of files say what to do", () => {
  expect(fileError('Cannot write "x"', error("ENOSPC"))).toMatchObject({ code: "disk-full", retry: true });
  expect(fileError('Cannot write "x"', error("EDQUOT"))).toMatchObject({ code: "disk-full" });
  expect(fileError('Cannot write "x"', error("EACCES")).explained).toContain("Give the agent's user the permission");
  expect(fileError('Cannot write "x"', error("EIO")).message).toBe('Cannot write "x": EIO: it failed.');
});
