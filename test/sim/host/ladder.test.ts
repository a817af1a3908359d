import { expect, test } from "bun:test";
import { agentConfig } from "../../../src/agent/config.ts";
import { markerOf, runnerFor, variablesOf, type CommandContext } from "../../../src/service/command_context.ts";
import { observe, readCurrent } from "../../../src/service/observe.ts";
import type { Actual } from "../../../src/core/situation.ts";
import { resolveRecipe } from "../../../src/core/resolved_recipe.ts";
import { emptyJournal } from "../../../src/schema/journal.ts";
import type { Machine } from "../../../src/machine/machine.ts";
import { extractStep } from "../../../src/steps/extract.ts";
import { fetchStep } from "../../../src/steps/fetch.ts";
import { Files } from "../../../src/steps/files.ts";
import { flipStep } from "../../../src/service/activation.ts";
import { installStep } from "../../../src/steps/install.ts";
import { layoutOf } from "../../../src/steps/layout.ts";
import { KeptRecipes } from "../../../src/steps/kept_recipes.ts";
import type { BuildWork } from "../../../src/steps/effects.ts";
import { verifyStep } from "../../../src/steps/verify.ts";
import { makeBuild, type BuildPlan } from "./builds.ts";
import { currentAfterPowerCut, currentFact, provision } from "./facts.ts";
import type { Death } from "./life.ts";
import { readRelease } from "./release.ts";
import { stage, type Stage } from "./stage.ts";
import { ASKING } from "../../harness/asking.ts";

const { signal } = new AbortController();
const AGENT_FILE = '[zookeeper]\nservers = "zk:1"\n[services.web]\n';
const limits = { maxBytes: 1_000_000, maxEntries: 1_000 };

const v1: BuildPlan = { id: "v1" };
// In a directory of its own, so that a death meets every effect by which that is left out.
const v2: BuildPlan = { id: "v2", install: [{ kind: "works" }, { kind: "works" }], shared: ["data"], top: "package" };

/** What an agent does of the ladder when it starts: it looks, and does what is next, until `current` leads to the build. */
async function climb({ host, service, server }: Stage, machine: Machine): Promise<void> {
  const files = new Files(machine.disk, machine.clock);
  const layout = layoutOf(service.root);
  const build = server.builds.get("v2");
  if (build === undefined) throw new Error("there is no v2");
  const record = build.record("http://artefacts.example/v2");
  const work: BuildWork = { service: service.name, build: build.id, deploy: "d2", layout, record: { ...record } };
  const user = service.user;
  let markers = 0;
  const command: CommandContext = {
    host: host.name,
    service: service.name,
    build: build.id,
    deploy: "d2",
    previous: "v1",
    instance: null,
    layout,
    user,
    home: null,
    env: {},
    asking: ASKING,
    supervisordConfig: null,
    maxLogBytes: 10_000,
    machine,
    files,
    nextMarker: () => `${markerOf(layout)}#${(markers += 1)}`,
  };
  const effects = { files, archive: machine.archive, network: machine.network, run: runnerFor(command), signal };
  const [section] = Object.values(agentConfig(AGENT_FILE, "agent.toml", {}, host.name).services);
  if (section === undefined) throw new Error("the service is gone from the file");
  const recipes = new KeptRecipes(service.name, layout, section, files);
  await files.sweepTemps(service.root);
  await recipes.adopt();
  await machine.processes.endMarked(markerOf(layout), null);
  for (;;) {
    const { actual } = await observe({
      files,
      processes: machine.processes,
      layout,
      current: await readCurrent(layout, files),
      journal: emptyJournal,
      wanted: { build: build.id, record },
      instances: service.instances.map(({ name }) => name),
      uid: null,
      mainPids: () => Promise.resolve(null),
      startedBy: "deployd",
      isStopped: async () => false,
      startsAnew: true,
      isStatic: false,
    });
    switch (rungThat(actual)) {
      case "fetch":
        await fetchStep(work, { sources: [], logins: {}, isRoot: true }, effects);
        break;
      case "verify":
        await verifyStep(work, effects);
        break;
      case "extract":
        await extractStep(work, { limits, owner: user, recipes, onGaveWay: () => {} }, effects);
        break;
      case "install": {
        const recipe = await recipes.read(build.id);
        const { install } = resolveRecipe(recipe, { ...variablesOf(command), PORT: "1", DEPLOYD_INSTANCE: "1" });
        await installStep(work, install, effects);
        break;
      }
      case "flip":
        await flipStep(layout, build.id, files);
        break;
      case "done":
        return;
    }
  }
}

