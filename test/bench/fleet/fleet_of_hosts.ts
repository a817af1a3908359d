import { runVerb } from "../../../src/cli/run.ts";
import { systemClock } from "../../../src/support/clock.ts";
import { tcpDial } from "../../../src/zookeeper/dial.ts";
import type { ZooKeeper } from "../../../src/zookeeper/client.ts";
import { cpuMs } from "../processes.ts";
import { ctlAlone } from "../../harness/ctl_alone.ts";
import { SERVICE } from "./bench_host.ts";
import { BenchConductor, type ConductorTold } from "./conductor.ts";
import { BUILDS } from "./fleet_builds.ts";
import type { HostsTold } from "./hosts_program.ts";
import { Program, wallMs } from "./program.ts";
import { clientOf, makeTree } from "./tree.ts";

/** Hosts of one process: more of them would wait for its one processor. */
const HOSTS_OF_A_PROCESS = 625;

/** In how many processes so many sessions are kept. */
export function processesFor(size: number): number {
  return Math.ceil(size / HOSTS_OF_A_PROCESS);
}

/** All hosts together need more processors than there are. A conductor and a server have machines of their own. */
const HOSTS_NICENESS = 15;

/** How much of a fleet may be out of service at once, and may fail. */
export interface Limits {
  readonly max: number;
  readonly budget: number;
}

export interface FleetTold {
  readonly hosts: HostsTold["hosts"];
  readonly kinds: Readonly<Record<string, number>>;
  readonly problems: readonly string[];
  readonly conductor: ConductorTold;
  /** Processor time of the hosts' processes. */
  readonly hostsCpuMs: number;
  /** The part of it until the last host had decided. */
  readonly decidingCpuMs: number;
}

/** A fleet of simulated hosts with real sessions, and its conductor. */
export class FleetOfHosts implements AsyncDisposable {
  readonly size: number;
  readonly servers: string;
  readonly zk: ZooKeeper;
  readonly conductor: BenchConductor;
  readonly #parts: readonly Program[];
  readonly #resources: AsyncDisposableStack;
  #cpuMs = 0;

  private constructor(
    size: number,
    servers: string,
    zk: ZooKeeper,
    conductor: BenchConductor,
    parts: readonly Program[],
    resources: AsyncDisposableStack,
  ) {
    this.size = size;
    this.servers = servers;
    this.zk = zk;
    this.conductor = conductor;
    this.#parts = parts;
    this.#resources = resources;
  }

  /** Resolves when all hosts have their names in ZooKeeper. */
  static async open(server: string, size: number): Promise<FleetOfHosts> {
    const servers = await makeTree(server, Object.values(BUILDS));
    const resources = new AsyncDisposableStack();
    const zk = resources.use(clientOf(servers));
    const conductor = resources.use(new BenchConductor());
    const parts = Array.from({ length: processesFor(size) }, () =>
      resources.use(new Program("hosts_program", [], HOSTS_NICENESS)),
    );
    const names = Array.from({ length: size }, (_, at) => `host-${String(at + 1).padStart(5, "0")}`);
    await conductor.run(servers);
    await Promise.all(
      parts.map((part, at) =>
        part.ask({ ask: "open", servers, names: names.filter((_, number) => number % parts.length === at) }),
      ),
    );
    return new FleetOfHosts(size, servers, zk, conductor, parts, resources);
  }

  get processes(): number {
    return this.#parts.length;
  }

  /** All counts begin now. */
  async mark(): Promise<void> {
    await Promise.all([this.conductor.mark(), ...this.#parts.map((part) => part.ask({ ask: "mark" }))]);
    this.#cpuMs = this.#cpuOfHosts();
  }

  #cpuOfHosts(): number {
    return this.#parts.reduce((sum, { pid }) => sum + cpuMs(pid), 0);
  }

  async tell(): Promise<FleetTold> {
    const conductor = await this.conductor.tell();
    const told = await Promise.all(this.#parts.map((part) => part.ask<HostsTold>({ ask: "tell" })));
    const kinds: Record<string, number> = {};
    for (const part of told)
      for (const [kind, count] of Object.entries(part.kinds)) kinds[kind] = (kinds[kind] ?? 0) + count;
    const problems = [...conductor.troubles, ...told.flatMap((part) => part.problems)];
    const hostsCpuMs = this.#cpuOfHosts() - this.#cpuMs;
    const decidingCpuMs = told.reduce((sum, part) => sum + part.decidingCpuMs, 0);
    return { hosts: told.flatMap(({ hosts }) => hosts), kinds, problems, conductor, hostsCpuMs, decidingCpuMs };
  }

  /** `deployd ctl deploy`, as a person runs it. @returns the deploy, and when the command began and ended */
  async deploy(
    build: string,
    { max, budget }: Limits,
  ): Promise<{ id: string; askedAtMs: number; startedAtMs: number }> {
    const askedAtMs = wallMs();
    const id = `bench-${build}`;
    const out: string[] = [];
    const write = (text: string): void => void out.push(text);
    const root = this.servers.indexOf("/");
    const limits = ["--max", String(max), "--budget", String(budget), "--soak-s", "0"];
    const code = await runVerb(ctlAlone, ["ctl", "deploy", SERVICE, build, "--id", id, "--detach", ...limits], {
      stdout: { write },
      stderr: { write },
      stdoutIsTerminal: false,
      columns: () => 120,
      env: { DEPLOYD_ZOOKEEPER: this.servers.slice(0, root), DEPLOYD_CHROOT: this.servers.slice(root) },
      signal: new AbortController().signal,
      version: "0.1.0",
      clock: systemClock,
      now: () => new Date(),
      dial: tcpDial(systemClock),
      user: "bench",
    });
    if (code !== 0) throw new Error(`ctl deploy ended with ${code}: ${out.join("")}`);
    return { id, askedAtMs, startedAtMs: wallMs() };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync();
  }
}
