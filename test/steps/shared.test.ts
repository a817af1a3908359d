import { expect, test } from "bun:test";
import { chown, link, lstat, mkdir, readdir, readFile, readlink, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { hostDisk } from "../../src/host/disk.ts";
import { Files } from "../../src/steps/files.ts";
import { layoutOf, type Layout } from "../../src/steps/layout.ts";
import { linkShared } from "../../src/steps/shared.ts";
import { systemClock } from "../../src/support/clock.ts";
import { rejection } from "../harness/rejection.ts";
import { tempDir } from "../harness/tempdir.ts";
import { mountTmpfs } from "../harness/tmpfs.ts";

/* What is shared between releases where it lies on a file system of its own, as uploads often do. */

const files = new Files(hostDisk, systemClock);
const OWNER = { uid: 65534, gid: 65534 };
const isRoot = process.getuid?.() === 0;

/** A build that brings an upload, a link, and a program with its owner's rights; unpacked where only the agent is. */
async function unpacked(layout: Layout): Promise<string> {
  const tree = layout.tree("v1");
  await mkdir(join(tree, "uploads/deep"), { recursive: true });
  await writeFile(join(tree, "uploads/deep/a"), "brought", { mode: 0o640 });
  await link(join(tree, "uploads/deep/a"), join(tree, "uploads/deep/b"));
  await writeFile(join(tree, "uploads/run"), "#!/bin/sh\n", { mode: 0o755 });
  await symlink("deep/a", join(tree, "uploads/link"));
  for (const name of ["", "deep", "deep/a", "run"]) await chown(join(tree, "uploads", name), OWNER.uid, OWNER.gid);
  return tree;
}

test.if(isRoot)("what a build shares is put on another file system, whole, with owners and modes", async () => {
  await using dir = await tempDir();
  const layout = layoutOf(join(dir.path, "web"));
  const tree = await unpacked(layout);
  await using _mounted = await mountTmpfs(layout.shared, "size=10m");
  // What a killed agent has left of a copy.
  await mkdir(join(layout.shared, ".deployd-incoming"), { mode: 0o700 });
  await writeFile(join(layout.shared, ".deployd-incoming/copy"), "half");

  const build = { build: "v1", tree, layout, owner: OWNER };
  expect(await linkShared(build, "uploads", files)).toEqual({ gaveWay: false });
  expect(await linkShared(build, "var/cache", files)).toEqual({ gaveWay: false });

  const shared = join(layout.shared, "uploads");
  expect((await readdir(layout.shared)).toSorted()).toEqual(["uploads", "var"]);
  expect(await readFile(join(shared, "deep/b"), "utf8")).toBe("brought");
  expect(await readlink(join(shared, "link"))).toBe("deep/a");
  expect(await lstat(join(shared, "deep/a"))).toMatchObject({ ...OWNER, mode: 0o100640 });
  expect((await stat(join(shared, "run"))).mode & 0o777).toBe(0o755);
  expect(await stat(join(layout.shared, "var/cache"))).toMatchObject(OWNER);
  expect(await readlink(join(tree, "uploads"))).toBe("../../shared/uploads");
  // What is there stays, and what the next build brings gives way.
  await mkdir(layout.tree("v2"), { recursive: true });
  await mkdir(join(layout.tree("v2"), "uploads"));
  expect(await linkShared({ ...build, build: "v2", tree: layout.tree("v2") }, "uploads", files)).toEqual({
    gaveWay: true,
  });
  expect(await readFile(join(shared, "deep/a"), "utf8")).toBe("brought");
});

test.if(isRoot)("a directory of releases on a file system of its own is refused with what to do", async () => {
  await using dir = await tempDir();
  const layout = layoutOf(join(dir.path, "web"));
  await mkdir(layout.tree("v1"), { recursive: true });
  await using _mounted = await mountTmpfs(layout.releases, "size=10m");
  expect(await rejection(files.renameDurably(layout.tree("v1"), layout.release("v1")))).toMatchObject({
    message: expect.stringContaining("different file systems"),
    hint: expect.stringContaining("services.<name>.root"),
  });
});
