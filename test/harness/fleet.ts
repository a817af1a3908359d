import { chmod, mkdir, mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { outBy, type OutHosts } from "../../src/core/gate.ts";
import { readGate } from "../../src/store/gate.ts";
import { pack } from "../../src/pack/verb.ts";
import { encode, ensurePath } from "../../src/store/records.ts";
import { systemClock } from "../../src/support/clock.ts";
import { ZooKeeper } from "../../src/zookeeper/client.ts";
import { deploydBinary } from "./binary.ts";
import { eventually } from "./eventually.ts";
import { FleetHost, type FleetHostOptions } from "./fleet_host.ts";
import { killProcessesOf, killQuietly, processesOf } from "./fleet_leftovers.ts";
import { run, type Ran, type RunOptions } from "./fleet_program.ts";
import { ctl } from "../ctl/terminal.ts";
import { answerOf } from "./verb_run.ts";
import { freePort } from "./ports.ts";
import { SHORT_LIFE } from "./runtime_settings.ts";
import { answerOf as siteAnswer, writeSite, type Site } from "./site.ts";

type HostSettings = Partial<Omit<FleetHostOptions, "name" | "zookeeper" | "chroot">>;

export interface FleetOptions {
  /** How many hosts; they are called web-1, web-2, … */
  readonly hosts: number;
  /** A running ZooKeeper, as host:port. The fleet lives in a chroot of its own there. */
  readonly zookeeper: string;
  /** "web" unless given. */
  readonly service?: string;
  /** For every host. */
  readonly host?: (name: string) => HostSettings;
  /** Whether the agents are started and registered, which they are unless this says false. */
  readonly started?: boolean;
}

/** Of a deploy, what the tests look at in `ctl status --json`. */
interface ShownDeploy {
  readonly id: string;
  readonly build: string;
  readonly state: string;
  readonly reason: string;
  readonly created: string;
  readonly ended: string | null;
  readonly failures: readonly { readonly host: string; readonly message: string }[];
  readonly cost: { readonly hosts: number } | null;
}

/**
 * Runs `body` with a fleet of real agent processes and ends everything afterwards: the agents, what they have started,
 * and their directories. When it fails, the error tells what the agents have printed.
 */
export async function withFleet(options: FleetOptions, body: (fleet: Fleet) => Promise<void>): Promise<void> {
  await using fleet = await Fleet.open(options);
  try {
    await fleet.begin(options.started ?? true);
    await body(fleet);
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : String(error)}\n${await fleet.account()}`, {
      cause: error,
    });
  }
}

export class Fleet implements AsyncDisposable {
  readonly dir: string;
  readonly service: string;
  readonly zookeeper: string;
  readonly chroot: string;
  readonly runAs: string;
  readonly hosts: FleetHost[] = [];
  readonly #killOnExit: () => void;

  private constructor(dir: string, options: FleetOptions, runAs: string) {
    this.dir = dir;
    this.service = options.service ?? "web";
    this.zookeeper = options.zookeeper;
    // Test files share a server, and some of them a process.
    this.chroot = `/fleet-${crypto.randomUUID()}`;
    this.runAs = runAs;
    // For a test run that is ended from outside, where nothing is disposed.
    this.#killOnExit = () => processesOf(dir).forEach((pid) => killQuietly(pid));
    process.on("exit", this.#killOnExit);
  }

  static async open(options: FleetOptions): Promise<Fleet> {
    const dir = await realpath(await mkdtemp(join(tmpdir(), "deployd-fleet-")));
    // The services' user must get through.
    await chmod(dir, 0o755);
    const fleet = new Fleet(dir, options, serviceUser(dir));
    for (let number = 1; number <= options.hosts; number++) {
      const name = `${fleet.service}-${number}`;
      await fleet.addHost(name, options.host?.(name));
    }
    return fleet;
  }

  /** Starts all agents, makes the service, and waits until every host is registered. */
  async begin(started: boolean): Promise<void> {
    if (!started) return;
    await this.#hears("services", "set", this.service, "--soak-s", "0.2");
    await Promise.all(this.hosts.map((host) => host.start()));
    await eventually(async () => {
      const { hosts } = await this.json<{ hosts: { connected: boolean; step: string | null }[] }>(
        "hosts",
        "list",
        this.service,
      );
      return hosts.filter((host) => host.connected && host.step !== null).length === this.hosts.length;
    });
  }

  /** One more host; its agent is not started. */
  async addHost(name: string, settings: HostSettings = {}): Promise<FleetHost> {
    const host = new FleetHost({
      name,
      dir: join(this.dir, name),
      zookeeper: this.zookeeper,
      chroot: this.chroot,
      service: this.service,
      port: settings.port ?? (await freePort()),
      runAs: this.runAs,
      sources: [`file://${this.dir}/`],
      ...settings,
    });
    await host.writeConfig();
    this.hosts.push(host);
    return host;
  }

  host(number: number): FleetHost {
    const host = this.hosts[number - 1];
    if (host === undefined) throw new Error(`there is no host ${number}`);
    return host;
  }

  /** Runs the compiled binary. */
  async deployd(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
    const own = { DEPLOYD_ZOOKEEPER: this.zookeeper, DEPLOYD_CHROOT: this.chroot, HOME: this.dir };
    const env = { ...SHORT_LIFE, ...own, ...options.env };
    return run([await deploydBinary(), ...args], { cwd: this.dir, ...options, env });
  }

  async ctl(...args: readonly string[]): Promise<Ran> {
    return this.deployd(["ctl", ...args]);
  }

  /** Runs a verb that must exit with 0. */
  async ok(...args: readonly string[]): Promise<Ran> {
    return this.exits(0, ...args);
  }

  /** Runs a verb that must exit with `code`. */
  async exits(code: number, ...args: readonly string[]): Promise<Ran> {
    const ran = await this.ctl(...args);
    if (ran.code === code) return ran;
    throw new Error(
      `"deployd ctl ${args.join(" ")}" exited with ${ran.code}, not ${code}. It printed:\n${ran.stdout}\n${ran.stderr}`,
    );
  }

  /** The document that a verb answers with. */
  async json<T>(...args: readonly string[]): Promise<T> {
    return JSON.parse(await this.#hears(...args, "--json")) as T;
  }

  /** Packs a directory as a build, and returns the archive's path. */
  async pack(directory: string, id: string): Promise<string> {
    const out = join(this.dir, "builds", `${id}.tar.zst`);
    await mkdir(join(this.dir, "builds"), { recursive: true });
    await answerOf("pack", pack, [directory, "--build", id, "--out", out]);
    return out;
  }

  /** Adds an archive that was packed. */
  async addBuild(archive: string): Promise<void> {
    await this.#hears("builds", "add", this.service, archive);
  }

  /** Packs a build of the sample site and adds it. */
  async addSite(site: Site): Promise<void> {
    await this.addBuild(await this.packSite(site));
  }

  /** Packs a build of the sample site, and returns the archive's path. */
  async packSite(site: Site): Promise<string> {
    const tree = join(this.dir, "trees", site.id);
    await writeSite(site, tree);
    return this.pack(tree, site.id);
  }

  /** What each service answers over HTTP at this moment, in the order of the hosts. */
  async answers(): Promise<string[]> {
    return Promise.all(this.hosts.map((host) => host.answer()));
  }

  /**
   * Runs a verb in this process: for what goes before a test, and for what is asked again and again. To start the binary
   * takes longer than either.
   */
  async #hears(...args: readonly string[]): Promise<string> {
    const env = { DEPLOYD_ZOOKEEPER: this.zookeeper, DEPLOYD_CHROOT: this.chroot };
    const { code, stdout, stderr } = await ctl(args, { env, now: () => new Date() });
    if (code === 0) return stdout;
    throw new Error(`"deployd ctl ${args.join(" ")}" ended with ${code}. It said:\n${stdout}\n${stderr}`);
  }

  /** Waits until every service answers what this build answers. */
  async serves(site: Site): Promise<void> {
    await eventually(async () => {
      const answers = await this.answers();
      if (answers.every((answer) => answer === siteAnswer(site))) return true;
      throw new Error(`the hosts answer ${JSON.stringify(answers)}, not ${siteAnswer(site)}`);
    });
  }

  /** The newest deploy, as `ctl status` shows it. */
  async newest(): Promise<ShownDeploy> {
    const { deploy } = await this.json<{ deploy: ShownDeploy | null }>("status", this.service);
    if (deploy === null) throw new Error("nothing was deployed yet");
    return deploy;
  }

  /** Waits until the newest deploy is in this state. */
  async reaches(state: string): Promise<void> {
    await eventually(async () => {
      const deploy = await this.newest();
      if (deploy.state === state) return true;
      throw new Error(`the deploy is ${deploy.state} (${deploy.reason})`);
    });
  }

  /** A client of our own in the fleet's chroot; close it. */
  client(): ZooKeeper {
    return new ZooKeeper({
      clock: systemClock,
      servers: `${this.zookeeper}${this.chroot}`,
      operationTimeoutMs: 10_000,
    });
  }

  /** Writes a build's record as another program might, without the care that `ctl builds add` takes. */
  async writeBuild(id: string, record: { url: string; digest: string; size: number }): Promise<void> {
    await using zk = this.client();
    const path = `/services/${this.service}/builds`;
    await ensurePath(zk, path);
    await zk.create(`${path}/${id}`, encode({ ...record, time: new Date().toISOString() }));
  }

  /** Adds an archive as another program might: nothing has read it. */
  async addUnread(id: string, path: string): Promise<void> {
    const bytes = await Bun.file(path).bytes();
    const digest = `sha256:${new Bun.CryptoHasher("sha256").update(bytes).digest("hex")}`;
    await this.writeBuild(id, { url: Bun.pathToFileURL(path).href, digest, size: bytes.length });
  }

  /** Who is out of service because of a deploy and who failed in it. */
  async gate(deploy: string): Promise<OutHosts> {
    await using zk = this.client();
    const found = await readGate(zk, this.service);
    if (found === null) throw new Error(`"${this.service}" has no gate`);
    return outBy(found.gate, deploy);
  }

  /** Where everything stands, for the message of a failure. */
  async account(): Promise<string> {
    const parts = await Promise.all(
      this.hosts.map(async (host) => {
        const lines = (await host.output()).trimEnd().split("\n").slice(-12).map(shortened);
        return `--- ${host.name}: agent ${host.isUp ? "up" : "down"}, HTTP "${await host.answer()}"\n${lines.join("\n")}`;
      }),
    );
    const status = await this.ctl("status", this.service, "--connect-timeout-s", "3").catch((error: unknown) => ({
      stdout: "",
      stderr: String(error),
    }));
    return `--- ctl status\n${status.stdout}${status.stderr}\n${parts.join("\n")}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await killProcessesOf(this.dir);
    await rm(this.dir, { recursive: true, force: true });
    process.off("exit", this.#killOnExit);
  }
}

function shortened(line: string): string {
  return line.length > 400 ? `${line.slice(0, 400)}…` : line;
}

/**
 * Who the services run as: nobody where this process may become that user and the user gets to everything it needs, else
 * the present one.
 */
function serviceUser(dir: string): string {
  const own = userInfo().username;
  if (process.getuid?.() !== 0) return own;
  const node = Bun.which("node") ?? process.execPath;
  const tried = Bun.spawnSync(
    [
      "setpriv",
      "--reuid=nobody",
      "--regid=nogroup",
      "--clear-groups",
      "--",
      "sh",
      "-c",
      'cd "$1" && "$2" --version',
      "sh",
    ].concat(dir, node),
    { stdin: "ignore", stdout: "ignore", stderr: "ignore" },
  );
  return tried.exitCode === 0 ? "nobody" : own;
}
