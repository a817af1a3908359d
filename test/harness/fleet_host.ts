import { closeSync, openSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { deploydBinary } from "./binary.ts";
import { eventually } from "./eventually.ts";
import { killQuietly } from "./fleet_leftovers.ts";
import { ask } from "./http.ts";
import { SHORT_LIFE } from "./runtime_settings.ts";

export interface FleetHostOptions {
  readonly name: string;
  /** What it calls itself in ZooKeeper; its name unless given. */
  readonly host?: string;
  /** The host's own directory; agent.toml, the agent's output and the services live in it. */
  readonly dir: string;
  readonly zookeeper: string;
  readonly chroot: string;
  readonly service: string;
  /** Where the service listens. */
  readonly port: number;
  readonly runAs: string;
  /** Further lines of the service's section. */
  readonly section?: string;
  /** Variables of the service besides PORT and NODE. */
  readonly env?: Readonly<Record<string, string>>;
  /** Lines at the top of agent.toml. */
  readonly top?: string;
  /** Further sections at its end. */
  readonly bottom?: string;
  /** A line of shell before the agent in its process: what it has from whoever starts it. */
  readonly startedWith?: string;
  /** Instead of a directory below `dir`. */
  readonly root?: string;
  readonly sources?: readonly string[];
  /** A command that becomes the agent, which follows as its arguments. */
  readonly under?: readonly string[];
  /** 10 unless given: a busy machine alone loses no session then. */
  readonly sessionTimeoutS?: number;
  /** Port of its status port, for who has to find it again after a restart; a free one unless given. */
  readonly statusPort?: number;
  /** What the agent's runtime is told; that its life is short unless given. */
  readonly runtime?: Readonly<Record<string, string>>;
}

/** One host of a fleet: a real agent process of the compiled binary, with a directory and a service of its own. */
export class FleetHost {
  readonly name: string;
  readonly dir: string;
  readonly port: number;
  /** `<root>/<service>` of the agent. */
  readonly root: string;
  readonly config: string;
  readonly #options: FleetHostOptions;
  #agent: Bun.Subprocess | null = null;
  /** How much was in the log when the present agent was started. */
  #outputBefore = 0;

  constructor(options: FleetHostOptions) {
    this.#options = options;
    this.name = options.name;
    this.dir = options.dir;
    this.port = options.port;
    this.root = join(options.root ?? join(options.dir, "srv"), options.service);
    this.config = join(options.dir, "agent.toml");
  }

  async writeConfig(): Promise<void> {
    const {
      name,
      host,
      zookeeper,
      chroot,
      service,
      port,
      runAs,
      sources,
      section,
      env,
      top,
      bottom,
      sessionTimeoutS,
      statusPort,
    } = this.#options;
    const variables = { PORT: String(port), NODE: Bun.which("node") ?? process.execPath, ...env };
    await mkdir(this.dir, { recursive: true });
    await writeFile(
      this.config,
      `host = "${host ?? name}"
root = "${join(this.root, "..")}"
${top ?? ""}

[zookeeper]
servers = "${zookeeper}"
chroot = "${chroot}"
session_timeout_s = ${sessionTimeoutS ?? 10}

[status]
listen = "127.0.0.1:${statusPort ?? 0}"

[services.${service}]
run_as = "${runAs}"
${sources === undefined ? "" : `sources = ${JSON.stringify(sources)}`}
${section ?? ""}

[services.${service}.env]
${Object.entries(variables)
  .map(([key, value]) => `${key} = ${JSON.stringify(value)}`)
  .join("\n")}
${bottom ?? ""}
`,
    );
  }

  /** Starts the agent, in the host's own directory and with a bare environment. */
  async start(): Promise<void> {
    if (this.isUp) throw new Error(`the agent of ${this.name} runs already`);
    this.#outputBefore = (await this.output()).length;
    const log = openSync(this.#log, "a");
    const { runtime = SHORT_LIFE } = this.#options;
    const line = `${this.#options.startedWith ?? ":"}; exec "$@"`;
    const started = [...(this.#options.under ?? []), await deploydBinary(), "agent", "--config", this.config];
    this.#agent = Bun.spawn(["/bin/sh", "-c", line, "sh", ...started], {
      cwd: this.dir,
      env: { ...runtime, PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", HOME: this.dir },
      stdin: "ignore",
      stdout: log,
      stderr: log,
    });
    closeSync(log);
  }

  get pid(): number {
    if (this.#agent === null) throw new Error(`the agent of ${this.name} was never started`);
    return this.#agent.pid;
  }

  get isUp(): boolean {
    return this.#agent !== null && this.#agent.exitCode === null && this.#agent.signalCode === null;
  }

  /** What it exited with; waits for that. */
  async exited(): Promise<number> {
    if (this.#agent === null) throw new Error(`the agent of ${this.name} was never started`);
    return this.#agent.exited;
  }

  /** kill -9 of the agent alone: its service lives on. */
  async kill(): Promise<void> {
    this.#agent?.kill("SIGKILL");
    await this.#agent?.exited;
  }

  /** Asks the agent to end, and waits for it. */
  async stop(): Promise<number> {
    this.#agent?.kill("SIGTERM");
    return this.exited();
  }

  freeze(): void {
    killQuietly(this.pid, "SIGSTOP");
  }

  thaw(): void {
    killQuietly(this.pid, "SIGCONT");
  }

  /** All that its agents have printed so far. */
  async output(): Promise<string> {
    return readFile(this.#log, "utf8").catch(() => "");
  }

  /** Where its status port listens, once it does. */
  async statusUrl(): Promise<string> {
    return eventually(async () => {
      const said = (await this.output()).slice(this.#outputBefore);
      const address = /"status":"([^"]+)"/.exec(said)?.[1];
      return address === undefined ? null : `http://${address}`;
    });
  }

  /** What its service answers over HTTP at this moment. */
  async answer(path = "/"): Promise<string> {
    return ask(`http://127.0.0.1:${this.port}${path}`);
  }

  get #log(): string {
    return join(this.dir, "agent.log");
  }
}
