import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Subprocess } from "bun";
import { freePort, freePorts } from "./ports.ts";
import { zooKeeperCommand, zooKeeperConfig } from "./zookeeper_program.ts";

const pollMs = 25;
const startDeadlineMs = 30_000;

export interface RealZooKeeperOptions {
  /** Milliseconds; the server's unit of time. Default 200. */
  readonly tickMs?: number;
  /** Default 2 ticks, as Apache has it. */
  readonly minSessionTimeoutMs?: number;
  /** Where its data stays after `stop`; by default in a directory of its own that is removed. */
  readonly dataDir?: string;
  /** Default: a free one. */
  readonly port?: number;
  /** Lines for zoo.cfg. */
  readonly config?: readonly string[];
  /** System properties of the Java process. */
  readonly properties?: Readonly<Record<string, string>>;
}

export interface RealZooKeeper extends AsyncDisposable {
  readonly port: number;
  readonly connectString: string;
  readonly pid: number;
  /** Where its data is, below `version-2`. */
  readonly directory: string;
  /** Asks it to end, waits for that, removes its data. */
  stop(): Promise<void>;
  /** SIGKILL, and waits until it is gone. Its data stays until `stop`. */
  kill(): Promise<void>;
  /** Starts it again on the same port and data after `kill`. */
  restart(): Promise<void>;
  /** SIGSTOP and SIGCONT. */
  freeze(): void;
  thaw(): void;
}

export interface RealEnsemble extends AsyncDisposable {
  readonly servers: readonly RealZooKeeper[];
  /** All servers, comma-separated. */
  readonly connectString: string;
  /** The one that leads now. */
  leader(): Promise<RealZooKeeper>;
  stop(): Promise<void>;
}

/** Starts Apache ZooKeeper as Debian packages it, alone, and resolves when it serves. */
export async function startZooKeeper(options: RealZooKeeperOptions = {}): Promise<RealZooKeeper> {
  const port = options.port ?? (await freePort());
  const server = await RealServer.create(port, options, [], undefined);
  await server.start();
  await server.serving();
  return server;
}

/** Starts `count` servers that form one ensemble, and resolves when all of them serve. */
export async function startEnsemble(count: number, options: RealZooKeeperOptions = {}): Promise<RealEnsemble> {
  const ports = await freePorts(count * 3);
  const members = Array.from({ length: count }, (_, index) => ({
    client: ports[index * 3] ?? 0,
    line: `server.${index + 1}=127.0.0.1:${ports[index * 3 + 1]}:${ports[index * 3 + 2]}`,
  }));
  const lines = members.map((member) => member.line);
  const servers = await Promise.all(
    members.map((member, index) => RealServer.create(member.client, options, lines, index + 1)),
  );
  const stop = async (): Promise<void> => {
    await Promise.all(servers.map((server) => server.stop()));
  };
  try {
    await Promise.all(servers.map((server) => server.start()));
    await Promise.all(servers.map((server) => server.serving()));
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    servers,
    connectString: servers.map((server) => server.connectString).join(","),
    leader: async () => {
      for (const server of servers) {
        const answer = await fourLetters(server.port, "srvr").catch(() => "");
        if (answer.includes("Mode: leader")) return server;
      }
      throw new Error("no server leads now");
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

class RealServer implements RealZooKeeper {
  readonly port: number;
  readonly directory: string;
  readonly #keepsData: boolean;
  readonly #options: RealZooKeeperOptions;
  #process: Subprocess<"ignore", "pipe", "pipe"> | null = null;
  #log: Promise<string> = Promise.resolve("");

  private constructor(port: number, directory: string, options: RealZooKeeperOptions) {
    this.port = port;
    this.directory = directory;
    this.#keepsData = options.dataDir !== undefined;
    this.#options = options;
  }

  static async create(
    port: number,
    options: RealZooKeeperOptions,
    ensemble: readonly string[],
    id: number | undefined,
  ): Promise<RealServer> {
    const directory = options.dataDir ?? (await mkdtemp(join(tmpdir(), "zookeeper-test-")));
    const tickMs = options.tickMs ?? 200;
    const lines = [
      ...zooKeeperConfig(directory, port, tickMs, options.minSessionTimeoutMs ?? 2 * tickMs),
      "clientPortAddress=127.0.0.1",
      ...ensemble,
      ...(options.config ?? []),
    ];
    await Bun.write(join(directory, "zoo.cfg"), `${lines.join("\n")}\n`);
    if (id !== undefined) await Bun.write(join(directory, "myid"), `${id}\n`);
    return new RealServer(port, directory, options);
  }

  get connectString(): string {
    return `127.0.0.1:${this.port}`;
  }

  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  async start(): Promise<void> {
    const properties = {
      "org.slf4j.simpleLogger.defaultLogLevel": "warn",
      ...this.#options.properties,
    };
    this.#process = Bun.spawn(zooKeeperCommand(join(this.directory, "zoo.cfg"), properties), {
      cwd: this.directory,
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const { stdout, stderr } = this.#process;
    this.#log = Promise.all([new Response(stdout).text(), new Response(stderr).text()]).then((texts) => texts.join(""));
  }

  /** Resolves when it answers clients. */
  async serving(): Promise<void> {
    const endsAt = performance.now() + startDeadlineMs;
    for (;;) {
      const answer = await fourLetters(this.port, "srvr").catch(() => "");
      if (answer.includes("Mode:")) return;
      const code = this.#process?.exitCode ?? null;
      if (code !== null || performance.now() > endsAt) {
        await this.kill();
        const said = (await this.#log).slice(-2_000);
        throw new Error(`ZooKeeper on port ${this.port} did not start (exit code ${code}):\n${said}`);
      }
      await Bun.sleep(pollMs);
    }
  }

  async restart(): Promise<void> {
    await this.start();
    await this.serving();
  }

  async kill(): Promise<void> {
    this.#process?.kill("SIGKILL");
    await this.#process?.exited;
  }

  freeze(): void {
    this.#process?.kill("SIGSTOP");
  }

  thaw(): void {
    this.#process?.kill("SIGCONT");
  }

  async stop(): Promise<void> {
    this.thaw();
    // It keeps nothing that matters: a clean shutdown would only cost time.
    await this.kill();
    if (!this.#keepsData) await rm(this.directory, { recursive: true, force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** Sends a four-letter word and returns the answer. */
export async function fourLetters(port: number, word: string, address = "127.0.0.1"): Promise<string> {
  const answer = Promise.withResolvers<string>();
  const socket = connect(port, address);
  let text = "";
  socket.setTimeout(2_000, () => socket.destroy(new Error(`no answer to ${word}`)));
  socket.on("connect", () => socket.write(word));
  socket.on("data", (chunk) => {
    text += chunk.toString();
  });
  socket.on("error", answer.reject);
  socket.on("close", () => answer.resolve(text));
  return await answer.promise;
}
