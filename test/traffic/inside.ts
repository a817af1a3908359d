import { join } from "node:path";
import type { TrafficEffects } from "../../src/traffic/effects.ts";
import type { NetworkNamespace, Started } from "../harness/netns.ts";
import { trafficEffects } from "../harness/real_time.ts";

/** The real effects, whose programs run in a network namespace, and a list of what they ran. */
export interface InsideEffects extends TrafficEffects {
  readonly ran: string[];
}

export function portsInside(namespace: NetworkNamespace): InsideEffects {
  const real = trafficEffects();
  const ran: string[] = [];
  return {
    ...real,
    ran,
    tool: (argv, options) => {
      ran.push(argv.join(" "));
      return real.tool(["ip", "netns", "exec", namespace.name, ...argv], options);
    },
    // The files of /proc/net are those of the process that reads them.
    read: async (path) => {
      const { code, stdout } = await namespace.run(["cat", path]);
      return code === 0 ? stdout : null;
    },
  };
}

/** Ports inside on which a program of the host is not there. */
export function without(effects: TrafficEffects, missing: RegExp): TrafficEffects {
  return { ...effects, find: (program) => (missing.test(program) ? null : effects.find(program)) };
}

const script = (name: string): string => join(import.meta.dir, name);

/** One process that answers a line on each of these effects with the port's number. */
export async function serveLines(namespace: NetworkNamespace, listening: readonly number[]): Promise<Started> {
  const server = namespace.start([process.execPath, script("line_server.mjs"), ...listening.map(String)]);
  await server.line();
  return server;
}

/** What answers on each of `count` new connections: a port's number, or the error's code. */
export async function answers(
  from: NetworkNamespace,
  host: string,
  port: number,
  count: number,
): Promise<Record<string, number>> {
  const printed = await from.must([process.execPath, script("line_client.mjs"), host, String(port), String(count)]);
  const lines = printed.trim().split("\n");
  return Object.fromEntries(
    [...new Set(lines)].toSorted().map((line) => [line, lines.filter((other) => other === line).length]),
  );
}

/** A client that keeps its one connection; `ask` says what answers on it now. */
export async function keepConnection(
  from: NetworkNamespace,
  host: string,
  port: number,
): Promise<{ ask(): Promise<string> }> {
  const client = from.start([process.execPath, script("line_client.mjs"), host, String(port)]);
  return {
    ask: async () => {
      await client.say("?");
      return await client.line();
    },
  };
}
