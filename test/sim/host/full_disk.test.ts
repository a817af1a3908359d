import { expect, test } from "bun:test";
import { rolledTo } from "./activations.ts";
import type { Character } from "./character.ts";
import { instanceFacts, isInService, provision } from "./facts.ts";
import type { ServicePlan } from "./host_file.ts";
import { journalOf, runAlone, phaseIn } from "./lone_agent.ts";
import { stage, type Stage } from "./stage.ts";

interface Shape {
  readonly service?: Partial<ServicePlan>;
  readonly character: Character;
  /** How many effects after the disk is full the agent is killed; another one comes. Undefined: it lives. */
  readonly killedAfter?: number | undefined;
}

/** An agent that was granted v2 and has done nothing yet, on a disk that is full from its nth effect on; 0 for never. */
function fullFrom(nth: number, { service: plan = {}, character, killedAfter }: Shape): Stage & { effects: number } {
  const world = stage(`full from ${nth}`, { service: plan });
  const { host, service, time } = world;
  const { restart } = service;
  provision(host, service, world.build({ id: "v1", restart }));
  const left = service.instances.map(({ name }) => name);
  const v2 = { id: "v2", character, check: { deadlineS: 5 } };
  rolledTo(world, v2, { begun: 0, batch: [], left }, {}, 3_000, false);
  world.pass(2_000);
  const before = host.effects;
  host.onEffect = () => {
    if (host.effects - before === nth) time.after(0, () => (host.disk.full = true));
  };
  if (killedAfter !== undefined && nth > 0) {
    host.plan = () => (host.effects - before === nth + killedAfter ? { how: "kill", when: "halfway" } : null);
    host.onDeath = () => time.after(1_000, () => void runAlone(host, [service]));
  }
  const { ended } = runAlone(host, [service]);
  world.pass(200_000);
  expect(ended()).toBeNull();
  return { ...world, effects: host.effects - before };
}

/** What is not as it should be; null where all is. */
function wrong({ host, service, ...world }: Stage, build: string): string | null {
  const facts = instanceFacts(host, service);
  const { activation, failed } = journalOf({ host, service, ...world });
  const runs = facts.map(({ serves }) => (serves === null ? "nothing" : serves.build));
  const isOver = phaseIn({ host, service, ...world }) === "finished" || failed !== null;
  // Before anything is set aside the old build goes on, and the deploy waits for room.
  const waits = activation?.phase.kind === "forward" && runs.every((each) => each === "v1");
  const isRight = waits || (isOver && runs.every((each) => each === build || (failed !== null && each === "v1")));
  if (isRight && isInService(host, service)) return null;
  return `runs ${runs.join()}, phase ${activation?.phase.kind}, failed ${failed?.failure.code}`;
}

const three: Partial<ServicePlan> = { instances: 3, traffic: "nft" };

test.each<[string, Character, string, Partial<ServicePlan>, number | undefined]>([
  ["good", { kind: "good" }, "v2", {}, undefined],
  ["ill", { kind: "ill" }, "v1", {}, undefined],
  ["not to be started", { kind: "start-fails" }, "v1", {}, undefined],
  ["ill after its check", { kind: "sickens", afterMs: 1_500 }, "v1", {}, undefined],
  ["good on three instances", { kind: "good" }, "v2", three, undefined],
  ["ill on three instances", { kind: "ill" }, "v1", three, undefined],
  ["good, and whose agent is killed soon after", { kind: "good" }, "v2", {}, 3],
  ["ill, and whose agent is killed soon after", { kind: "ill" }, "v1", {}, 3],
  ["ill, and whose agent is killed later", { kind: "ill" }, "v1", {}, 14],
  ["ill on three instances, and whose agent is killed later", { kind: "ill" }, "v1", three, 14],
])(
  "from whichever effect on the disk is full, a service whose new build is %s answers, and the deploy ends",
  (_, character, build, service, killedAfter) => {
    const shape: Shape = { character, service, killedAfter };
    const { effects } = fullFrom(0, shape);
    expect(effects).toBeGreaterThan(20);
    const found: string[] = [];
    for (let nth = 1; nth <= effects; nth += 1) {
      const world = fullFrom(nth, shape);
      const full = wrong(world, build);
      if (full !== null) found.push(`full from effect ${nth}: ${full}`);
      world.host.onEffect = () => {};
      world.host.disk.full = false;
      world.pass(200_000);
      const after = wrong(world, build);
      if (after !== null) found.push(`with room again, after effect ${nth}: ${after}`);
    }
    expect(found).toEqual([]);
  },
  30_000,
);
