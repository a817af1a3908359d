import { systemClock } from "../../src/support/clock.ts";
import { ZooKeeper, type ZooKeeperOptions } from "../../src/zookeeper/client.ts";
import { isZooKeeperError, type ZooKeeperError } from "../../src/zookeeper/errors.ts";
import { startDevServer, type DevServer } from "../../src/zookeeper/server/dev_server.ts";
import { startProxy, type FaultProxy } from "./proxy.ts";

/** A development server behind a proxy that breaks connections on command, and clients that are closed with it. */
export interface FaultyLink extends AsyncDisposable {
  readonly server: DevServer;
  readonly proxy: FaultProxy;
  /** A client that goes through the proxy, unless told otherwise, with a session of 5 s. */
  open(options?: Partial<ZooKeeperOptions>): ZooKeeper;
  /** A client that nothing happens to. */
  observe(): ZooKeeper;
}

export async function startFaultyLink(): Promise<FaultyLink> {
  const server = await startDevServer({ clock: systemClock, tickMs: 50 });
  const proxy = await startProxy(server.port);
  const opened: ZooKeeper[] = [];
  const open = (options: Partial<ZooKeeperOptions> = {}): ZooKeeper => {
    const client = new ZooKeeper({
      clock: systemClock,
      servers: proxy.connectString,
      sessionTimeoutMs: 5_000,
      ...options,
    });
    opened.push(client);
    return client;
  };
  return {
    server,
    proxy,
    open,
    observe: () => open({ servers: server.connectString }),
    [Symbol.asyncDispose]: async () => {
      proxy.resume();
      Object.assign(server.faults, { refuse: false, dropReplies: false, delayMs: 0, failOperation: undefined });
      await Promise.all(opened.map((each) => each.close()));
      await proxy[Symbol.asyncDispose]();
      await server.close();
    },
  };
}

/** The ZooKeeperError that `work` fails with; throws when it does not fail with one. */
export async function failureOf(work: Promise<unknown>): Promise<ZooKeeperError> {
  const error: unknown = await work.then(
    () => new Error("it did not fail"),
    (thrown: unknown) => thrown,
  );
  if (isZooKeeperError(error)) return error;
  throw error;
}
