import { conductorPath } from "../../../src/store/paths.ts";
import { TreeView } from "../checker/tree_view.ts";
import { chanceOf, type Chance } from "../chance.ts";
import { ArtefactServer } from "../host/artefacts.ts";
import type { HostService } from "../host/ground.ts";
import { agentFile, hostService } from "../host/host_file.ts";
import type { DeathKind } from "../host/life.ts";
import { Listener, TARGET_KEY, TARGET_URL } from "../host/listener.ts";
import { SimHost } from "../host/sim_host.ts";
import { Network } from "../network.ts";
import { virtualClock, VirtualTime } from "../time.ts";
import { Ensemble } from "../zookeeper/ensemble.ts";
import type { SentRequest, Verdict } from "../zookeeper/hooked_wire.ts";
import { AGENT_FILE, AgentProcess } from "./agent_process.ts";
import { Operator, type CtlRun } from "./operator.ts";
import { Story } from "./story.ts";
import type { WorldPlan } from "./world_plan.ts";

export const SERVICE = "web";

/** Hosts, their agents, ZooKeeper, a server of artefacts and the people: a whole world on one virtual time. */
export class Fleet {
  readonly time = new VirtualTime();
  readonly chance: Chance;
  readonly plan: WorldPlan;
  readonly story: Story;
  readonly network: Network;
  readonly ensemble: Ensemble;
  readonly server: ArtefactServer;
  readonly listener: Listener;
  readonly service: HostService;
  readonly agents = new Map<string, AgentProcess>();
  readonly tree = new TreeView(SERVICE);
  onRun: (run: CtlRun, operator: string) => void = () => {};
  onEvent: (text: string) => void = () => {};
  onDeath: (host: string, how: DeathKind) => void = () => {};
  onLog: (host: string, message: string, facts: Record<string, unknown>) => void = () => {};
  readonly laptops: string[] = [];
  #operators = 0;
  /** Machines whose next write is carried out and never answered, and who is told of it. */
  readonly #answersToLose = new Map<string, (what: string) => void>();

  constructor(seed: string, plan: WorldPlan) {
    this.plan = plan;
    this.chance = chanceOf(seed);
    this.story = new Story(() => this.time.nowMs);
    this.network = new Network(this.time, this.chance.fork("network"));
    const { time, network } = this;
    this.ensemble = new Ensemble({ time, network, chance: this.chance.fork("zookeeper"), servers: plan.servers });
    this.server = new ArtefactServer(this.chance.fork("artefacts"));
    this.listener = new Listener(this.chance.fork("listener"));
    this.server.reaches = (host) => this.network.reaches(host, "artefacts");
    const { instances, restart, traffic } = plan;
    this.service = hostService({ name: SERVICE, instances, restart, traffic });
    for (let number = 1; number <= plan.hosts; number += 1) this.#addHost(`web-${String(number).padStart(2, "0")}`);
  }

  get hosts(): SimHost[] {
    return [...this.agents.values()].map(({ host }) => host);
  }

  host(name: string): SimHost {
    const found = this.agents.get(name)?.host;
    if (found === undefined) throw new Error(`there is no host ${name}`);
    return found;
  }

  start(): void {
    for (const agent of this.agents.values()) this.time.after(this.chance.between(0, 2_000), () => agent.start());
  }

  /** A person with a laptop of its own. */
  operator(name: string): Operator {
    this.#operators += 1;
    const machine = `laptop-${name}`;
    this.laptops.push(machine);
    const chance = this.chance.fork(`operator ${this.#operators}`);
    const wall = { offsetMs: chance.between(-2_000, 2_000), drift: 0 };
    return new Operator({
      name,
      clock: virtualClock(this.time, chance, wall),
      dial: this.ensemble.dialFrom(machine, { onRequest: (request) => this.#verdict(machine, request) }),
      servers: this.ensemble.connectString,
      story: this.story,
      onRun: (run) => this.onRun(run, name),
    });
  }

  /** The host whose agent is the first candidate to conduct; null where there is none. */
  get conductor(): SimHost | null {
    const root = `/deployd${conductorPath}`;
    // A sequential node's name ends with its number.
    const byNumber = (a: string, b: string): number => (a.slice(-10) < b.slice(-10) ? -1 : 1);
    const [first] = this.ensemble.children(root).toSorted(byNumber);
    const found = first === undefined ? undefined : this.ensemble.read(`${root}/${first}`);
    return found === undefined ? null : (this.agents.get(new TextDecoder().decode(found.data))?.host ?? null);
  }

  /** The machines of the ensemble. */
  get zookeepers(): string[] {
    return this.ensemble.servers.map(({ name }) => name);
  }

  /** The next write of this machine is carried out, and its connection is over before the answer. */
  loseAnswer(machine: string, onLost: (what: string) => void): void {
    this.#answersToLose.set(machine, onLost);
  }

  #verdict(machine: string, { isWrite, name, path }: SentRequest): Verdict {
    const onLost = isWrite ? this.#answersToLose.get(machine) : undefined;
    if (onLost === undefined) return "pass";
    this.#answersToLose.delete(machine);
    onLost(`${machine}: ${name} ${path}`);
    return "cut after";
  }

  #addHost(name: string): void {
    const { clockErrorMs, sessionTimeoutS, instances, restart, formerTraffic, tells } = this.plan;
    const chance = this.chance.fork(name);
    const host = new SimHost({
      name,
      time: this.time,
      chance,
      services: [this.service],
      server: this.server,
      listener: this.listener,
      wall: { offsetMs: chance.between(-clockErrorMs, clockErrorMs), drift: chance.pick([0, 0.0001, -0.0001]) },
      dial: (machine, life) => {
        const sockets = this.network.process(machine);
        life.onEnd((how) => (how === "kill" ? sockets.close() : sockets.vanish()));
        return this.ensemble.dialFrom(sockets, { onRequest: (request) => this.#verdict(machine, request) });
      },
    });
    const former = hostService({ name: SERVICE, instances, restart, traffic: formerTraffic });
    host.putFile(AGENT_FILE, agentFile(name, this.ensemble.connectString, [former], sessionTimeoutS, tells));
    for (const { path, text } of tells ? [TARGET_URL, TARGET_KEY] : []) host.putFile(path, `${text}\n`, 0o600);
    host.onEvent = (what) => {
      this.story.tell(name, what);
      this.onEvent(what);
    };
    const agent = new AgentProcess({
      host,
      env: chance.happens(0.2) ? { DEPLOYD_LOG_LEVEL: "debug" } : {},
      time: this.time,
      chance: chance.fork("service manager"),
      story: this.story,
      onDeath: (host, how) => this.onDeath(host, how),
      onLog: (host, message, facts) => this.onLog(host, message, facts),
    });
    this.agents.set(name, agent);
  }
}
