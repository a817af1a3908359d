import { expect, test } from "bun:test";
import {
  markerOf,
  supervisorEffectsFor,
  variablesOf,
  type CommandContext,
} from "../../../src/service/command_context.ts";
import { resolveRecipe } from "../../../src/core/resolved_recipe.ts";
import type { Machine } from "../../../src/machine/machine.ts";
import { mainPids, restart } from "../../../src/restart/supervisor.ts";
import { Files } from "../../../src/steps/files.ts";
import { layoutOf } from "../../../src/steps/layout.ts";
import { parseRecipe } from "../../../src/steps/recipe.ts";
import { rejection } from "../../harness/rejection.ts";
import { makeBuild, pidFileOf } from "./builds.ts";
import { instanceFacts, provision } from "./facts.ts";
import { stage, type Stage } from "./stage.ts";
import { ASKING } from "../../harness/asking.ts";

const { signal } = new AbortController();

function served(seed: string, kind: "term" | "hup"): Stage {
  const world = stage(seed, { service: { restart: kind } });
  provision(world.host, world.service, world.build({ id: "v1", restart: kind }));
  world.pass(5_000);
  return world;
}

/** The service's restart as an agent does it, by the recipe that its build brings. */
function supervised({ host, service }: Stage, machine: Machine) {
  const build = makeBuild({ id: "v1", restart: service.restart });
  const layout = layoutOf(service.root);
  const command: CommandContext = {
    host: host.name,
    service: service.name,
    build: build.id,
    deploy: "d1",
    previous: null,
    instance: { name: "1", port: 8001, env: {}, alone: true },
    layout,
    user: service.user,
    home: null,
    env: {},
    asking: ASKING,
    supervisordConfig: null,
    maxLogBytes: 10_000,
    machine,
    files: new Files(machine.disk, machine.clock),
    nextMarker: () => `${markerOf(layout)}#1`,
  };
  const { restart: spec } = resolveRecipe(
    parseRecipe(build.files.get("deployd.toml") ?? "", "it"),
    variablesOf(command),
  );
  if (spec === null) throw new Error("the build says nothing of its restart");
  const effects = supervisorEffectsFor(command, []);
  return { restart: () => restart(spec, effects, signal), mainPids: () => mainPids(spec, effects, signal) };
}

const serves = ({ host, service }: Stage): boolean => instanceFacts(host, service)[0]?.serves?.isWell === true;
const pidIn = ({ host, service }: Stage): number =>
  Number(Buffer.from(host.disk.read(pidFileOf(service.root, "1"), true)?.bytes ?? []).toString());

/** The machine comes back with the pid file of before, which was on the disk by then. */
function boot({ host }: Stage): Machine {
  host.disk.flushAll();
  host.powerCut();
  host.powerOn();
  return host.newLife().machine;
}

test.each(["term", "hup"] as const)("a restart by %s that begins with a boot waits for the service", async (kind) => {
  const world = served("boot", kind);
  const machine = boot(world);
  expect(serves(world)).toBe(false);
  await world.play(supervised(world, machine).restart());
  world.pass(1_000);
  expect(serves(world)).toBe(true);
});

test("it waits also where somebody else has the number of before by now", async () => {
  const world = served("taken", "term");
  const stale = pidIn(world);
  const machine = boot(world);
  const { processes } = world.host;
  const facts = { parent: 1, uid: 0, root: null, instance: null, marker: null };
  while (processes.get(stale) === null) processes.start(facts);
  const other = processes.get(stale);
  const service = supervised(world, machine);
  expect(await rejection(world.play(service.mainPids()))).toMatchObject({ code: "policy-refused" });
  await world.play(service.restart());
  expect(other?.isRunning).toBe(true);
  expect(pidIn(world)).not.toBe(stale);
});

test("a service that nobody starts is a failed restart, with what its pid file says in the end", async () => {
  const world = served("nobody", "term");
  const stale = pidIn(world);
  const machine = boot(world);
  world.host.disk.readOnly = true;
  const begunMs = world.time.nowMs;
  const error = await rejection(world.play(supervised(world, machine).restart()));
  expect(error).toMatchObject({ code: "policy-refused" });
  expect(error.message).toContain(`process ${stale} named by`);
  expect(world.time.nowMs - begunMs).toBeGreaterThanOrEqual(10_000);
});

test.each([3_600_000, -3_600_000])(
  "a clock that is set by %d ms leaves a service that can be restarted",
  async (by) => {
    const world = served("clock", "term");
    world.host.wall.offsetMs += by;
    const before = pidIn(world);
    const service = supervised(world, world.host.newLife().machine);
    expect(await world.play(service.mainPids())).toEqual([before]);
    await world.play(service.restart());
    expect(pidIn(world)).not.toBe(before);
  },
);
