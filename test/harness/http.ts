import { createServer } from "node:net";

/**
 * What an HTTP service answers at this moment, as `200 text`, or `no answer (why)`. Every question has a connection of
 * its own, so that it reaches the process that listens now.
 */
export async function ask(url: string, timeoutMs = 3_000): Promise<string> {
  try {
    const response = await fetch(url, { keepalive: false, signal: AbortSignal.timeout(timeoutMs) });
    return `${response.status} ${(await response.text()).trim()}`;
  } catch (error) {
    return `no answer (${error instanceof Error ? error.message : String(error)})`;
  }
}

const taken = new Set<number>();

/**
 * A free port for a service that is stopped and started again. It lies below the range from which the kernel takes the
 * ports of outgoing connections: one of those could otherwise have it while the service is down.
 */
export async function servicePort(): Promise<number> {
  for (;;) {
    const port = 12_000 + Math.floor(Math.random() * 20_000);
    if (taken.has(port) || !(await isFree(port))) continue;
    taken.add(port);
    return port;
  }
}

async function isFree(port: number): Promise<boolean> {
  const free = Promise.withResolvers<boolean>();
  const server = createServer();
  server.once("error", () => free.resolve(false));
  server.listen(port, "127.0.0.1", () => server.close(() => free.resolve(true)));
  return free.promise;
}
