import { expect, test } from "bun:test";
import type { CommandRequest } from "../../../src/support/command.ts";
import { rejection } from "../../harness/rejection.ts";
import { makeBuild, pidFileOf, type BuildPlan } from "./builds.ts";
import { inService, instanceFacts, isInService, provision } from "./facts.ts";
import { stage, type Stage } from "./stage.ts";
import { ASKING } from "../../harness/asking.ts";

const { signal } = new AbortController();

/** A command of the build that `provision` has put in place, as a step of deployd would run it. */
function command({ service }: Stage, build: string, run: string, more: Partial<CommandRequest> = {}): CommandRequest {
  const cwd = `${service.root}/releases/${build}`;
  return {
    run,
    cwd,
    env: { DEPLOYD_ROOT: service.root, DEPLOYD_INSTANCE: "1", PORT: "8001" },
    user: service.user,
    timeoutMs: 10_000,
    logFile: `${service.root}/log/${build}/restart.log`,
    maxLogBytes: 10_000,
    log: "append",
    signal,
    ...more,
  };
}

const leave = { background: "leave" } as const;

function served(world: Stage): string | null {
  return instanceFacts(world.host, world.service)[0]?.serves?.build ?? null;
}

test("a service that a command has started serves until its stop", async () => {
  const world = stage("service");
  const { host, service, play, pass } = world;
  provision(host, service, world.build({ id: "v1" }));
  pass(1_000);
  expect(instanceFacts(host, service)).toEqual([
    {
      instance: "1",
      serves: { build: "v1", isWell: true, isGenuine: true, isInstalled: true },
      hasTraffic: true,
    },
  ]);
  const { machine } = host.newLife();
  const stopped = await play(machine.commands.run(command(world, "v1", "./svc stop")));
  expect(stopped).toMatchObject({ kind: "exited", code: 0 });
  expect(served(world)).toBeNull();
  expect(isInService(host, service)).toBe(false);
  expect(await play(machine.processes.of({ root: service.root, uid: null, mains: [] }))).toEqual([]);
  expect(await play(machine.commands.run(command(world, "v1", "./svc start", leave)))).toMatchObject({ code: 0 });
  pass(1_000);
  expect(inService(host, service)).toBe(1);
  expect(await play(machine.processes.of({ root: service.root, uid: null, mains: [] }))).toMatchObject([
    { release: "v1", instance: "1", uid: 1000 },
  ]);
});

test("it lives on when the agent that started it is killed, and not when the power is cut", () => {
  const world = stage("service");
  const { host, service, pass } = world;
  provision(host, service, world.build({ id: "v1" }));
  host.newLife();
  pass(1_000);
  host.killAgent();
  pass(1_000);
  expect(served(world)).toBe("v1");
  host.powerCut();
  host.powerOn();
  pass(60_000);
  expect(served(world)).toBeNull();
});

test("one that starts while another has its port ends", async () => {
  const world = stage("service");
  const { host, service, play, pass } = world;
  provision(host, service, world.build({ id: "v1" }));
  pass(1_000);
  const { machine } = host.newLife();
  await play(machine.commands.run(command(world, "v1", "./svc start", leave)));
  pass(1_000);
  expect(await play(machine.processes.of({ root: service.root, uid: null, mains: [] }))).toHaveLength(1);
});

