import { expect, test } from "bun:test";
import { join } from "node:path";
import { mainPids, restart } from "../../src/restart/supervisor.ts";
import { rejection } from "../harness/rejection.ts";
import { tempDir } from "../harness/tempdir.ts";
import { hostEffects } from "./host_effects.ts";
import { supervised } from "./supervised.ts";
import { byRunit } from "./supervisors.ts";

const { signal } = new AbortController();

test("a directory that runsv does not watch is named", async () => {
  await using dir = await tempDir();
  const effects = hostEffects(dir.path);
  const service = await supervised(join(dir.path, "web"));
  const error = await rejection(restart(byRunit(service.directory), effects, signal));
  expect(error).toMatchObject({
    code: "restart-failed",
    message: expect.stringContaining("unable to open supervise/ok: file does not exist"),
    hint: expect.stringContaining("runsv must watch that directory"),
  });
  expect(await rejection(mainPids(byRunit(service.directory), effects, signal))).toMatchObject({
    code: "restart-failed",
  });
});
