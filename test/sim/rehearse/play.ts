import { chanceOf } from "../chance.ts";
import { Checker } from "../checker/checker.ts";
import { judgeEnding, whatIsLeft } from "../checker/ending.ts";
import { CALM } from "../fleet/calm_plan.ts";
import { Fleet } from "../fleet/fleet.ts";
import { Weather } from "../fleet/faults.ts";
import type { Shown } from "../checker/shown.ts";
import type { CtlRun } from "../fleet/operator.ts";
import { Script } from "../fleet/script.ts";
import { worldPlan, type WorldPlan } from "../fleet/world_plan.ts";
import { nameOf, type Job, type PlannedDeath } from "./job.ts";
import type { Performance } from "./performance.ts";

/** A fleet that has not come to rest after so long never will. */
const LONGEST_MS = 1 * 3_600_000;
/** How long everything may take to come to rest after the last deploy. */
const REST_MS = 15 * 60_000;
const LOOK_MS = 5_000;
/** It must stay so for a while: what is about to fall apart is not at rest. */
const STEADY_LOOKS = 5;
/** How often it is waited for the rest that follows the last death, with people's help between. */
const ROUNDS = 3;
/** How many worlds are left alone before their last deploy, and for how long. */
const PEACEFUL = 0.3;
const PEACE_MS = 60_000;

/** The world in which every effect is somebody's last: small, calm, and with everything that a roll can have. */
const SCRIPTED: WorldPlan = { ...CALM, tells: true };

/** Plays one job to its end, or to the first thing that must not be. */
export function play(job: Job): Performance {
  switch (job.kind) {
    case "seed": {
      const plan = worldPlan(chanceOf(`${job.seed}/plan`), job.changes);
      return new Play(job, job.seed, plan).perform(async (play) => {
        play.weather.begin();
        await play.script.play();
      });
    }
    case "deaths":
      return new Play(job, "scripted", SCRIPTED).perform(async (play) => {
        play.kill(job.deaths);
        await play.script.canaryAndFleet();
      });
  }
}

class Play {
  readonly weather: Weather;
  readonly script: Script;
  readonly #job: Job;
  readonly #plan: WorldPlan;
  readonly #fleet: Fleet;
  readonly #checker: Checker;
  readonly #runs: CtlRun[] = [];
  readonly #effectsBefore = new Map<string, number>();
  #history: CtlRun | null = null;
  #shown: Shown | null = null;
  #isOver = false;
  #deaths = 0;

  constructor(job: Job, seed: string, plan: WorldPlan) {
    this.#job = job;
    this.#plan = plan;
    this.#fleet = new Fleet(seed, plan);
    this.#checker = new Checker(this.#fleet);
    this.weather = new Weather(this.#fleet);
    this.script = new Script(this.#fleet);
    const { ledger } = this.#checker;
    this.#fleet.onRun = (run) => {
      this.#runs.push(run);
      this.#checker.edges.ran(run);
    };
    this.weather.onFault = (fault, host) => this.#checker.fault(fault, host);
    this.weather.onTorn = () => ledger.reached("a write cut in the middle");
    this.script.onEdge = (edge) => ledger.reached(edge);
    this.script.errands.onTrouble = () => this.#checker.disturbed();
    this.script.leavers.onTrouble = () => this.#checker.disturbed();
  }

  perform(trouble: (play: Play) => Promise<void>): Performance {
    const { ledger } = this.#checker;
    const startedAt = performance.now();
    ledger.onViolation = ({ invariant, what }) => {
      this.#fleet.story.tell("BROKEN", `${invariant}: ${what}`);
    };
    this.#acts(trouble).catch((error: unknown) => {
      ledger.broken("no-mistake", error instanceof Error ? (error.stack ?? error.message) : String(error));
    });
    const { untilMs } = this.#job;
    this.#fleet.time.run(untilMs ?? LONGEST_MS, () => {
      this.#checker.afterEvent();
      return this.#isOver || ledger.violations.length > 0;
    });
    if (ledger.violations.length === 0 && untilMs === undefined) {
      if (this.#isOver) judgeEnding(this.#checker, this.#runs, { history: this.#history, shown: this.#shown });
      else ledger.broken("converged", `the people still wait: ${whatIsLeft(this.#checker)}`);
    }
    return this.#result(performance.now() - startedAt);
  }

  /** From now on these agents and machines die, each at the given effect. */
  kill(deaths: readonly PlannedDeath[]): void {
    for (const host of this.#fleet.hosts) {
      const before = host.effects;
      const own = deaths.filter((death) => death.host === host.name);
      host.plan = (effect) => {
        const death = own.find((each) => each.effect === effect.number - before);
        if (death === undefined) return null;
        this.#deaths += 1;
        this.#fleet.story.tell("FAULT", `${death.how} of ${host.name} ${death.when} "${effect.what}"`);
        this.#checker.fault(death.how === "kill" ? "agent killed at an effect" : "power cut at an effect", host.name);
        return death;
      };
    }
  }

  async #acts(trouble: (play: Play) => Promise<void>): Promise<void> {
    await this.script.furnish();
    for (const host of this.#fleet.hosts) this.#effectsBefore.set(host.name, host.effects);
    await trouble(this);
    // Deaths that are planned come also while everything comes to rest.
    if (this.#job.kind === "seed") this.weather.end();
    this.#checker.disturbed();
    // What is late only where nothing else goes wrong shows in a deploy that begins in peace.
    if (this.#job.kind === "seed" && this.#fleet.chance.fork("peace").happens(PEACEFUL)) await this.#pause(PEACE_MS);
    if (this.#job.kind === "seed") {
      await this.script.finish();
      await this.#comesToRest();
    } else {
      // The last deaths come while it rests; a service that people have started is down then until they do it again.
      for (let round = 1; !(await this.#comesToRest()) && round < ROUNDS; round += 1) await this.script.finish();
    }
    this.#history = await this.script.history();
    this.#shown = await this.script.shown();
    this.#isOver = true;
  }

  /** Waits until everybody serves the wish, and goes on to. @returns false when that was not to be */
  async #comesToRest(): Promise<boolean> {
    const { time } = this.#fleet;
    const endsAtMs = time.nowMs + REST_MS;
    for (let steady = 0; time.nowMs < endsAtMs;) {
      await this.#pause(LOOK_MS);
      steady = this.#checker.isAtRest() ? steady + 1 : 0;
      if (steady >= STEADY_LOOKS) return true;
    }
    return false;
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#fleet.time.after(ms, resolve));
  }

  #result(realMs: number): Performance {
    const { ledger, tree, faultsInDeploys, deploysWithGrants } = this.#checker;
    const { story, hosts, time } = this.#fleet;
    return {
      name: nameOf(this.#job),
      plan: this.#plan,
      violations: ledger.violations,
      edges: Object.fromEntries(ledger.edges),
      faults: Object.fromEntries(this.weather.counts),
      deploys: tree.deploysSoFar - this.#plan.pastDeploys,
      deploysWithGrants,
      faultsInDeploys,
      effects: Object.fromEntries(
        hosts.map((host) => [host.name, host.effects - (this.#effectsBefore.get(host.name) ?? 0)]),
      ),
      deaths: this.#deaths,
      virtualMs: time.nowMs,
      isOver: this.#isOver,
      realMs,
      hash: story.hash,
      story: story.lines,
    };
  }
}
