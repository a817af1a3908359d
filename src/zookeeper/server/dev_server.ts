import type { Socket } from "bun";
import { Database } from "./database.ts";
import { noFaults, type Faults } from "./faults.ts";
import { fourLetterWord } from "./four_letter_words.ts";
import { ServerConnection, type Host } from "./server_connection.ts";

export interface DevServerOptions {
  /** 0, the default, takes a free one. */
  readonly port?: number;
  /** A loopback address; nothing else is accepted. Default 127.0.0.1. */
  readonly host?: string;
  /** The server's unit of time in milliseconds: sessions last at least two of it. Default 200. */
  readonly tickMs?: number;
  /** How often nodes past their time to live and empty containers are removed, in milliseconds. Default 60,000. */
  readonly reapMs?: number;
}

export interface DevServer extends AsyncDisposable {
  readonly port: number;
  readonly connectString: string;
  /** What goes wrong on purpose; set its fields at any time. */
  readonly faults: Faults;
  /** Live sessions. */
  readonly sessions: readonly bigint[];
  /** Ends a session as if its time were over. False when there is none with this id. */
  expire(sessionId: bigint | string): boolean;
  /** Cuts all connections; the sessions go on. */
  dropConnections(): void;
  close(): Promise<void>;
}

const maxSessionTimeoutMs = 60_000;

/**
 * Starts a ZooKeeper server that lives in this process's memory, for trying things out and for tests: one server, no
 * disk, no replication. It has no protection worth the name, so it listens on loopback only.
 * @throws TypeError when `host` is not a loopback address; the listener's error when the port is taken
 */
export async function startDevServer(options: DevServerOptions = {}): Promise<DevServer> {
  const host = options.host ?? "127.0.0.1";
  if (!/^(127(\.\d{1,3}){3}|::1|localhost)$/.test(host)) {
    throw new TypeError(`The development server listens on loopback only; "${host}" is not a loopback address.`);
  }
  return new MemoryServer(host, options);
}

class MemoryServer implements DevServer, Host {
  readonly database: Database;
  readonly faults = noFaults();
  readonly #host: string;
  readonly #connections = new Set<ServerConnection>();
  readonly #listener: Bun.TCPSocketListener<{ connection: ServerConnection | null }>;
  readonly #timers: ReturnType<typeof setInterval>[];
  readonly #startedAt = performance.now();

  constructor(host: string, options: DevServerOptions) {
    const tickMs = options.tickMs ?? 200;
    this.#host = host;
    this.database = new Database(2 * tickMs, maxSessionTimeoutMs);
    this.#listener = Bun.listen<{ connection: ServerConnection | null }>({
      hostname: host,
      port: options.port ?? 0,
      data: { connection: null },
      socket: {
        open: (socket) => this.#opened(socket),
        data: (socket, chunk) => socket.data.connection?.received(chunk),
        drain: (socket) => socket.data.connection?.drained(),
        close: (socket) => this.#closed(socket.data.connection),
        error: (socket) => this.#closed(socket.data.connection),
      },
    });
    this.#timers = [
      setInterval(() => this.#expireSessions(), tickMs),
      setInterval(() => this.database.reap(Date.now()), options.reapMs ?? 60_000),
    ];
  }

  get port(): number {
    return this.#listener.port;
  }

  get connectString(): string {
    return this.#host.includes(":") ? `[${this.#host}]:${this.port}` : `${this.#host}:${this.port}`;
  }

  get sessions(): readonly bigint[] {
    return this.database.sessions.ids;
  }

  expire(sessionId: bigint | string): boolean {
    const id = BigInt(sessionId);
    const ended = this.database.endSession(id);
    this.#dropSession(id);
    return ended;
  }

  dropConnections(): void {
    for (const connection of this.#connections) connection.drop();
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    this.#listener.stop(true);
    this.dropConnections();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  attached(connection: ServerConnection): void {
    for (const other of this.#connections) {
      if (other !== connection && other.sessionId === connection.sessionId) other.drop();
    }
  }

  fourLetterWord(word: string): string | undefined {
    return fourLetterWord(word, {
      connections: this.#connections.size,
      nodes: this.database.tree.size,
      sessions: this.sessions.length,
      watches: this.database.watches.data.count + this.database.watches.children.count,
      zxid: this.database.zxid,
      uptimeMs: performance.now() - this.#startedAt,
    });
  }

  #opened(socket: Socket<{ connection: ServerConnection | null }>): void {
    if (this.faults.refuse) {
      socket.data = { connection: null };
      socket.terminate();
      return;
    }
    socket.setNoDelay(true);
    const connection = new ServerConnection(this, socket);
    // Sockets of a listener start with one shared data object.
    socket.data = { connection };
    this.#connections.add(connection);
  }

  #closed(connection: ServerConnection | null): void {
    if (connection === null || !this.#connections.delete(connection)) return;
    connection.drop();
  }

  #expireSessions(): void {
    for (const id of this.database.sessions.expired(performance.now())) this.expire(id);
  }

  #dropSession(id: bigint): void {
    for (const connection of this.#connections) if (connection.sessionId === id) connection.drop();
  }
}
