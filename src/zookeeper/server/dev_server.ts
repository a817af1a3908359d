import type { Faults } from "./faults.ts";
import { MemoryServer, type MemoryServerOptions } from "./memory_server.ts";
import type { ServerConnection } from "./server_connection.ts";

export interface DevServerOptions extends MemoryServerOptions {
  /** The default, 0, takes a free port. */
  readonly port?: number;
  /** A loopback address; nothing else is accepted. Default 127.0.0.1. */
  readonly host?: string;
}

export interface DevServer extends AsyncDisposable {
  readonly port: number;
  readonly connectString: string;
  /** Injected faults; the fields may be set at any time. */
  readonly faults: Faults;
  /** Live sessions. */
  readonly sessions: readonly bigint[];
  /** Expires a session at once. False if there is none with this id. */
  expire(sessionId: bigint | string): boolean;
  /** Closes all connections; the sessions go on. */
  dropConnections(): void;
  close(): Promise<void>;
}

interface SocketData {
  connection: ServerConnection | null;
}

/**
 * Starts a ZooKeeper server in this process's memory, for trying things out and for tests: one server, no disk, no
 * replication. It has no real access protection, so it listens on loopback only.
 * @throws TypeError if `host` is not a loopback address; the listener's error if the port is taken
 */
export async function startDevServer(options: DevServerOptions): Promise<DevServer> {
  const host = options.host ?? "127.0.0.1";
  if (!/^(127(\.\d{1,3}){3}|::1|localhost)$/.test(host)) {
    throw new TypeError(`The development server listens on loopback only; "${host}" is not a loopback address.`);
  }
  const server = new MemoryServer(options);
  try {
    return listening(server, host, options.port ?? 0);
  } catch (error) {
    server.close();
    throw error;
  }
}

function listening(server: MemoryServer, host: string, wantedPort: number): DevServer {
  const listener = Bun.listen<SocketData>({
    hostname: host,
    port: wantedPort,
    data: { connection: null },
    socket: {
      open: (socket) => {
        socket.setNoDelay(true);
        // Sockets of a listener start with one shared data object.
        socket.data = { connection: server.accept(socket, socket.remoteAddress) };
      },
      data: (socket, chunk) => socket.data.connection?.received(chunk),
      drain: (socket) => socket.data.connection?.drained(),
      close: (socket) => socket.data.connection?.drop(),
      error: (socket) => socket.data.connection?.drop(),
    },
  });
  const { port } = listener;
  const close = async (): Promise<void> => {
    listener.stop(true);
    server.close();
  };
  return {
    port,
    connectString: host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`,
    faults: server.faults,
    get sessions() {
      return server.database.sessions.ids;
    },
    expire: (sessionId) => server.expire(BigInt(sessionId)),
    dropConnections: () => server.dropConnections(),
    close,
    [Symbol.asyncDispose]: close,
  };
}
