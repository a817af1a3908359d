import { expect, test } from "bun:test";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { mainPids, restart, supervisorFor } from "../../src/restart/supervisor.ts";
import { rejection } from "../harness/rejection.ts";
import { tempDir } from "../harness/tempdir.ts";
import { hostEffects } from "./host_effects.ts";
import { bySupervisord, supervisors } from "./supervisors.ts";

const [, , supervisord] = supervisors;
const { signal } = new AbortController();
const LONG_MS = 60_000;

test(
  "what was never started since supervisord was, as autostart=false has it, is known to be down",
  async () => {
    await using web = await supervisord.begin();
    expect(await supervisorFor(bySupervisord("brief"), web.effects).revival?.isNeeded(signal)).toBe(true);
  },
  LONG_MS,
);

test(
  "a program that does not start is told in supervisord's words",
  async () => {
    await using web = await supervisord.begin();
    await web.writeRun("exit 3");
    const { message } = await rejection(restart(web.spec(), web.effects, signal));
    expect(message).toMatch(/^Cannot restart web: .*web: ERROR \(/);
  },
  LONG_MS,
);

test(
  "one process of several is restarted by its full name, and the other is left alone",
  async () => {
    await using web = await supervisord.begin();
    const pids = () =>
      Promise.all(["pair:pair_0", "pair:pair_1"].map((name) => mainPids(bySupervisord(name), web.effects, signal)));
    const [zero, one] = await pids();
    await restart(bySupervisord("pair:pair_1"), web.effects, signal);
    const [zeroAfter, oneAfter] = await pids();
    expect(zeroAfter).toEqual(zero ?? []);
    expect(oneAfter).not.toEqual(one ?? []);
    expect(await rejection(restart(bySupervisord("pair"), web.effects, signal))).toMatchObject({
      code: "restart-failed",
      message: expect.stringContaining("pair: ERROR (no such process)"),
      hint: expect.stringContaining("web:web_1"),
    });
    expect(await rejection(mainPids(bySupervisord("pair"), web.effects, signal))).toMatchObject({
      code: "restart-failed",
    });
  },
  LONG_MS,
);

test(
  "a program that supervisord takes for started is watched for a moment",
  async () => {
    await using web = await supervisord.begin();
    const error = await rejection(restart(bySupervisord("brief"), web.effects, signal));
    expect(error).toMatchObject({ code: "restart-failed" });
    expect(error.message).toStartWith("Cannot restart brief: ");
  },
  LONG_MS,
);

test(
  "the name that stands for every program is refused",
  async () => {
    await using web = await supervisord.begin();
    const before = await mainPids(bySupervisord("web"), web.effects, signal);
    expect(await rejection(restart(bySupervisord("all"), web.effects, signal))).toMatchObject({
      code: "restart-failed",
    });
    expect(await mainPids(bySupervisord("web"), web.effects, signal)).toEqual(before);
  },
  LONG_MS,
);

test("a supervisord that does not run is a failed restart", async () => {
  await using dir = await tempDir();
  const config = join(dir.path, "supervisord.conf");
  await writeFile(config, `[supervisorctl]\nserverurl=unix://${dir.path}/socket\n`);
  const effects = { ...hostEffects(dir.path), supervisordConfig: config };
  expect((await rejection(restart(bySupervisord("web"), effects, signal))).message).toContain("no such file");
  expect(await rejection(mainPids(bySupervisord("web"), effects, signal))).toMatchObject({ code: "restart-failed" });
});

test("a configuration in the build is never read: it could name code to run", async () => {
  await using dir = await tempDir();
  await writeFile(join(dir.path, "supervisord.conf"), "[supervisorctl]\nserverurl=unix:///of/the/build\n");
  await rejection(restart(bySupervisord("web"), hostEffects(dir.path), signal));
  const log = await readFile(join(dir.path, "log", "restart.log"), "utf8").catch(() => "");
  expect(log).not.toContain("/of/the/build");
});
