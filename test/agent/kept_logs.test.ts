import { expect, test } from "bun:test";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { keptLogs } from "../../src/agent/kept_logs.ts";
import { hostDisk } from "../../src/host/disk.ts";
import { Files } from "../../src/steps/files.ts";
import { layoutOf } from "../../src/steps/layout.ts";
import { systemClock } from "../../src/support/clock.ts";
import { rejection } from "../harness/rejection.ts";
import { tempDir } from "../harness/tempdir.ts";

async function site() {
  const dir = await tempDir();
  const layout = layoutOf(join(dir.path, "web"));
  await mkdir(join(layout.logs, "b1"), { recursive: true });
  await writeFile(layout.log("b1", "restart"), "restarted\n");
  await writeFile(join(layout.logs, "b1", "notes.txt"), "private\n");
  await writeFile(layout.state, "{}");
  const logs = keptLogs(new Map([["web", layout]]), new Files(hostDisk, systemClock));
  return { dir, layout, logs };
}

test("the logs of a build are those files of its directory that are logs", async () => {
  const { dir, logs } = await site();
  await using _dir = dir;
  expect(await logs.names("web", "b1")).toEqual(["restart"]);
  expect(await logs.read("web", "b1", "restart")).toBe("restarted\n");
  expect(await logs.read("web", "b1", "install")).toBeNull();
});

test.each([
  ["api", "b1"],
  ["web", "b2"],
  ["web", ".."],
  ["web", "../releases"],
  ["web", "b1/../b1"],
  ["web", ""],
])("%s %p has none", async (service, build) => {
  const { dir, logs } = await site();
  await using _dir = dir;
  expect(await logs.names(service, build)).toEqual([]);
  for (const name of ["restart", "../../state", "../b1/restart"])
    expect(await logs.read(service, build, name)).toBeNull();
});

test("links in the place of a log, or of a build's logs, are not followed", async () => {
  const { dir, layout, logs } = await site();
  await using _dir = dir;
  await mkdir(join(dir.path, "elsewhere"));
  await writeFile(join(dir.path, "elsewhere", "restart.log"), "private\n");
  await symlink(join(dir.path, "elsewhere"), join(layout.logs, "b2"));
  expect(await logs.names("web", "b2")).toEqual([]);
  await symlink(join(dir.path, "elsewhere", "restart.log"), layout.log("b1", "check"));
  expect(await rejection(logs.read("web", "b1", "check"))).toMatchObject({
    message: expect.stringContaining("check.log"),
  });
});
