import { DeployError } from "../../../src/core/errors.ts";
import type { Lock } from "../../../src/machine/lock.ts";
import type { Machine } from "../../../src/machine/machine.ts";
import type { Clock } from "../../../src/support/clock.ts";
import type { Network } from "../../../src/machine/network.ts";
import { fileError } from "../../../src/support/file_error.ts";
import type { Chance } from "../chance.ts";
import { virtualClock, type VirtualTime, type WallClock } from "../time.ts";
import { archiveOf } from "./archive.ts";
import type { ArtefactServer } from "./artefacts.ts";
import { commandsOf } from "./commands_port.ts";
import { diskOf } from "./disk_port.ts";
import { downloadTo } from "./download.ts";
import { SimFront } from "./front.ts";
import type { Ground, HostService } from "./ground.ts";
import { Init } from "./init.ts";
import { Listener, postTo } from "./listener.ts";
import { mortalDial } from "./mortal_dial.ts";
import { Life, type Death, type DeathKind, type DeathPlan, type Effect, type EffectKind } from "./life.ts";
import { probesOf } from "./probes_port.ts";
import { ProcessTable, type SimProcess } from "./process_table.ts";
import { processesOf } from "./processes_port.ts";
import { Services } from "./services.ts";
import { SimDisk } from "./sim_disk.ts";
import { trafficOf } from "./traffic_port.ts";

export interface SimHostOptions {
  readonly name: string;
  readonly time: VirtualTime;
  readonly chance: Chance;
  readonly services: readonly HostService[];
  readonly server: ArtefactServer;
  /** Who is told what becomes of deploys. */
  readonly listener?: Listener;
  readonly wall?: WallClock;
  /** How a life on this host reaches ZooKeeper. Whoever gives it closes its connections at `life.onEnd`. */
  readonly dial: (host: string, life: Life) => Network["dial"];
}

/** An agent's process, and the machine as it has it. */
export interface Incarnation {
  readonly life: Life;
  readonly machine: Machine;
}

/** How an agent answers HTTP, as long as it listens. */
type StatusAnswer = Parameters<Network["serve"]>[0];

/** A machine of the rehearsal. It outlives its agents, and its disk and its clock outlive its boots. */
export class SimHost {
  readonly name: string;
  readonly wall: WallClock;
  readonly ground: Ground;
  readonly disk: SimDisk;
  readonly processes: ProcessTable;
  readonly running: Services;
  readonly front: SimFront;
  /** How many times as long as usual the disk takes. */
  slowness = 1;
  plan: DeathPlan = () => null;
  /** Told of each effect before it happens. */
  onEffect: (effect: Effect) => void = () => {};
  /** Told what happens beside that: services that start and end, power that goes and comes. */
  onEvent: (what: string) => void = () => {};
  /** Told when an agent has died, and when a machine without one has lost its power. */
  onDeath: (how: DeathKind) => void = () => {};
  /** Told whenever something that runs here has changed. */
  onChange: () => void = () => {};
  /** What the agent that lives answers over HTTP; null when none listens. */
  status: StatusAnswer | null = null;
  readonly #options: SimHostOptions;
  readonly #init: Init;
  readonly #wallMs: () => number;
  readonly #tries = new Map<string, number>();
  readonly #locks = new Map<string, Life>();
  #incarnation: { readonly life: Life; readonly agent: SimProcess } | null = null;
  #power: { readonly kind: "on"; readonly bootId: string } | { readonly kind: "off" } = { kind: "off" };
  #boots = 0;
  #lives = 0;
  #effects = 0;