function rungThat({ release, spool, current }: Actual): "fetch" | "verify" | "extract" | "install" | "flip" | "done" {
  switch (release) {
    case "absent":
      return spool === "verified" ? "extract" : spool === "fetched" ? "verify" : "fetch";
    case "extracted":
      return "install";
    case "installed":
      return current.kind === "link" && current.build === "v2" ? "done" : "flip";
  }
}

function begun(seed: string): Stage {
  const world = stage(seed);
  provision(world.host, world.service, world.build(v1));
  world.build(v2);
  world.pass(60_000);
  return world;
}

/** What must be true in every instant, and after every death. */
function requireSound({ host, service }: Stage): void {
  const current = currentFact(host, service);
  if (current.kind !== "release" || !current.isGenuine) throw new Error(`current is ${JSON.stringify(current)}`);
  for (const build of currentAfterPowerCut(host, service)) {
    if (build === null) throw new Error("a power cut now could take current away");
  }
  const layout = layoutOf(service.root);
  const text = host.disk.read(layout.record("v2"), true)?.bytes;
  const isMarked = text !== undefined && Buffer.from(text).includes('"installed":true');
  const release = readRelease(host.ground, layout.release("v2"));
  if (isMarked && (release === null || !release.isGenuine || !release.isInstalled)) {
    throw new Error(`v2 is marked as installed and is ${JSON.stringify(release)}`);
  }
}

/** Effects of one climb that nothing interrupts. */
async function effectsOf(world: Stage): Promise<string[]> {
  const seen: string[] = [];
  world.host.onEffect = ({ what }) => seen.push(what);
  await world.play(climb(world, world.host.newLife().machine));
  return seen;
}

const all = await effectsOf(begun("ladder"));

test("a climb has effects of every kind", () => {
  expect(all.length).toBeGreaterThan(35);
  for (const word of ["make", "write", "flush", "rename", "store", "run", "link", "remove"]) {
    expect(all.some((what) => what.startsWith(word))).toBe(true);
  }
});

const deaths: Death[] = (["kill", "power-cut"] as const).flatMap((how) =>
  (["before", "halfway", "after"] as const).map((when) => ({ how, when })),
);

test.each(deaths)("the ladder goes on after a $how $when any effect", async ({ how, when }) => {
  for (let number = 1; number <= all.length; number += 1) {
    const world = begun(`ladder ${how} ${when} ${number}`);
    const { host, time } = world;
    let deaths = 0;
    host.plan = (effect) => (effect.number === number ? { how, when } : null);
    host.onEffect = () => requireSound(world);
    host.onDeath = () => (deaths += 1);
    void climb(world, host.newLife().machine);
    time.run(time.nowMs + 120_000, () => deaths > 0);
    host.powerOn();
    requireSound(world);
    await world.play(climb(world, host.newLife().machine));
    expect({ number, deaths, current: currentFact(host, world.service) }).toEqual({
      number,
      deaths: 1,
      current: { kind: "release", build: "v2", isGenuine: true },
    });
    const release = readRelease(host.ground, layoutOf(world.service.root).release("v2"));
    expect(release?.isInstalled).toBe(true);
  }
});

test("a climb that ended is there after a power cut", async () => {
  for (let seed = 0; seed < 20; seed += 1) {
    const world = begun(`ended ${seed}`);
    await world.play(climb(world, world.host.newLife().machine));
    world.host.powerCut();
    world.host.powerOn();
    requireSound(world);
    expect(currentFact(world.host, world.service)).toMatchObject({ build: "v2" });
  }
});

test("without a flush before a rename the ladder would be caught", async () => {
  const torn = new Set<string>();
  for (let seed = 0; seed < 40; seed += 1) {
    const world = begun(`careless ${seed}`);
    const { machine } = world.host.newLife();
    const careless = { ...machine, disk: { ...machine.disk, syncTree: () => Promise.resolve() } };
    await world.play(climb(world, careless));
    world.host.powerCut();
    world.host.powerOn();
    try {
      requireSound(world);
    } catch (error) {
      torn.add(String(error).slice(0, 24));
    }
  }
  expect(torn.size).toBeGreaterThan(0);
});

test("one seed plays the same climb twice", async () => {
  const twice = await Promise.all([effectsOf(begun("twice")), effectsOf(begun("twice"))]);
  expect(twice[0]).toEqual(twice[1]);
  expect(makeBuild(v2).digest).toBe(makeBuild(v2).digest);
});
