import { expect, test } from "bun:test";
import { currentFact } from "./host/facts.ts";
import { CALM } from "./fleet/calm_plan.ts";
import { Fleet, SERVICE } from "./fleet/fleet.ts";
import type { CtlRun } from "./fleet/operator.ts";
import { Script } from "./fleet/script.ts";
import type { WorldPlan } from "./fleet/world_plan.ts";

const PLAN: WorldPlan = { ...CALM, hosts: 4, max: 2, servers: 3, clockErrorMs: 1_000 };
const LONGEST_MS = 3_600_000;
/** Long enough for every agent to be back, to read what is wished, and to read it again unasked. */
const HELD_MS = 90_000;

/** A world whose ZooKeeper comes back from a backup, and what its hosts are seen to serve. */
class PutBack {
  readonly fleet: Fleet;
  readonly ana;
  readonly #script: Script;
  /** What was seen beside what had to be. */
  readonly strayed: string[] = [];
  #expected: string | null = null;

  constructor(seed: string) {
    this.fleet = new Fleet(seed, PLAN);
    const { ensemble, tree } = this.fleet;
    ensemble.onCommit(({ changes }) => {
      for (const { path } of changes) {
        const found = ensemble.read(path);
        tree.apply({ path, data: found === undefined ? null : new TextDecoder().decode(found.data) });
      }
    });
    this.#script = new Script(this.fleet);
    this.ana = this.fleet.operator("carla");
    for (const host of this.fleet.hosts) host.onChange = () => this.#look();
  }

  /** @returns what brings ZooKeeper back to the first build, which the hosts have left two deploys behind them */
  async begin(): Promise<() => void> {
    const { ensemble } = this.fleet;
    await this.#script.furnish();
    const backup = ensemble.snapshot();
    await this.#script.canaryAndFleet();
    await this.#script.canaryAndFleet();
    return () => ensemble.restoreSnapshot(backup);
  }

  serving(): string[] {
    return this.fleet.hosts.map((host) => {
      const current = currentFact(host, this.fleet.service);
      return current.kind === "release" ? current.build : current.kind;
    });
  }

  /** From now on no host may serve anything else; null where they may. */
  expect(build: string | null): void {
    this.#expected = build;
    this.#look();
  }

  async until(claim: () => boolean | Promise<boolean>): Promise<void> {
    while (!(await claim())) await this.pause(500);
  }

  pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.fleet.time.after(ms, resolve));
  }

  play(act: () => Promise<void>): void {
    let outcome = "not over";
    act().then(
      () => (outcome = "over"),
      (error: unknown) => (outcome = String(error)),
    );
    this.fleet.time.run(LONGEST_MS, () => outcome !== "not over");
    expect(outcome).toBe("over");
  }

  #look(): void {
    if (this.#expected === null) return;
    for (const build of this.serving()) if (build !== this.#expected) this.strayed.push(build);
  }
}

const allServe = (world: PutBack, build: string): boolean => world.serving().every((served) => served === build);
const heldEverywhere = ({ said }: CtlRun): boolean => said.includes("Every host holds");

test.each(["one", "two", "three"])(
  "a fleet whose ZooKeeper comes back two deploys older stays, through deaths of agents and machines, until a person accepts: world %s",
  (seed) => {
    const world = new PutBack(seed);
    const { fleet, ana } = world;
    world.play(async () => {
      const putBack = await world.begin();
      const [newest = ""] = world.serving();
      expect(allServe(world, newest)).toBe(true);
      expect(newest).not.toBe("v1");

      world.expect(newest);
      putBack();
      await world.pause(fleet.chance.between(0, 10_000));
      const [first, second] = fleet.hosts;
      first?.killAgent();
      second?.powerCut();
      await world.pause(HELD_MS);
      expect(world.strayed).toEqual([]);
      await world.until(async () => heldEverywhere(await ana.run("status", SERVICE)));
      expect(world.strayed).toEqual([]);
      expect((await ana.run("wait", SERVICE, "--timeout-s", "60")).code).toBe(3);

      world.expect(null);
      expect((await ana.run("services", "accept", SERVICE)).code).toBe(0);
      await world.until(() => allServe(world, "v1"));
      await world.until(async () => (await ana.run("wait", SERVICE, "--timeout-s", "60")).code === 0);
    });
  },
);