test.each<[string, BuildPlan["character"], number, string]>([
  ["slow to start", { kind: "slow", startMs: 3_000 }, 2_000, "nobody"],
  ["slow to start, in the end", { kind: "slow", startMs: 3_000 }, 4_000, "well"],
  ["short of breath", { kind: "dies", afterMs: 3_000 }, 4_000, "nobody"],
  ["well at first", { kind: "sickens", afterMs: 3_000 }, 2_000, "well"],
  ["ill later", { kind: "sickens", afterMs: 3_000 }, 4_000, "ill"],
  ["ill from birth", { kind: "ill" }, 1_000, "ill"],
  ["silent", { kind: "silent" }, 1_000, "silent"],
])("a build may be %s", async (_, character, afterMs, expected) => {
  const world = stage("characters");
  const { host, service, play, pass } = world;
  provision(host, service, world.build({ id: "v1", ...(character === undefined ? {} : { character }) }));
  pass(afterMs);
  const { probes } = host.newLife().machine;
  const probe = { kind: "http", url: "http://127.0.0.1:8001/health", expectStatus: [200], timeoutMs: 1_000 } as const;
  const failure = await play(probes.http(probe, signal, ASKING));
  const reasons = { nobody: "connection refused", well: null, ill: "http 503", silent: "timeout after 1000 ms" };
  expect(failure?.reason ?? null).toBe(reasons[expected as keyof typeof reasons]);
});

test("a build that takes its host along does so at every start", () => {
  const world = stage("killer");
  const { host, service, pass } = world;
  provision(host, service, world.build({ id: "v1", character: { kind: "kills-host", afterMs: 500 } }));
  pass(1_000);
  expect(host.isUp).toBe(false);
});

test("a build that takes no notice of TERM is ended by its stop command in the end", async () => {
  const world = stage("stubborn");
  const { host, service, play, pass, time } = world;
  provision(host, service, world.build({ id: "v1", character: { kind: "stubborn" } }));
  pass(1_000);
  const { machine } = host.newLife();
  const beganMs = time.nowMs;
  expect(await play(machine.commands.run(command(world, "v1", "./svc stop")))).toMatchObject({ code: 0 });
  expect(time.nowMs - beganMs).toBeGreaterThan(3_000);
  expect(served(world)).toBeNull();
});

/** Unpacked beside the build that runs. */
function place({ host, service }: ReturnType<typeof stage>, plan: BuildPlan): void {
  for (const [path, text] of makeBuild(plan).files) {
    const at = `${service.root}/releases/${plan.id}/${path}`;
    host.disk.makeDirectory(at.slice(0, at.lastIndexOf("/")));
    host.disk.append(host.disk.create(at), Buffer.from(text));
  }
}

test("start commands fail, hang until their time is over, or do not exist", async () => {
  const world = stage("starts");
  const { host, service, play } = world;
  provision(host, service, world.build({ id: "v1" }));
  place(world, { id: "v2", character: { kind: "start-fails" } });
  place(world, { id: "v3", character: { kind: "start-hangs" } });
  const { machine } = host.newLife();
  const run = (build: string, line: string) => play(machine.commands.run(command(world, build, line, leave)));
  expect(await run("v2", "./svc start")).toEqual({ kind: "exited", code: 1, tail: "cannot start\n" });
  expect(await run("v3", "./svc start")).toMatchObject({ kind: "timed-out" });
  expect(await run("v4", "./svc start")).toMatchObject({ kind: "exited", code: 127 });
});

test("an install step outlives its agent, and is found by its marker", async () => {
  const world = stage("orphans");
  const { host, service, play, pass } = world;
  provision(host, service, world.build({ id: "v1", install: [{ kind: "hangs" }] }));
  const first = host.newLife();
  const marked = { marker: "step:web#1" };
  void first.machine.commands.run(command(world, "v1", "./svc install 1", marked));
  pass(1_000);
  host.killAgent();
  pass(60_000);
  const second = host.newLife();
  expect(await play(second.machine.processes.of({ root: service.root, uid: null, mains: [] }))).toHaveLength(1);
  expect(await play(second.machine.processes.endMarked("step:web", null))).toBe(1);
  expect(await play(second.machine.processes.endMarked("step:web", null))).toBe(0);
});

