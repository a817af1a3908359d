import type { Chance } from "../chance.ts";
import type { SimBuild } from "../host/builds.ts";
import { provision } from "../host/facts.ts";
import { TARGET } from "../host/listener.ts";
import { Errands } from "./errands.ts";
import { SERVICE, type Fleet } from "./fleet.ts";
import { Leavers } from "./leavers.ts";
import { Hands } from "./hands.ts";
import type { Shown } from "../checker/shown.ts";
import type { CtlRun, Operator } from "./operator.ts";
import { Workshop, type Flaws } from "./workshop.ts";

/** What the people of a rehearsal do, one thing after the other, from the first deploy to the last. */
export class Script {
  readonly #fleet: Fleet;
  readonly #chance: Chance;
  readonly #ana: Operator;
  readonly #ben: Operator;
  /** Told of what only who does it knows. */
  onEdge: (
    edge: "two operators at once" | "a role changed in a deploy" | "a barred build refused" | "a paused deploy went on",
  ) => void = () => {};
  /** How many deploys were begun. */
  deploys = 0;
  readonly #workshop: Workshop;
  readonly #hands: Hands;
  /** What goes on beside the deploys. */
  readonly errands: Errands;
  readonly leavers: Leavers;

  constructor(fleet: Fleet) {
    this.#fleet = fleet;
    this.#workshop = new Workshop(fleet);
    this.#hands = new Hands(fleet);
    this.errands = new Errands(fleet, this.#hands, this.#workshop);
    this.#chance = fleet.chance.fork("script");
    this.#ana = fleet.operator("ana");
    this.#ben = fleet.operator("ben");
    this.leavers = new Leavers(fleet);
  }

  /** A service that serves its first build, before anything goes wrong. */
  async furnish(): Promise<void> {
    const { plan, agents, service } = this.#fleet;
    const first = this.#workshop.first();
    for (const { host } of agents.values()) {
      if (service.restart !== "command" || this.#chance.happens(0.5)) provision(host, service, first);
    }
    this.#fleet.start();
    const { max, budget, soakMs, tells } = plan;
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
      ...(tells ? ["--notify", TARGET] : []),
    ];
    await this.#ana.run(...limits);
    if (plan.pastDeploys > 0) await this.#hands.past(plan.pastDeploys);
    await this.#add(first);
    await this.#untilRegistered();
    await this.#deploy(this.#ana, first.id);
    const canaries = [...agents.keys()].slice(0, plan.canaries);
    for (const host of canaries) await this.#ana.run("hosts", "role", SERVICE, host, "canary");
  }

  /** As many deploys as the plan has, of all kinds. */
  async play(): Promise<void> {
    const stop = new AbortController();
    const errands = Promise.all([this.errands.run(stop.signal), this.leavers.run(stop.signal)]);
    while (this.deploys < this.#fleet.plan.deploys + 1) {
      await this.#pause(this.#chance.between(0, 8_000));
      await this.#act();
    }
    stop.abort();
    await errands;
  }

  /** One good build, to the canary host and then to the fleet. */
  async canaryAndFleet(): Promise<void> {
    const build = await this.#added({ install: [{ kind: "works" }] });
    const run = await this.#deploy(this.#ana, build.id, "--canary");
    if (run.code === 0) await this.#ana.run("promote", SERVICE, "--timeout-s", "600");
  }

  /** Brings the service to a build that is good, whatever came before. */
  async finish(): Promise<CtlRun> {
    const last = this.#workshop.build({ character: { kind: "good" } });
    while ((await this.#add(last)).code !== 0) await this.#pause(2_000);
    for (;;) {
      if (this.#fleet.service.restart === "command") this.#hands.startWhatIsDown();
      const run = await this.#ana.run("deploy", SERVICE, last.id, "--timeout-s", "1800");
      this.deploys += 1;
      if (run.code === 0 && !this.#isAnyLeftOut()) return run;
      // One that is under way, or waits for a person, is ended first; what halted for its own faults goes back.
      if (run.code === 75 || run.code === 3 || run.code === 4) {
        await this.#back(last);
        for (const host of this.#held()) await this.#ana.run("hosts", "unlock", SERVICE, host);
        if (this.#fleet.tree.builds.get(last.id)?.barred !== undefined)
          await this.#ana.run("builds", "unbar", SERVICE, last.id);
      }
      await this.#pause(5_000);
    }
  }

  /** A host failed, within the budget, for what is wrong with the build that it comes from: it may be tried again. */
  #isAnyLeftOut(): boolean {
    const { tree } = this.#fleet;
    return [...tree.hosts.keys()].some((host) => {
      const status = tree.statuses.get(host);
      return status?.step === "failed" && status.build !== null && !this.#workshop.isGood(status.build);
    });
  }

  /**
   * Takes the newest deploy back. Where that does not come to an end, since the build before is ill as well, the wish is
   * written by hand: nothing else ends a way back.
   *
   * @param good to be wished then; made where it is not given
   */
  async #back(good?: SimBuild): Promise<void> {
    const { code } = await this.#ana.run("rollback", SERVICE, "--timeout-s", "600");
    // The build that it leads to may go nowhere: then it is ended where it stands, as the refusal says.
    if (code === 75) await this.#ana.run("abort", SERVICE);
    if (code !== TIMED_OUT || this.#fleet.tree.newest()?.record.state !== "rolling back") return;
    const { id } = good ?? (await this.#added({ character: { kind: "good" } }));
    this.deploys += 1;
    await this.#hands.wish("fleet", id);
    await this.#pause(2_000);
    await this.#ana.run("wait", SERVICE, "--timeout-s", "600");
  }

  /** Hosts that failed and are not well, so that nobody else may go on. */
  #held(): string[] {
    return [...this.#fleet.tree.gate.failed].flatMap(([host, { healthy }]) => (healthy ? [] : [host]));
  }

  /** The fleet in every way that it is shown in. */
  async shown(): Promise<Shown> {
    const screen = await this.#ana.run("monitor", SERVICE, "--once");
    const status = await this.#ana.run("status", SERVICE, "--json");
    const asked = [...this.#fleet.hosts].find((host) => host.status !== null && this.#fleet.tree.alive.has(host.name));
    const answer = await asked?.status?.(new Request(`http://127.0.0.1:9876/services/${SERVICE}`), {
      peer: "127.0.0.1",
    });
    return { screen: screen.said, status: status.said, page: answer === undefined ? null : await answer.text() };
  }

  async history(): Promise<CtlRun> {
    return this.#ana.run("history", SERVICE, "--json", "--limit", "1000");
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
      [3, () => this.#staged()],
      [2, () => this.#pausedMeanwhile()],
    ];
    const weighted = acts.flatMap(([weight, act]) => Array.from({ length: weight }, () => act));
    await this.#chance.pick(weighted)();
  }

  async #goodDeploy(): Promise<void> {
    const build = await this.#added();
    const run = await this.#deploy(this.#ana, build.id);
    await this.#decide(run);
  }

  async #badDeploy(): Promise<void> {
    const build = await this.#addedOf(this.#workshop.bad());
    const words = this.#chance.happens(0.3) ? ["--canary"] : [];
    const run = await this.#deploy(this.#ana, build.id, ...words);
    await this.#decide(run);
  }

  async #canaryDeploy(): Promise<void> {
    const build = await this.#addedOf(this.#chance.happens(0.3) ? this.#workshop.bad() : this.#workshop.build());
    const run = await this.#deploy(this.#ana, build.id, "--canary");
    if (run.code === 0) {
      const verb = this.#chance.happens(0.7) ? "promote" : "rollback";
      await this.#ana.run(verb, SERVICE, "--timeout-s", "600");
    } else await this.#decide(run);
  }

  /** The wish changes while hosts are at work on the one before. */
  async #rollbackMeanwhile(): Promise<void> {
    const build = await this.#addedOf(this.#chance.happens(0.3) ? this.#workshop.bad() : this.#workshop.build());
    const deploying = this.#deploy(this.#ana, build.id);
    await this.#pause(this.#chance.between(500, 20_000));
    await this.#ben.run("rollback", SERVICE, "--why", "it looks wrong", "--timeout-s", "600");
    await deploying;
  }

  async #interrupted(): Promise<void> {
    const build = await this.#added();
    const deploying = this.#deploy(this.#ana, build.id);
    await this.#pause(this.#chance.between(1, 12_000));
    this.#ana.interrupt();
    await deploying;
    await this.#ana.run("wait", SERVICE, "--timeout-s", "600");
  }

  async #twoAtOnce(): Promise<void> {
    const [one, other] = [await this.#added(), await this.#added()];
    this.onEdge("two operators at once");
    const runs = await Promise.all([this.#deploy(this.#ana, one.id), this.#deploy(this.#ben, other.id)]);
    for (const run of runs) if (run.code !== 75) await this.#decide(run);
  }

  /** Another program, or a person with zkCli, writes the wish; now and then in the middle of a deploy, or a wrong one. */
  async #byHand(): Promise<void> {
    const chance = this.#chance;
    const build = await this.#added();
    const deploying = chance.happens(0.3) ? this.#deploy(this.#ben, (await this.#added()).id) : null;
    await this.#pause(deploying === null ? 0 : chance.between(500, 10_000));
    if (chance.happens(0.1)) await this.#ana.run("builds", "bar", SERVICE, build.id, "--why", "it is not wanted");
    const stage = this.#fleet.plan.canaries > 0 && chance.happens(0.3) ? "canary" : "fleet";
    this.deploys += 1;
    if (chance.happens(0.1)) {
      await this.#hands.wish(stage, "v-nowhere");
      await this.#pause(chance.between(1_000, 20_000));
    }
    await this.#hands.wish(stage, build.id);
    await this.#pause(2_000);
    const run = await this.#ana.run("wait", SERVICE, "--timeout-s", "120");
    if (stage === "canary" && run.code === 0) await this.#ana.run("promote", SERVICE, "--timeout-s", "600");
    await deploying;
  }

  async #roleMeanwhile(): Promise<void> {
    const build = await this.#added();
    const deploying = this.#deploy(this.#ana, build.id);
    await this.#pause(this.#chance.between(500, 10_000));
    const host = this.#chance.pick([...this.#fleet.agents.keys()]);
    this.onEdge("a role changed in a deploy");
    await this.#ben.run("hosts", "role", SERVICE, host, this.#chance.pick(["canary", "fleet"]));
    await this.#decide(await deploying);
  }

  async #settingsMeanwhile(): Promise<void> {
    const build = await this.#added();
    const deploying = this.#deploy(this.#ana, build.id);
    await this.#pause(this.#chance.between(500, 10_000));
    await this.#ben.run("services", "set", SERVICE, "--max", String(this.#chance.between(1, 3)));
    await this.#decide(await deploying);
  }

  /** One part of the fleet after the other. */
  async #staged(): Promise<void> {
    const chance = this.#chance;
    const build = await this.#addedOf(chance.happens(0.3) ? this.#workshop.bad() : this.#workshop.build());
    const stages = chance.pick([
      "50%",
      "25%/3s,50%,100%",
      "zone:a,50%/promote",
      "10%,zone:b/2s",
      "34%/promote,67%/promote",
    ]);
    const canaries = this.#fleet.plan.canaries > 0 && chance.happens(0.3) ? ["--canary"] : [];
    const limits = [
      ...(chance.happens(0.5) ? ["--max", chance.pick(["10%", "34%", "50%", "2,50%"])] : []),
      ...(chance.happens(0.3) ? ["--max-per-zone", chance.pick(["1", "50%"])] : []),
      ...(chance.happens(0.3) ? ["--budget", chance.pick(["10%", "34%", "1,50%"])] : []),
      ...(chance.happens(0.3) ? ["--on-halt", chance.pick(["rollback", "rollback", "ask"])] : []),
    ];
    let run = await this.#deploy(this.#ana, build.id, "--stages", stages, ...canaries, ...limits);
    for (let promotions = 0; run.code === 0 && promotions < 4; promotions += 1) {
      if (this.#fleet.tree.newest()?.record.state !== "awaiting promotion") return;
      if (chance.happens(0.2)) return void (await this.#ana.run("rollback", SERVICE, "--timeout-s", "600"));
      run = await this.#ana.run("promote", SERVICE, "--timeout-s", "600");
    }
    await this.#decide(run);
  }

  /** Somebody stops a deploy to look, and lets it go on. */
  async #pausedMeanwhile(): Promise<void> {
    const build = await this.#addedOf(this.#chance.happens(0.3) ? this.#workshop.bad() : this.#workshop.build());
    const deploying = this.#deploy(this.#ana, build.id);
    await this.#pause(this.#chance.between(500, 15_000));
    const { code } = await this.#ben.run("pause", SERVICE, "--why", "it looks odd");
    await this.#pause(this.#chance.between(0, 10_000));
    if (code === 0) {
      const run = await this.#ben.run("resume", SERVICE, "--timeout-s", "600");
      if (run.code === 0) this.onEdge("a paused deploy went on");
      await this.#decide(run);
    }
    await deploying;
  }

  async #barred(): Promise<void> {
    const build = await this.#added();
    await this.#ana.run("builds", "bar", SERVICE, build.id, "--why", "it is not wanted");
    const run = await this.#deploy(this.#ben, build.id);
    if (run.code === 75) this.onEdge("a barred build refused");
  }

  /** What a person does when a deploy did not end well. */
  async #decide({ code }: CtlRun): Promise<void> {
    if (code === 0 || code === 75) return;
    if (this.#chance.happens(0.25)) {
      const again = await this.#ana.run(this.#chance.pick(["retry", "retry", "resume"]), SERVICE, "--timeout-s", "600");
      if (again.code === 0) return;
    }
    if (this.#chance.happens(0.6)) await this.#back();
  }

  async #deploy(operator: Operator, build: string, ...words: string[]): Promise<CtlRun> {
    this.deploys += 1;
    return operator.run("deploy", SERVICE, build, "--timeout-s", "600", ...words);
  }

  async #added(flaws: Flaws = {}): Promise<SimBuild> {
    return this.#addedOf(this.#workshop.build(flaws));
  }

  async #addedOf(build: SimBuild): Promise<SimBuild> {
    await this.#add(build);
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

  /** Agents register their hosts by themselves. */
  async #untilRegistered(): Promise<void> {
    while (this.#fleet.tree.hosts.size < this.#fleet.agents.size) await this.#pause(100);
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#fleet.time.after(ms, resolve));
  }
}

/** What `deployd ctl` exits with when it has stopped following. */
const TIMED_OUT = 4;
