import { expect, test } from "bun:test";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { collectGarbage } from "../../src/service/collect.ts";
import { hostDisk } from "../../src/host/disk.ts";
import { Files } from "../../src/steps/files.ts";
import { layoutOf } from "../../src/steps/layout.ts";
import { systemClock } from "../../src/support/clock.ts";
import { tempDir } from "../harness/tempdir.ts";

const full = (): Promise<never> => Promise.reject(Object.assign(new Error("no space"), { code: "ENOSPC" }));

test.each([
  ["with room", hostDisk],
  ["that is full", { ...hostDisk, makeDirectory: full, createFile: full, makeLink: full }],
])("old releases are removed from a disk %s, with what is known of them", async (_, disk) => {
  await using dir = await tempDir();
  const layout = layoutOf(dir.path);
  for (const build of ["v1", "v2", "v3"]) {
    await mkdir(join(layout.release(build), "deep"), { recursive: true });
    await writeFile(join(layout.release(build), "deep", "file"), "text");
    await mkdir(layout.builds, { recursive: true });
    for (const path of [layout.record(build), layout.recipe(build)]) await writeFile(path, "");
  }
  const needed = { current: "v3", proven: ["v3", "v2"], ready: null, inUse: new Set<string>() };
  const files = new Files(disk, systemClock);
  expect(await collectGarbage(files, layout, { releases: 1, logBytes: 1000 }, needed)).toEqual(["v1"]);
  expect((await readdir(layout.releases)).toSorted()).toEqual(["v2", "v3"]);
  expect((await readdir(layout.builds)).toSorted()).toEqual(["v2.json", "v2.toml", "v3.json", "v3.toml"]);
  expect((await readdir(dir.path)).toSorted()).toEqual(["builds", "releases"]);
});

test("the build that the host is to have ready is kept, with its download and its half unpacked files", async () => {
  await using dir = await tempDir();
  const layout = layoutOf(dir.path);
  for (const build of ["v1", "v2", "v3"]) await mkdir(layout.release(build), { recursive: true });
  for (const build of ["v2", "v9"]) await mkdir(layout.staging(build), { recursive: true });
  const files = new Files(hostDisk, systemClock);
  const needed = { current: "v3", proven: ["v3"], ready: "v2", inUse: new Set<string>() };
  expect(await collectGarbage(files, layout, { releases: 0, logBytes: 1000 }, needed)).toEqual(["v1"]);
  expect((await readdir(layout.releases)).toSorted()).toEqual(["v2", "v3"]);
  const staging = async () => (await readdir(dir.path)).filter((name) => name.startsWith(".staging"));
  expect(await staging()).toEqual([basename(layout.staging("v2"))]);
  await collectGarbage(files, layout, { releases: 0, logBytes: 1000 }, { ...needed, ready: null });
  expect(await staging()).toEqual([]);
  expect(await readdir(layout.releases)).toEqual(["v3"]);
});
