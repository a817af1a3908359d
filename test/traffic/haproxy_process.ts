import { writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { eventually } from "../harness/eventually.ts";
import { freePort } from "../harness/ports.ts";

/** A real HAProxy in front of services of this process. */
export interface Haproxy extends AsyncDisposable {
  /** Runtime API with level admin, and one with level operator. */
  readonly admin: string;
  readonly operator: string;
  /** Port that clients use. */
  readonly port: number;
  /** What HAProxy answers to a command that a person types. */
  ask(command: string): Promise<string>;
}

/**
 * Starts HAProxy with the backend `app` and resolves when it answers.
 *
 * @param dir for its configuration and sockets
 * @param servers their lines without `server`, as in `web1 127.0.0.1:8001 check`
 */
export async function startHaproxy(dir: string, servers: readonly string[]): Promise<Haproxy> {
  const port = await freePort();
  const admin = join(dir, "admin.sock");
  const operator = join(dir, "operator.sock");
  const config = join(dir, "haproxy.cfg");
  await writeFile(
    config,
    `global
  stats socket ${admin} mode 600 level admin
  stats socket ${operator} mode 600 level operator
defaults
  mode http
  timeout connect 1s
  timeout client 30s
  timeout server 30s
frontend front
  bind 127.0.0.1:${port}
  default_backend app
backend app
  balance roundrobin
  option httpchk GET /health
  default-server inter 100ms fall 2 rise 3
${servers.map((server) => `  server ${server}`).join("\n")}
`,
  );
  // It must not outlive a run of tests that crashes.
  const child = Bun.spawn(["setpriv", "--pdeathsig", "KILL", "--", "/usr/sbin/haproxy", "-db", "-f", config], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: Bun.file(join(dir, "haproxy.log")),
  });
  const haproxy: Haproxy = {
    admin,
    operator,
    port,
    ask: (command) => askSocket(admin, command),
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
  await eventually(async () => (await haproxy.ask("show info")).includes("Version"));
  return haproxy;
}

async function askSocket(path: string, command: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const socket = connect({ path });
  let answer = "";
  socket.on("data", (chunk) => (answer += chunk.toString()));
  socket.on("close", () => resolve(answer));
  socket.on("error", reject);
  socket.write(`${command}\n`);
  return await promise;
}

/** A service that answers its name; `/slow` only once `release` was called. */
export interface Service extends AsyncDisposable {
  readonly port: number;
  release(): void;
  /** Ends it with all its connections. */
  stop(): Promise<void>;
  start(): void;
}

export async function startService(name: string): Promise<Service> {
  const port = await freePort();
  let slow = Promise.withResolvers<void>();
  const serve = () =>
    Bun.serve({
      port,
      hostname: "127.0.0.1",
      fetch: async (request) => {
        // HAProxy's checks are HTTP/1.0 without a host, for which Bun makes no whole URL.
        if (request.url.endsWith("/slow")) await slow.promise;
        return new Response(name);
      },
    });
  let server: ReturnType<typeof serve> | null = serve();
  const stop = async (): Promise<void> => {
    slow.resolve();
    await server?.stop(true);
    server = null;
  };
  return {
    port,
    release: () => {
      slow.resolve();
      slow = Promise.withResolvers();
    },
    stop,
    start: () => {
      server ??= serve();
    },
    [Symbol.asyncDispose]: stop,
  };
}

/** A client that keeps one connection to HAProxy; `get` asks on it and says status and body. */
export function keepAlive(port: number): { get(path: string): Promise<string> } & Disposable {
  const socket = connect({ host: "127.0.0.1", port });
  const waiting: ((text: string) => void)[] = [];
  let text = "";
  socket.on("data", (chunk) => {
    text += chunk.toString();
    const [, status, headers = "", rest = ""] =
      /^HTTP\/1\.1 (\d+)[^\r]*\r\n([\s\S]*?)\r\n\r\n([\s\S]*)$/.exec(text) ?? [];
    const length = Number(/content-length: (\d+)/i.exec(headers)?.[1] ?? Number.NaN);
    if (status === undefined || rest.length < length) return;
    text = rest.slice(length);
    waiting.shift()?.(`${status} ${rest.slice(0, length)}`);
  });
  socket.on("error", () => {});
  socket.on("close", () => waiting.shift()?.("closed"));
  return {
    get: async (path) => {
      const { promise, resolve } = Promise.withResolvers<string>();
      if (socket.destroyed) return "closed";
      waiting.push(resolve);
      socket.write(`GET ${path} HTTP/1.1\r\nHost: app\r\n\r\n`);
      return await promise;
    },
    [Symbol.dispose]: () => socket.destroy(),
  };
}
