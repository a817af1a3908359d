import { join } from "node:path";
import { FleetHost } from "../../harness/fleet_host.ts";
import { deploydBinary } from "../../harness/binary.ts";
import { eventually } from "../../harness/eventually.ts";
import { type Build, PORTS } from "./build.ts";
import { type Machine, must } from "./machines.ts";
import { ReadyWatch, timelineOf, type Timeline } from "./timeline.ts";

const SERVICE = "web";
const CHROOT = "/bench";
/** How many hosts may be out of service at once. */
const LIMIT = 5;

/** An agent on each host, as the compiled binary, and `ctl` outside them. */
export class Fleet {
  readonly #hosts: readonly FleetHost[];
  readonly #zookeeper: string;
  readonly #directory: string;
  readonly #binary: string;

  private constructor(hosts: readonly FleetHost[], zookeeper: string, directory: string, binary: string) {
    this.#hosts = hosts;
    this.#zookeeper = zookeeper;
    this.#directory = directory;
    this.#binary = binary;
  }

  /** @param source below which the builds lie */
  static async setUp(
    machines: readonly Machine[],
    { zookeeper, directory, source }: { zookeeper: string; directory: string; source: string },
  ): Promise<Fleet> {
    const hosts = machines.map(
      (machine) =>
        new FleetHost({
          name: machine.name,
          dir: join(machine.directory, "deployd"),
          zookeeper,
          chroot: CHROOT,
          service: SERVICE,
          port: PORTS.deployd,
          runAs: "nobody",
          sources: [source],
          under: machine.inside,
          // As it runs everywhere.
          runtime: {},
        }),
    );
    const fleet = new Fleet(hosts, zookeeper, directory, await deploydBinary());
    await fleet.#ctl("services", "set", SERVICE, "--max", String(LIMIT), "--soak-s", "0");
    for (const host of hosts) await host.writeConfig();
    return fleet;
  }

  /** Starts the agents and waits until all are connected. */
  async start(): Promise<void> {
    await Promise.all(this.#hosts.map((host) => host.start()));
    await eventually(async () => {
      const { stdout } = await this.#ctl("hosts", "list", SERVICE, "--json");
      const { hosts } = JSON.parse(stdout) as { hosts: { connected: boolean; step: string | null }[] };
      return hosts.filter(({ connected, step }) => connected && step !== null).length === this.#hosts.length;
    });
  }

  async add(build: Build, url: string): Promise<void> {
    await this.#ctl("builds", "add", SERVICE, build.archive, "--build", build.id, "--url", url);
  }

  /** Deploys by one command, from its start to its end, and says where the time went by the agents' own logs. */
  async deploy(build: Build): Promise<{ tookMs: number; timeline: Timeline }> {
    const before = await Promise.all(this.#hosts.map(async (host) => (await host.output()).length));
    await using ready = await ReadyWatch.open(`${this.#zookeeper}${CHROOT}`, SERVICE);
    const startedAtMs = Date.now();
    const { tookMs } = await this.#ctl("deploy", SERVICE, build.id);
    // An agent's last line is written after the deploy's end is known.
    const logs = await eventually(async () => {
      const all = await Promise.all(this.#hosts.map((host) => host.output()));
      const since = all.map((log, index) => log.slice(before[index]));
      return since.every((log) => log.includes('"msg":"serving"')) ? since : null;
    });
    const readyAtMs = await ready.last(this.#hosts.length, startedAtMs);
    return { tookMs, timeline: timelineOf(logs, { startedAtMs, readyAtMs, endedAtMs: startedAtMs + tookMs }) };
  }

  /** Ends the agents; what they have started runs on. */
  async stop(): Promise<void> {
    await Promise.all(this.#hosts.map((host) => host.stop()));
  }

  async #ctl(...args: readonly string[]): Promise<{ readonly stdout: string; readonly tookMs: number }> {
    return must([this.#binary, "ctl", ...args], {
      cwd: this.#directory,
      env: { DEPLOYD_ZOOKEEPER: this.#zookeeper, DEPLOYD_CHROOT: CHROOT, HOME: this.#directory },
    });
  }
}
