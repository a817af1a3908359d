import { expect, test } from "bun:test";
import { restartOf } from "../../../src/core/restart_progress.ts";
import type { Journal, RestartProgress } from "../../../src/schema/journal.ts";
import { rolledTo } from "./activations.ts";
import type { BuildPlan } from "./builds.ts";
import { instanceFacts, provision } from "./facts.ts";
import type { ServicePlan } from "./host_file.ts";
import type { DeathKind } from "./life.ts";
import { journalOf, runAlone, phaseIn } from "./lone_agent.ts";
import { stage, type Stage } from "./stage.ts";

/** Processes that were seen at the last check, of whatever build: an agent that knows what runs here. */
const seen: Partial<Journal> = { restarted: { build: "v1", processes: [{ pid: 7, startTicks: 70 }] } };

/** A host whose agent has come so far into v2, in its first boot. */
function half(
  seed: string,
  service: Partial<ServicePlan>,
  {
    v2 = {},
    progress = restartOf([]),
    more = {},
  }: { v2?: Partial<BuildPlan>; progress?: RestartProgress; more?: Partial<Journal> } = {},
): Stage {
  const world = stage(seed, { service });
  const restart = world.service.restart;
  provision(world.host, world.service, world.build({ id: "v1", restart }));
  rolledTo(world, { id: "v2", ...v2 }, progress, more);
  world.pass(3_000);
  return world;
}

/** Whenever the agent dies another comes, after a boot where it needs one. */
function revived({ host, time }: Stage): { deaths: () => number } {
  let deaths = 0;
  host.onDeath = () => {
    deaths += 1;
    time.after(2_000, () => {
      host.powerOn();
      runAlone(host);
    });
  };
  return { deaths: () => deaths };
}

function cut({ host }: Stage): void {
  host.powerCut();
  host.powerOn();
}

const served = ({ host, service }: Stage) =>
  instanceFacts(host, service).map(({ serves }) => (serves?.isWell === true ? serves.build : null));

test.each<[string, Partial<ServicePlan>, Partial<Journal>]>([
  ["its commands start", {}, {}],
  ["its commands start, and whose processes are known", {}, seen],
  ["the init starts", { restart: "term" }, {}],
  ["the init starts, and that reads all anew at a signal", { restart: "hup" }, {}],
])("a power cut between restart and check does not fail a build that %s", (_, service, more) => {
  const world = half("check", service, { more });
  cut(world);
  expect(served(world)).toEqual([null]);
  runAlone(world.host);
  world.pass(60_000);
  expect(phaseIn(world)).toBe("finished");
  expect(served(world)).toEqual(["v2"]);
});

test("instances that were done with are restarted again beside those that were not", () => {
  const world = half(
    "two",
    { instances: 3, traffic: "nft" },
    { progress: { begun: 1, batch: ["2"], left: ["2", "3"] } },
  );
  expect(served(world)).toEqual(["v2", "v1", "v1"]);
  cut(world);
  runAlone(world.host);
  world.pass(60_000);
  expect({ phase: phaseIn(world), boot: journalOf(world).boot?.id }).toEqual({
    phase: "finished",
    boot: "web-01-boot-2",
  });
  expect(served(world)).toEqual(["v2", "v2", "v2"]);
});

test("a power cut on the way back does not keep the build before from being served again", () => {
  const world = half("back", { instances: 2 }, { v2: { character: { kind: "ill" }, check: { deadlineS: 3 } } });
  const { host } = world;
  let back = 0;
  host.onEvent = (what) => {
    if (!what.includes("listens") || journalOf(world).activation?.phase.kind !== "back" || (back += 1) !== 2) return;
    host.onEvent = () => {};
    world.time.after(100, () => host.powerCut());
  };
  const { deaths } = revived(world);
  runAlone(host);
  world.pass(120_000);
  expect(deaths()).toBe(1);
  expect(journalOf(world).failed).toMatchObject({ build: "v2", healthy: true, failure: { code: "check-failed" } });
  expect(served(world)).toEqual(["v1", "v1"]);
});

test("a turn back restarts what a power cut had taken down before it was touched", () => {
  const v2: Partial<BuildPlan> = { character: { kind: "ill" }, check: { deadlineS: 3 } };
  const world = half("untouched", { instances: 2, traffic: "nft" }, { v2, progress: restartOf(["1", "2"]) });
  cut(world);
  runAlone(world.host);
  world.pass(120_000);
  expect(journalOf(world).failed).toMatchObject({ build: "v2", healthy: true });
  expect(served(world)).toEqual(["v1", "v1"]);
});

test.each([1, 2])(
  "a build that takes its machine along after each start fails in the end, of %d instances",
  (instances) => {
    const v2: Partial<BuildPlan> = { character: { kind: "kills-host", afterMs: 2_000 } };
    const names = Array.from({ length: instances }, (_, at) => String(at + 1));
    const world = half("killer", { instances }, { v2: { ...v2, check: { successes: 9 } }, progress: restartOf(names) });
    const { deaths } = revived(world);
    runAlone(world.host);
    world.pass(600_000);
    expect(deaths()).toBe(3);
    expect(journalOf(world).failed).toMatchObject({
      build: "v2",
      healthy: true,
      failure: { code: "attempts-exhausted", message: expect.stringMatching(/rebooted 3 times|3 restarts/) },
    });
    expect(served(world)).toEqual(names.map(() => "v1"));
  },
);

test("a build that ends by itself after its start is restarted once, and fails by its check", () => {
  const v2: Partial<BuildPlan> = { character: { kind: "dies", afterMs: 600 }, check: { deadlineS: 5, successes: 4 } };
  const world = half("dies", {}, { v2, progress: restartOf(["1"]), more: seen });
  let starts = 0;
  world.host.onEvent = (what) => {
    if (what.includes("starts v2")) starts += 1;
  };
  runAlone(world.host);
  world.pass(60_000);
  expect(starts).toBe(1);
  expect(journalOf(world).failed).toMatchObject({ build: "v2", healthy: true, failure: { code: "check-failed" } });
  expect(served(world)).toEqual(["v1"]);
});

/** Up to the one that writes down that the build is proven: from there on ZooKeeper is needed. */
function effectsOf(world: Stage): number {
  const { host, time } = world;
  const before = host.effects;
  let provenAt: number | null = null;
  host.plan = () => {
    if (provenAt === null && phaseIn(world) === "proven") provenAt = host.effects;
    return null;
  };
  runAlone(host);
  time.run(time.nowMs + 60_000, () => phaseIn(world) === "finished");
  if (provenAt === null) throw new Error("the build was not proven");
  return provenAt - before - 1;
}

const rolls = { instances: 2, traffic: "nft" } as const;
const begin = (seed: string): Stage => half(seed, rolls, { progress: restartOf(["1", "2"]), more: seen });

test.each<DeathKind>(["kill", "power-cut"])("an activation ends well after a %s at any effect of it", (how) => {
  const effects = effectsOf(begin("whole"));
  expect(effects).toBeGreaterThan(20);
  for (let number = 1; number <= effects; number += 1) {
    const world = begin(`${how} ${number}`);
    const { host } = world;
    host.plan = (effect) => (effect.number === number ? { how, when: "after" } : null);
    const { deaths } = revived(world);
    runAlone(host);
    world.pass(120_000);
    expect({ number, deaths: deaths(), phase: phaseIn(world), served: served(world) }).toEqual({
      number,
      deaths: 1,
      phase: "finished",
      served: ["v2", "v2"],
    });
  }
});
