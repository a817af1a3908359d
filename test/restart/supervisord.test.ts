import { expect, test } from "bun:test";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { RestartSpec } from "../../src/core/resolved_recipe.ts";
import type { SupervisorEffects } from "../../src/restart/effects.ts";
import { mainPids, restart, supervisorFor } from "../../src/restart/supervisor.ts";
import { rejection } from "../harness/rejection.ts";
import { tempDir } from "../harness/tempdir.ts";
import { hostEffects } from "./host_effects.ts";
import { answers, daemon, type Supervised, supervised } from "./supervised.ts";

const { signal } = new AbortController();
const LONG_MS = 60_000;

function by(program: string, timeoutMs = 20_000): Extract<RestartSpec, { by: "supervisord" }> {
  return { by: "supervisord", program, timeoutMs };
}

/** supervisord with programs `web` and `pair:pair_1`, of which `web` serves. */
async function supervisord(): Promise<Supervised & { effects: SupervisorEffects } & AsyncDisposable> {
  const stack = new AsyncDisposableStack();
  const dir = stack.use(await tempDir());
  const service = await supervised(join(dir.path, "web"));
  const config = join(dir.path, "supervisord.conf");
  const socket = join(dir.path, "socket");
  await writeFile(
    config,
    `[unix_http_server]
file=${socket}
[supervisord]
nodaemon=true
logfile=${dir.path}/supervisord.log
pidfile=${dir.path}/pid
childlogdir=${dir.path}
${process.getuid?.() === 0 ? "user=root" : ""}
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://${socket}
[program:web]
command=${service.directory}/run
startretries=0
[program:pair]
command=sleep 300
process_name=pair_%(process_num)s
numprocs=2
[program:brief]
command=sh -c "sleep 0.2; exit 3"
autostart=false
startsecs=0
`,
  );
  stack.use(daemon(["/usr/bin/supervisord", "-c", config], "TERM"));
  await answers(service, "first");
  const effects = { ...hostEffects(dir.path), supervisordConfig: config };
  return { ...service, effects, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

test(
  "a restart brings another process, which serves what is new",
  async () => {
    await using web = await supervisord();
    const before = await mainPids(by("web"), web.effects, signal);
    expect(before).toHaveLength(1);
    await web.writeAnswer("second");
    await restart(by("web"), web.effects, signal);
    await answers(web, "second");
    const after = await mainPids(by("web"), web.effects, signal);
    expect(after).toHaveLength(1);
    expect(after).not.toEqual(before);
  },
  LONG_MS,
);

test(
  "what a boot leaves down is known, and started; what runs or is about to is not",
  async () => {
    await using web = await supervisord();
    const { parts, revival } = supervisorFor(by("web"), web.effects);
    expect(await revival?.isNeeded(signal)).toBe(false);
    await parts?.stop(signal);
    expect(await revival?.isNeeded(signal)).toBe(true);
    await revival?.start(signal);
    await answers(web, "first");
    expect(await revival?.isNeeded(signal)).toBe(false);
    // Never started since supervisord was, as autostart=false has it.
    expect(await supervisorFor(by("brief"), web.effects).revival?.isNeeded(signal)).toBe(true);
  },
  LONG_MS,
);

test(
  "a stopped program is down until it is started, and a restart starts it too",
  async () => {
    await using web = await supervisord();
    const { parts } = supervisorFor(by("web"), web.effects);
    await parts?.stop(signal);
    expect(await mainPids(by("web"), web.effects, signal)).toEqual([]);
    expect(await web.ask()).toStartWith("no answer");
    await parts?.stop(signal);
    await parts?.start(signal);
    await answers(web, "first");
    await parts?.start(signal);
    await parts?.stop(signal);
    await restart(by("web"), web.effects, signal);
    await answers(web, "first");
  },
  LONG_MS,
);

test(
  "one process of several is restarted by its full name, and the other is left alone",
  async () => {
    await using web = await supervisord();
    const pids = () =>
      Promise.all(["pair:pair_0", "pair:pair_1"].map((name) => mainPids(by(name), web.effects, signal)));
    const [zero, one] = await pids();
    await restart(by("pair:pair_1"), web.effects, signal);
    const [zeroAfter, oneAfter] = await pids();
    expect(zeroAfter).toEqual(zero ?? []);
    expect(oneAfter).not.toEqual(one ?? []);
    expect(await rejection(restart(by("pair"), web.effects, signal))).toMatchObject({
      code: "restart-failed",
      message: expect.stringContaining("pair: ERROR (no such process)"),
      hint: expect.stringContaining("web:web_1"),
    });
    expect(await rejection(mainPids(by("pair"), web.effects, signal))).toMatchObject({ code: "restart-failed" });
  },
  LONG_MS,
);

test(
  "a program that ends as soon as it is started is a failed restart",
  async () => {
    await using web = await supervisord();
    await web.writeRun("exit 3");
    expect(await rejection(restart(by("web"), web.effects, signal))).toMatchObject({
      code: "restart-failed",
      message: expect.stringMatching(/^Cannot restart web: .*web: ERROR \(/),
      hint: expect.stringContaining("supervisorctl status web"),
    });
  },
  LONG_MS,
);

test(
  "a program that supervisord takes for started is watched for a moment",
  async () => {
    await using web = await supervisord();
    const error = await rejection(restart(by("brief"), web.effects, signal));
    expect(error).toMatchObject({ code: "restart-failed" });
    expect(error.message).toStartWith("Cannot restart brief: ");
  },
  LONG_MS,
);

test(
  "the name that stands for every program is refused",
  async () => {
    await using web = await supervisord();
    const before = await mainPids(by("web"), web.effects, signal);
    expect(await rejection(restart(by("all"), web.effects, signal))).toMatchObject({ code: "restart-failed" });
    expect(await mainPids(by("web"), web.effects, signal)).toEqual(before);
  },
  LONG_MS,
);

test("a supervisord that does not run is a failed restart", async () => {
  await using dir = await tempDir();
  const config = join(dir.path, "supervisord.conf");
  await writeFile(config, `[supervisorctl]\nserverurl=unix://${dir.path}/socket\n`);
  const effects = { ...hostEffects(dir.path), supervisordConfig: config };
  expect((await rejection(restart(by("web"), effects, signal))).message).toContain("no such file");
  expect(await rejection(mainPids(by("web"), effects, signal))).toMatchObject({ code: "restart-failed" });
});

test("a configuration in the build is never read: it could name code to run", async () => {
  await using dir = await tempDir();
  await writeFile(join(dir.path, "supervisord.conf"), "[supervisorctl]\nserverurl=unix:///of/the/build\n");
  await rejection(restart(by("web"), hostEffects(dir.path), signal));
  const log = await readFile(join(dir.path, "log", "restart.log"), "utf8").catch(() => "");
  expect(log).not.toContain("/of/the/build");
});

test("a host without supervisor is told which package has it", async () => {
  await using dir = await tempDir();
  const config = join(dir.path, "supervisord.conf");
  const effects = { ...hostEffects(dir.path, "/nowhere"), supervisordConfig: config };
  expect(await rejection(restart(by("web"), effects, signal))).toMatchObject({
    code: "restart-failed",
    message: expect.stringContaining('Cannot run "supervisorctl": no such program'),
    hint: expect.stringContaining("apt-get install supervisor"),
  });
});