  constructor(options: SimHostOptions) {
    const { name, time, chance, services, server } = options;
    this.#options = options;
    this.name = name;
    this.wall = options.wall ?? { offsetMs: 0, drift: 0 };
    const clock = virtualClock(time, chance, this.wall);
    this.#wallMs = () => clock.now();
    this.disk = new SimDisk({ chance: chance.fork("disk"), nowMs: () => time.nowMs, wallMs: this.#wallMs });
    this.processes = new ProcessTable(time);
    this.processes.onChange = () => this.onChange();
    this.ground = {
      time,
      chance: chance.fork("ground"),
      disk: this.disk,
      processes: this.processes,
      services,
      builds: server.builds,
      killAgent: () => this.killAgent(),
      powerCut: () => this.powerCut(),
      tell: (what) => this.onEvent(what),
    };
    this.running = new Services(this.ground);
    this.front = new SimFront(this.ground);
    this.#init = new Init(this.ground, this.running);
    this.disk.onName = (path) => this.#init.sawName(path);
    this.#layOut();
    this.powerOn();
  }

  get services(): readonly HostService[] {
    return this.#options.services;
  }

  get isUp(): boolean {
    return this.#power.kind === "on";
  }

  /** Null while no agent lives. */
  get life(): Life | null {
    return this.#incarnation?.life ?? null;
  }

  /** Effects of all its agents so far. */
  get effects(): number {
    return this.#effects;
  }

  /** Somebody with a console puts a file there, makes room for it, and sees to it that it stays. */
  putFile(path: string, text: string, mode?: number): void {
    const { full } = this.disk;
    this.disk.full = false;
    this.disk.makeDirectory(path.slice(0, path.lastIndexOf("/")));
    const file = this.disk.open(path);
    if (mode !== undefined) file.mode = mode;
    this.disk.truncate(file);
    this.disk.append(file, Buffer.from(text));
    this.disk.flushAll();
    this.disk.full = full;
  }

  powerOn(): void {
    if (this.#power.kind === "on") return;
    this.#boots += 1;
    this.#power = { kind: "on", bootId: `${this.name}-boot-${this.#boots}` };
    this.onEvent(`boots, for the ${this.#boots}. time`);
    this.processes.boot();
    this.front.boot();
    this.#init.boot();
  }

  /** Everything that runs is gone, and what was not flushed. Nobody hears the connections end. */
  powerCut(): void {
    if (this.#power.kind === "off") return;
    this.#power = { kind: "off" };
    this.processes.lose();
    this.running.lose();
    this.#init.halt();
    this.onEvent(`loses its power: ${this.disk.powerCut()}`);
    this.#die("power-cut");
  }

  /** Another machine takes its place under its name: nothing of what ran here, or lay on its disk, is left. */
  reimage(): void {
    this.powerCut();
    this.disk.replace();
    this.#tries.clear();
    this.#layOut();
    this.onEvent("is another machine from now on");
  }

  #layOut(): void {
    for (const { root } of this.services) this.disk.makeDirectory(root);
    this.disk.flushAll();
  }

  /** KILL for the agent: services, commands and what is in the kernel stay. */
  killAgent(): void {
    if (this.#incarnation === null) return;
    this.#incarnation.agent.end({ kind: "signalled", signal: "SIGKILL" });
  }

  /** STOP for the agent: it does and hears nothing until it is thawed, and its connections stay. */
  freezeAgent(): void {
    this.life?.freeze();
    this.onEvent("its agent is stopped");
  }

  /** CONT. */
  thawAgent(): void {
    this.life?.thaw();
    this.onEvent("its agent goes on");
  }

  /** A new agent's process. The one before must be dead, and the machine up. */
  newLife(): Incarnation {
    if (this.#power.kind === "off") throw new Error(`${this.name} has no power`);
    if (this.#incarnation !== null) throw new Error(`an agent of ${this.name} lives already`);
    const { time, chance } = this.#options;
    this.#lives += 1;
    const own = chance.fork(`life ${this.#lives}`);
    const life = new Life({
      time,
      chance: own.fork("pace"),
      slowness: () => this.slowness,
      meet: (kind, what) => this.#meet(kind, what),
      die: (how) => (how === "kill" ? this.killAgent() : this.powerCut()),
    });
    const agent = this.processes.start({ parent: 1, uid: 0, root: null, instance: null, marker: null });
    agent.onEnd(() => this.#die("kill"));
    this.#incarnation = { life, agent };
    const { bootId } = this.#power;
    const clock = virtualClock(time, own.fork("clock"), this.wall, (work) => life.tell(work));
    const { ground, front } = this;
    const machine: Machine = {
      clock,
      disk: diskOf(life, this.disk),
      processes: processesOf(life, { ground, front, wallMs: this.#wallMs }),
      commands: commandsOf(life, { ground, services: this.running, tries: this.#tries, clock, agent }),
      archive: archiveOf(life, this.disk),
      probes: probesOf(life, ground, front),
      traffic: trafficOf(life, ground, front),
      lock: this.#lock(life),
      manager: {
        ready: () => {},
        status: () => {},
        stopping: () => {},
        watchdog: () => {},
        watchdogMs: null,
        whyLeftDown: async () => null,
      },
      network: this.#network(life, clock),
      bootId,
      pid: agent.pid,
      isRoot: true,
    };
    return { life, machine };
  }

  #meet(kind: EffectKind, what: string): Death | null {
    this.#effects += 1;
    const effect: Effect = { number: this.#effects, host: this.name, kind, what };
    this.onEffect(effect);
    return this.plan(effect);
  }

  #die(how: DeathKind): void {
    const incarnation = this.#incarnation;
    this.#incarnation = null;
    if (incarnation !== null) this.onEvent(`its agent dies by a ${how}`);
    this.#locks.clear();
    this.status = null;
    incarnation?.life.end(how);
    this.onDeath(how);
  }

  #lock(life: Life): Lock {
    return {
      acquire: (path) =>
        life.effect("write", `lock ${path}`, () => {
          const holder = this.#locks.get(path);
          if (holder !== undefined) {
            throw new DeployError(`Cannot start: another process holds the lock "${path}".`, {
              code: "already-running",
            });
          }
          this.#openLock(path);
          this.#locks.set(path, life);
          const release = async (): Promise<void> => {
            if (this.#locks.get(path) === life) this.#locks.delete(path);
          };
          return { release, [Symbol.asyncDispose]: release };
        }),
    };
  }

  #openLock(path: string): void {
    try {
      this.disk.makeDirectory(path.slice(0, path.lastIndexOf("/")));
      this.disk.open(path);
    } catch (error) {
      throw fileError(`Cannot open the lock file "${path}"`, error);
    }
  }

  /** What somebody on this machine is answered by its status port; undefined where nobody listens. */
  async ask(path: string): Promise<Response | undefined> {
    return this.status?.(new Request(`http://${this.name}:9876${path}`), { peer: "127.0.0.1" });
  }

  #network(life: Life, clock: Clock): Network {
    const { dial, server, listener = new Listener(this.#options.chance.fork("listener")) } = this.#options;
    return {
      dial: mortalDial(life, dial(this.name, life)),
      download: (request) => downloadTo(request, { life, ground: this.ground, host: this.name, server, clock }),
      post: (request, signal) => postTo(listener, { host: this.name, life }, request, signal),
      serve: (answer, listen) => {
        if (!life.isOver) this.status = answer;
        const close = async (): Promise<void> => {
          if (this.status === answer) this.status = null;
        };
        return { address: listen, [Symbol.asyncDispose]: close };
      },
    };
  }
}
