import { KEPT_MEMORY } from "../harness/runtime_settings.ts";
import { join, networkNamespace, type NetworkNamespace, type Started } from "../harness/netns.ts";

/** Where a program runs: on the host whose service restarts, or where its clients are. */
type Place = "host" | "clients";

/** Two machines joined by a cable, as far as the network goes. */
export type Network = Readonly<Record<Place, NetworkNamespace>> & AsyncDisposable;

export async function makeNetwork(): Promise<Network> {
  const host = await networkNamespace();
  const clients = await networkNamespace();
  await join(host, clients);
  return {
    host,
    clients,
    [Symbol.asyncDispose]: async () => {
      await clients[Symbol.asyncDispose]();
      await host[Symbol.asyncDispose]();
    },
  };
}

const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export interface ProgramOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** File that all output is added to. */
  readonly log: string;
  readonly cwd?: string;
}

/** Starts a program that lives as long as the namespace, with just this environment. Its pid is the program's own. */
export function startProgram(
  inside: NetworkNamespace,
  argv: readonly string[],
  { env = {}, log, cwd = "/" }: ProgramOptions,
): Started {
  const variables = Object.entries({ PATH, ...KEPT_MEMORY, ...env }).map(([name, value]) => `${name}=${value}`);
  const line = 'cd "$0" && log=$1 && shift && exec "$@" >>"$log" 2>&1';
  return inside.start(["env", "-i", ...variables, "/bin/sh", "-c", line, cwd, log, ...argv]);
}
