import { expect, test } from "bun:test";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { mainPids, restart, supervisorFor } from "../../src/restart/supervisor.ts";
import { rejection } from "../harness/rejection.ts";
import { tempDir } from "../harness/tempdir.ts";
import { hostEffects } from "./host_effects.ts";
import { supervised } from "./supervised.ts";
import { byS6, supervisors } from "./supervisors.ts";

const [, s6] = supervisors;
const { signal } = new AbortController();
const LONG_MS = 60_000;

test(
  "a restart waits until a service that can say so is ready",
  async () => {
    await using web = await s6.begin();
    await writeFile(join(web.directory, "notification-fd"), "3\n");
    await web.writeRun(`rm -f ready; sleep 1; echo yes > ready; echo >&3; exec 3>&-\n${web.server}`);
    const { parts } = supervisorFor(web.spec(), web.effects);
    await parts?.stop(signal);
    await parts?.start(signal);
    expect(await readFile(join(web.directory, "ready"), "utf8")).toBe("yes\n");
    await writeFile(join(web.directory, "ready"), "old\n");
    await restart(web.spec(), web.effects, signal);
    expect(await readFile(join(web.directory, "ready"), "utf8")).toBe("yes\n");
  },
  LONG_MS,
);

test("a directory that s6-supervise does not watch is named", async () => {
  await using dir = await tempDir();
  const effects = hostEffects(dir.path);
  const service = await supervised(join(dir.path, "web"));
  expect(await rejection(restart(byS6(service.directory), effects, signal))).toMatchObject({
    code: "restart-failed",
    message: expect.stringContaining(service.directory),
    hint: expect.stringContaining("s6-supervise must watch that directory"),
  });
  const error = await rejection(mainPids(byS6(service.directory), effects, signal));
  expect(error.message).toContain("s6-supervise not running");
});
