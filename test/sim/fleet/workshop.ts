import type { Chance } from "../chance.ts";
import { makeBuild, type BuildPlan, type SimBuild } from "../host/builds.ts";
import type { Character, InstallCharacter } from "../host/character.ts";
import type { Fleet } from "./fleet.ts";

/** What a build is like beside what the chance makes of it. */
export type Flaws = Pick<BuildPlan, "character" | "install" | "recipe">;

/** Where the builds of a rehearsal are made, one after the other, each a little different. */
export class Workshop {
  readonly #fleet: Fleet;
  readonly #chance: Chance;
  #builds = 0;
  readonly #made = new Map<string, SimBuild>();

  constructor(fleet: Fleet) {
    this.#fleet = fleet;
    this.#chance = fleet.chance.fork("workshop");
  }

  /** What the next one will be called. */
  get next(): string {
    return `v${this.#builds + 1}`;
  }

  /** Whether nothing is wrong with how it runs, once it is installed. */
  isGood(build: string): boolean {
    return (this.#made.get(build)?.plan.character?.kind ?? "good") === "good";
  }

  /** The plainest of builds, as it was there before any deployd. */
  first(): SimBuild {
    return this.#make({});
  }

  build(flaws: Flaws = {}): SimBuild {
    const chance = this.#chance;
    if (Object.keys(flaws).length === 0 && chance.happens(PLAIN)) return this.#make({ recipe: "left out" });
    const isGood = (flaws.character?.kind ?? "good") === "good";
    const install = chance.pick<readonly InstallCharacter[]>([
      [],
      [],
      [{ kind: "works" }],
      [{ kind: "fails-first", times: 1 }],
    ]);
    return this.#make({
      install,
      shared: chance.pick(SHARED),
      // Whoever only listens passes a check by tcp.
      check: { by: chance.pick(isGood ? ["http", "http", "tcp", "command"] : ["http", "http", "command"]) },
      ...(chance.happens(DRAINED) ? { drainS: chance.between(4, 9) } : {}),
      ...flaws,
    });
  }

  /** One that comes to no good. */
  bad(): SimBuild {
    const chance = this.#chance;
    const luck = chance.random();
    if (luck < 0.05) return this.build({ recipe: "unreadable" });
    return this.build(luck < 0.75 ? { character: this.#badCharacter() } : { install: [chance.pick(BAD_INSTALLS)] });
  }

  #badCharacter(): Character {
    const chance = this.#chance;
    const afterMs = chance.between(200, 9_000);
    const characters: Character[] = [
      { kind: "ill" },
      { kind: "ill" },
      { kind: "dies", afterMs },
      { kind: "sickens", afterMs },
      { kind: "silent" },
      { kind: "start-fails" },
      { kind: "start-hangs" },
      { kind: "slow", startMs: chance.between(2_000, 20_000) },
    ];
    // An init would start it again at each boot, before any agent could do anything about it.
    if (this.#fleet.service.restart === "command") {
      // Told to go by TERM alone it would stay for ever.
      characters.push({ kind: "stubborn" });
      characters.push({ kind: "kills-host", afterMs: chance.between(10, 1_500) });
    }
    return chance.pick(characters);
  }

  #make(plan: Omit<BuildPlan, "id" | "restart">): SimBuild {
    this.#builds += 1;
    const build = makeBuild({ ...plan, id: `v${this.#builds}`, restart: this.#fleet.service.restart });
    this.#fleet.server.publish(build);
    this.#made.set(build.id, build);
    return build;
  }
}

/** How many builds leave it to the host how they are run, and how many are asked to let their clients go. */
const PLAIN = 0.1;
const DRAINED = 0.3;

const SHARED: readonly (readonly string[])[] = [[], [], ["data"], ["var/uploads", "conf/site.conf"], ["log", "data"]];

const BAD_INSTALLS: readonly InstallCharacter[] = [
  { kind: "fails" },
  { kind: "hangs" },
  { kind: "kills-agent" },
  { kind: "kills-host" },
  { kind: "fails-first", times: 2 },
];
