import type { Clock } from "../support/clock.ts";
import { serverName, type Server } from "../zookeeper/connect_string.ts";

const TRY_MS = 1_000;

/** How each server responds when asked for a TCP connection, one phrase per server, for an error message. */
export async function diagnose(servers: readonly Server[], clock: Clock): Promise<string[]> {
  return Promise.all(servers.map(async (server) => `${serverName(server)} ${await answerOf(server, clock)}`));
}

async function answerOf(server: Server, clock: Clock): Promise<string> {
  const over = Promise.withResolvers<string>();
  const cancel = clock.after(TRY_MS, () => over.resolve("does not answer"));
  const say = (error: Error): void => over.resolve(phrase(error));
  try {
    const connecting = Bun.connect({
      hostname: server.host,
      port: server.port,
      socket: {
        open: (socket) => {
          socket.end();
          over.resolve("accepts connections, but gives no session (is it ZooKeeper, and has it a quorum?)");
        },
        data: () => {},
        connectError: (_socket, error) => say(error),
      },
    });
    connecting.catch((error: unknown) => say(error instanceof Error ? error : new Error(String(error))));
    return await over.promise;
  } finally {
    cancel();
  }
}

function phrase(error: Error & { code?: string }): string {
  switch (error.code) {
    case "ECONNREFUSED":
      return "refuses connections";
    case "ENOTFOUND":
    case "EAI_AGAIN":
    case "DNS_ENOTFOUND":
    case "ENODATA":
      return "is a name that cannot be resolved";
    default:
      return `cannot be connected to (${error.code ?? error.message})`;
  }
}