test("the shell of a start outlives its agent as well, and is found by its marker", async () => {
  const world = stage("orphans");
  const { host, service, play, pass } = world;
  provision(host, service, world.build({ id: "v1" }));
  place(world, { id: "v2", character: { kind: "start-hangs" } });
  const start = command(world, "v2", "./svc start", { ...leave, marker: "step:web#1" });
  void host.newLife().machine.commands.run(start);
  pass(1_000);
  host.killAgent();
  const { machine } = host.newLife();
  const releases = async () =>
    (await play(machine.processes.of({ root: service.root, uid: null, mains: [] }))).map(({ release }) => release);
  expect(await releases()).toEqual(["v1", "v2"]);
  expect(await play(machine.processes.endMarked("step:web", null))).toBe(1);
  expect(await releases()).toEqual(["v1"]);
});

test("what is called off is ended before it is said", async () => {
  const world = stage("orphans");
  const { host, service, play, pass } = world;
  provision(host, service, world.build({ id: "v1", install: [{ kind: "hangs" }] }));
  const { machine } = host.newLife();
  const off = new AbortController();
  const run = machine.commands.run(command(world, "v1", "./svc install 1", { marker: "m", signal: off.signal }));
  pass(1_000);
  off.abort();
  expect(await rejection(play(run))).toMatchObject({ code: "aborted" });
  expect(host.processes.all().filter(({ facts }) => facts.marker === "m")).toEqual([]);
});

test.each(["term", "hup"] as const)("an init starts a service that is told by %s from current", async (restart) => {
  const world = stage("init", { service: { restart } });
  const { host, service, play, pass } = world;
  provision(host, service, world.build({ id: "v1" }));
  pass(3_000);
  expect(served(world)).toBe("v1");
  const { machine } = host.newLife();
  const v2 = world.build({ id: "v2" });
  for (const [path, text] of v2.files) {
    host.disk.makeDirectory(`${service.root}/releases/v2/lib`);
    host.disk.append(host.disk.create(`${service.root}/releases/v2/${path}`), Buffer.from(text));
  }
  host.disk.makeLink(`${service.root}/next`, "releases/v2");
  host.disk.rename(`${service.root}/next`, `${service.root}/current`);
  const pid = Number((await play(machine.disk.readText(pidFileOf(service.root, "1"), { follow: true })))?.text);
  machine.processes.kill(pid, restart === "term" ? "SIGTERM" : "SIGHUP");
  pass(3_000);
  expect(served(world)).toBe("v2");
  const now = Number((await play(machine.disk.readText(pidFileOf(service.root, "1"), { follow: true })))?.text);
  expect(now === pid).toBe(restart === "hup");
  host.disk.flushAll();
  host.powerCut();
  host.powerOn();
  pass(3_000);
  expect(served(world)).toBe("v2");
});

test("a release that lost a byte is known for it", async () => {
  const world = stage("damage");
  const { host, service, play, pass } = world;
  provision(host, service, world.build({ id: "v1" }));
  host.powerCut();
  host.powerOn();
  host.disk.truncate(host.disk.open(`${service.root}/releases/v1/lib/part-1`), 10);
  const { machine } = host.newLife();
  await play(machine.commands.run(command(world, "v1", "./svc start", leave)));
  pass(1_000);
  expect(instanceFacts(host, service)[0]?.serves).toMatchObject({ build: "v1", isWell: true, isGenuine: false });
});

test("what happens beside the agent's effects can be told", () => {
  const world = stage("story");
  const { host, service, pass } = world;
  const story: string[] = [];
  host.onEvent = (what) => story.push(what);
  provision(host, service, world.build({ id: "v1", character: { kind: "dies", afterMs: 2_000 } }));
  pass(3_000);
  host.newLife();
  host.powerCut();
  host.powerOn();
  expect(story).toEqual([
    "web@1 (301) starts v1",
    "web@1 (301) listens, and is well",
    "web@1 (301) exits with 1",
    "loses its power: 0 changes of names and what was written to 0 files are lost",
    "its agent dies by a power-cut",
    "boots, for the 2. time",
  ]);
});
