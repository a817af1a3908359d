import { enabledPath } from "../../../src/store/paths.ts";
import { ZooKeeper } from "../../../src/zookeeper/client.ts";
import type { Chance } from "../chance.ts";
import type { Character, InstallCharacter } from "../host/character.ts";
import { makeBuild, type SimBuild } from "../host/builds.ts";
import { provision } from "../host/facts.ts";
import { virtualClock } from "../time.ts";
import { SERVICE, type Fleet } from "./fleet.ts";
import type { CtlRun, Operator } from "./operator.ts";

/** What the people of a rehearsal do, one thing after the other, from the first deploy to the last. */
export class Script {
  readonly #fleet: Fleet;
  readonly #chance: Chance;
  readonly #ana: Operator;
  readonly #ben: Operator;
  /** Told of what only who does it knows. */
  onEdge: (edge: "two operators at once" | "a role changed in a deploy" | "a barred build refused") => void = () => {};
  /** How many deploys were begun. */
  deploys = 0;
  #builds = 0;

  constructor(fleet: Fleet) {
    this.#fleet = fleet;
    this.#chance = fleet.chance.fork("script");
    this.#ana = fleet.operator("ana");
    this.#ben = fleet.operator("ben");
  }

  /** A service that serves its first build, before anything goes wrong. */
  async furnish(): Promise<void> {
    const { plan, agents, service } = this.#fleet;
    const first = this.#build({});
    for (const { host } of agents.values()) {
      if (service.restart !== "command" || this.#chance.happens(0.5)) provision(host, service, first);
    }
    this.#fleet.start();
    const { max, budget, soakMs } = plan;
    const limits = [
      "services",
      "set",
      SERVICE,
      "--max",
      String(max),
      "--budget",
      String(budget),
      "--soak-s",
      String(soakMs / 1000),
    ];
    await this.#ana.run(...limits);
    await this.#add(first);
    await this.#untilRegistered();
    await this.#deploy(this.#ana, first.id);
    const canaries = [...agents.keys()].slice(0, plan.canaries);
    for (const host of canaries) await this.#ana.run("hosts", "role", SERVICE, host, "canary");
  }

  /** As many deploys as the plan has, of all kinds. */
  async play(): Promise<void> {
    while (this.deploys < this.#fleet.plan.deploys + 1) {
      await this.#pause(this.#chance.between(0, 8_000));
      await this.#act();
    }
  }

  /** One good build, to the canary host and then to the fleet. */
  async canaryAndFleet(): Promise<void> {
    const build = await this.#added({ install: [{ kind: "works" }] });
    const run = await this.#deploy(this.#ana, build.id, "--canary");
    if (run.code === 0) await this.#ana.run("promote", SERVICE, "--timeout-s", "600");
  }

  /** Brings the service to a build that is good, whatever came before. */
  async finish(): Promise<CtlRun> {
    const last = this.#build({});
    await this.#until(["builds", "add"], () => this.#add(last));
    for (;;) {
      const run = await this.#ana.run("deploy", SERVICE, last.id, "--timeout-s", "1800");
      this.deploys += 1;
      if (run.code === 0) return run;
      // One that is under way, or waits for a person, is ended first; what halted for its own faults goes back.
      if (run.code === 75 || run.code === 3 || run.code === 4) {
        await this.#ana.run("rollback", SERVICE, "--timeout-s", "900");
        if (this.#fleet.tree.builds.get(last.id)?.barred !== undefined)
          await this.#ana.run("builds", "unbar", SERVICE, last.id);
      }
      await this.#pause(5_000);
    }
  }

  async history(): Promise<CtlRun> {
    return this.#ana.run("history", SERVICE, "--json");
  }

  async #act(): Promise<void> {
    const acts: readonly (readonly [number, () => Promise<void>])[] = [
      [5, () => this.#goodDeploy()],
      [4, () => this.#badDeploy()],
      [3, () => this.#canaryDeploy()],
      [3, () => this.#rollbackMeanwhile()],
      [2, () => this.#interrupted()],
      [2, () => this.#twoAtOnce()],
      [2, () => this.#byHand()],
      [2, () => this.#roleMeanwhile()],
      [1, () => this.#settingsMeanwhile()],
      [1, () => this.#barred()],
    ];
    const weighted = acts.flatMap(([weight, act]) => Array.from({ length: weight }, () => act));
    await this.#chance.pick(weighted)();
  }

  async #goodDeploy(): Promise<void> {
    const build = await this.#added({});
    const run = await this.#deploy(this.#ana, build.id);
    await this.#decide(run);
  }

  async #badDeploy(): Promise<void> {
    const build = await this.#added(this.#badCharacter());
    const words = this.#chance.happens(0.3) ? ["--canary"] : [];
    const run = await this.#deploy(this.#ana, build.id, ...words);
    await this.#decide(run);
  }

  async #canaryDeploy(): Promise<void> {
    const build = await this.#added(this.#chance.happens(0.3) ? this.#badCharacter() : {});
    const run = await this.#deploy(this.#ana, build.id, "--canary");
    if (run.code === 0) {
      const verb = this.#chance.happens(0.7) ? "promote" : "rollback";
      await this.#ana.run(verb, SERVICE, "--timeout-s", "600");
    } else await this.#decide(run);
  }

  /** The wish changes while hosts are at work on the one before. */
  async #rollbackMeanwhile(): Promise<void> {
    const build = await this.#added(this.#chance.happens(0.3) ? this.#badCharacter() : {});
    const deploying = this.#deploy(this.#ana, build.id);
    await this.#pause(this.#chance.between(500, 20_000));
    await this.#ben.run("rollback", SERVICE, "--why", "it looks wrong", "--timeout-s", "600");
    await deploying;
  }

  async #interrupted(): Promise<void> {
    const build = await this.#added({});
    const deploying = this.#deploy(this.#ana, build.id);
    await this.#pause(this.#chance.between(1, 12_000));
    this.#ana.interrupt();
    await deploying;
    await this.#ana.run("wait", SERVICE, "--timeout-s", "600");
  }

  async #twoAtOnce(): Promise<void> {
    const [one, other] = [await this.#added({}), await this.#added({})];
    this.onEdge("two operators at once");
    const runs = await Promise.all([this.#deploy(this.#ana, one.id), this.#deploy(this.#ben, other.id)]);
    for (const run of runs) if (run.code !== 75) await this.#decide(run);
  }

  /** Another program, or a person with zkCli, writes the wish. */
  async #byHand(): Promise<void> {
    const build = await this.#added({});
    const { ensemble, story, time, chance } = this.#fleet;
    story.tell("zkCli", `set ${enabledPath(SERVICE)} ${build.id}`);
    this.deploys += 1;
    const zk = new ZooKeeper({
      clock: virtualClock(time, chance.fork(`zkCli ${this.deploys}`)),
      servers: `${ensemble.connectString}/deployd`,
      dial: ensemble.dialFrom("laptop-zkCli"),
    });
    await zk.set(enabledPath(SERVICE), build.id).catch((error: unknown) => story.tell("zkCli", String(error)));
    await zk.close();
    await this.#pause(2_000);
    await this.#ana.run("wait", SERVICE, "--timeout-s", "600");
  }

  async #roleMeanwhile(): Promise<void> {
    const build = await this.#added({});
    const deploying = this.#deploy(this.#ana, build.id);
    await this.#pause(this.#chance.between(500, 10_000));
    const host = this.#chance.pick([...this.#fleet.agents.keys()]);
    this.onEdge("a role changed in a deploy");
    await this.#ben.run("hosts", "role", SERVICE, host, this.#chance.pick(["canary", "fleet"]));
    await this.#decide(await deploying);
  }

  async #settingsMeanwhile(): Promise<void> {
    const build = await this.#added({});
    const deploying = this.#deploy(this.#ana, build.id);
    await this.#pause(this.#chance.between(500, 10_000));
    await this.#ben.run("services", "set", SERVICE, "--max", String(this.#chance.between(1, 3)));
    await this.#decide(await deploying);
  }

  async #barred(): Promise<void> {
    const build = await this.#added({});
    await this.#ana.run("builds", "bar", SERVICE, build.id, "--why", "it is not wanted");
    const run = await this.#deploy(this.#ben, build.id);
    if (run.code === 75) this.onEdge("a barred build refused");
  }

  /** What a person does when a deploy did not end well. */
  async #decide({ code }: CtlRun): Promise<void> {
    if (code === 0 || code === 75) return;
    if (this.#chance.happens(0.6)) await this.#ana.run("rollback", SERVICE, "--timeout-s", "600");
  }

  async #deploy(operator: Operator, build: string, ...words: string[]): Promise<CtlRun> {
    this.deploys += 1;
    return operator.run("deploy", SERVICE, build, "--timeout-s", "600", ...words);
  }

  async #added(plan: Flaws): Promise<SimBuild> {
    const build = this.#build(plan);
    await this.#add(build);
    return build;
  }

  #build({ character = { kind: "good" }, install }: Flaws): SimBuild {
    this.#builds += 1;
    const chance = this.#chance;
    const { restart } = this.#fleet.service;
    const steps =
      install ??
      chance.pick<readonly InstallCharacter[]>([[], [], [{ kind: "works" }], [{ kind: "fails-first", times: 1 }]]);
    const build = makeBuild({ id: `v${this.#builds}`, character, restart, install: steps });
    this.#fleet.server.publish(build);
    return build;
  }

  async #add(build: SimBuild): Promise<CtlRun> {
    const url = this.#fleet.server.publish(build);
    const { digest, size } = build.record(url);
    return this.#ana.run(
      "builds",
      "add",
      SERVICE,
      url,
      "--build",
      build.id,
      "--digest",
      digest,
      "--size",
      String(size),
    );
  }

  #badCharacter(): Flaws {
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
    const installs: readonly InstallCharacter[] = [
      { kind: "fails" },
      { kind: "hangs" },
      { kind: "kills-agent" },
      { kind: "kills-host" },
      { kind: "fails-first", times: 2 },
    ];
    return chance.happens(0.75) ? { character: chance.pick(characters) } : { install: [chance.pick(installs)] };
  }

  /** Agents register their hosts by themselves. */
  async #untilRegistered(): Promise<void> {
    while (this.#fleet.tree.hosts.size < this.#fleet.agents.size) await this.#pause(100);
  }

  async #until(_words: readonly string[], work: () => Promise<CtlRun>): Promise<void> {
    while ((await work()).code !== 0) await this.#pause(2_000);
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#fleet.time.after(ms, resolve));
  }
}

interface Flaws {
  readonly character?: Character;
  readonly install?: readonly InstallCharacter[];
}
