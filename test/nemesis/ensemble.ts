import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { eventually } from "../harness/eventually.ts";
import { killQuietly } from "../harness/fleet_leftovers.ts";
import { fourLetters } from "../harness/zookeeper.ts";
import { zooKeeperCommand, zooKeeperConfig } from "../harness/zookeeper_program.ts";
import { serverPlace, within, type Place } from "./network.ts";

const PORT = 2181;
const START_MS = 120_000;

/** One Apache ZooKeeper, in its own network namespace. */
export class Server {
  readonly place: Place;
  readonly directory: string;
  #process: Bun.Subprocess | null = null;

  constructor(number: number, directory: string) {
    this.place = serverPlace(number);
    this.directory = join(directory, this.place.name);
  }

  get name(): string {
    return this.place.name;
  }

  async prepare(number: number, count: number): Promise<void> {
    await mkdir(this.directory, { recursive: true });
    const members = Array.from({ length: count }, (_, at) => {
      const { address } = serverPlace(at + 1);
      return `server.${at + 1}=${address}:2888:3888`;
    });
    const lines = [...zooKeeperConfig(this.directory, PORT, 200, 400), ...(count === 1 ? [] : members)];
    await Bun.write(join(this.directory, "zoo.cfg"), `${lines.join("\n")}\n`);
    await Bun.write(join(this.directory, "myid"), `${number}\n`);
  }

  start(): void {
    const properties = { "zookeeper.preAllocSize": "4096", "org.slf4j.simpleLogger.defaultLogLevel": "error" };
    const command = zooKeeperCommand(join(this.directory, "zoo.cfg"), properties);
    this.#process = Bun.spawn([...within(this.place), ...command], {
      cwd: this.directory,
      stdio: ["ignore", "ignore", Bun.file(join(this.directory, "server.log"))],
    });
  }

  /** "leader", "follower", "standalone", or null where it does not serve. */
  async mode(): Promise<string | null> {
    return /Mode: (\w+)/.exec(await fourLetters(PORT, "srvr", this.place.address).catch(() => ""))?.[1] ?? null;
  }

  async serving(): Promise<void> {
    await eventually(() => this.mode(), START_MS);
  }

  async kill(): Promise<void> {
    this.#process?.kill("SIGKILL");
    await this.#process?.exited;
  }

  freeze(): void {
    if (this.#process !== null) killQuietly(this.#process.pid, "SIGSTOP");
  }

  thaw(): void {
    if (this.#process !== null) killQuietly(this.#process.pid, "SIGCONT");
  }
}

/** The servers, which form one ensemble where there is more than one. */
export class Ensemble {
  readonly servers: readonly Server[];

  constructor(count: number, directory: string) {
    this.servers = Array.from({ length: count }, (_, at) => new Server(at + 1, directory));
  }

  get connectString(): string {
    return this.servers.map(({ place }) => `${place.address}:${PORT}`).join(",");
  }

  async start(): Promise<void> {
    for (const [at, server] of this.servers.entries()) await server.prepare(at + 1, this.servers.length);
    for (const server of this.servers) server.start();
    for (const server of this.servers) await server.serving();
  }

  async leader(): Promise<Server | null> {
    for (const server of this.servers) if ((await server.mode()) === "leader") return server;
    return null;
  }

  async stop(): Promise<void> {
    for (const server of this.servers) {
      server.thaw();
      await server.kill();
    }
  }
}
