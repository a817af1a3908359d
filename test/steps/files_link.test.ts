import { expect, test } from "bun:test";
import { lchown, mkdir, readdir, readFile, readlink, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { hostDisk } from "../../src/host/disk.ts";
import { Files } from "../../src/steps/files.ts";
import { systemClock } from "../../src/support/clock.ts";
import { tempDir } from "../harness/tempdir.ts";
import { rejection } from "../harness/rejection.ts";

const files = new Files(hostDisk, systemClock);

/** What another process needs for files of its own. */
const PRELUDE = `
  const { hostDisk } = await import(${JSON.stringify(join(import.meta.dir, "../../src/host/disk.ts"))});
  const { Files } = await import(${JSON.stringify(join(import.meta.dir, "../../src/steps/files.ts"))});
  const { systemClock } = await import(${JSON.stringify(join(import.meta.dir, "../../src/support/clock.ts"))});
  const files = new Files(hostDisk, systemClock);`;

test("a link is made, flipped, and read back with the time of the flip", async () => {
  await using dir = await tempDir();
  const link = join(dir.path, "current");
  expect(await files.readLink(link)).toEqual({ kind: "absent" });
  await files.flip(link, "releases/b1");
  const before = Date.now();
  await files.flip(link, "releases/b2");
  const state = await files.readLink(link);
  expect(state).toMatchObject({ kind: "link", target: "releases/b2" });
  expect(state.kind === "link" && Math.abs(state.changedAtMs - before)).toBeLessThan(2000);
  expect(await readdir(dir.path)).toEqual(["current"]);
});

test("a link that is right already keeps its time, also when somebody changes its owner", async () => {
  await using dir = await tempDir();
  const link = join(dir.path, "current");
  await files.flip(link, "releases/b1");
  const first = await files.readLink(link);
  await lchown(link, process.getuid?.() ?? 0, process.getgid?.() ?? 0);
  await files.flip(link, "releases/b1");
  expect(await files.readLink(link)).toEqual(first);
});

test("a directory or a file in the link's place is refused and left as it is", async () => {
  await using dir = await tempDir();
  const [directory, file] = [join(dir.path, "current"), join(dir.path, "other")];
  await mkdir(directory);
  await writeFile(join(directory, "precious"), "kept");
  await writeFile(file, "kept");
  expect(await files.readLink(directory)).toEqual({ kind: "foreign", what: "directory" });
  expect(await files.readLink(file)).toEqual({ kind: "foreign", what: "file" });
  for (const path of [directory, file]) {
    expect(await rejection(files.flip(path, "releases/b1"))).toMatchObject({ code: "current-not-a-link" });
  }
  expect(await readFile(join(directory, "precious"), "utf8")).toBe("kept");
  expect(await readFile(file, "utf8")).toBe("kept");
  expect((await readdir(dir.path)).sort()).toEqual(["current", "other"]);
});

test("a link is flipped for everybody at once: a reader never finds it missing or broken", async () => {
  await using dir = await tempDir();
  const link = join(dir.path, "current");
  for (const build of ["b1", "b2"]) {
    await mkdir(join(dir.path, "releases", build), { recursive: true });
    await writeFile(join(dir.path, "releases", build, "id"), build);
  }
  await files.flip(link, "releases/b1");
  const flipper = Bun.spawn(
    [
      process.execPath,
      "-e",
      `${PRELUDE}
       for (let i = 0; ; i++) await files.flip(${JSON.stringify(link)}, "releases/b" + (1 + (i % 2)));`,
    ],
    { stdio: ["ignore", "ignore", "inherit"] },
  );
  const seen = new Set<string>();
  try {
    for (let reads = 0; reads < 1000 || seen.size < 2; reads++) seen.add(await readFile(join(link, "id"), "utf8"));
  } finally {
    flipper.kill("SIGKILL");
    await flipper.exited;
  }
  expect([...seen].sort()).toEqual(["b1", "b2"]);
  await files.sweepTemps(dir.path);
  expect((await readdir(dir.path)).sort()).toEqual(["current", "releases"]);
  expect((await stat(link)).isDirectory()).toBe(true);
}, 30_000);

test("a link that points nowhere is a link", async () => {
  await using dir = await tempDir();
  const link = join(dir.path, "current");
  await symlink("releases/gone", link);
  expect(await files.readLink(link)).toMatchObject({ kind: "link", target: "releases/gone" });
  await files.flip(link, "releases/b1");
  expect(await readlink(link)).toBe("releases/b1");
});
