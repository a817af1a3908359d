import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ask } from "../harness/http.ts";
import { freePort } from "../harness/ports.ts";
import { eventually } from "../harness/eventually.ts";

/** A service for a supervisor: an HTTP server that answers with what its directory says. */
export interface Supervised {
  readonly directory: string;
  /** What it answers now. */
  ask(): Promise<string>;
  /** What it is to answer, once it is started anew. */
  writeAnswer(text: string): Promise<void>;
  /** Writes what the supervisor starts: a shell script that is already in the service's directory. */
  writeRun(script: string): Promise<void>;
  /** Waits for a file that `run` writes into the service's directory. */
  untilWritten(name: string): Promise<void>;
  /** The script of the server itself. */
  readonly server: string;
}

/** Makes the service's directory with its `run`; whoever supervises it starts it. */
export async function supervised(directory: string): Promise<Supervised> {
  const port = await freePort();
  await mkdir(join(directory, "files"), { recursive: true });
  const writeRun = async (script: string): Promise<void> => {
    await writeFile(join(directory, "run"), `#!/bin/sh\ncd ${directory}\n${script}\n`);
    await chmod(join(directory, "run"), 0o755);
  };
  // Read once, at the start: what it answers tells which start it comes from.
  const server = `rm -rf served && cp -r files served
exec /usr/bin/python3 -m http.server ${port} --bind 127.0.0.1 --directory served`;
  await writeRun(server);
  await writeFile(join(directory, "files", "index.html"), "first");
  return {
    directory,
    ask: () => ask(`http://127.0.0.1:${port}/`),
    writeAnswer: (text) => writeFile(join(directory, "files", "index.html"), text),
    writeRun,
    untilWritten: async (name) => {
      await eventually(() => Bun.file(join(directory, name)).exists());
    },
    server,
  };
}

/**
 * A supervisor in a session of its own, ended with the block: killed with its session, or told to end and awaited where
 * what it supervises has sessions of its own.
 */
export function daemon(argv: readonly string[], ending: "KILL" | "TERM" = "KILL"): AsyncDisposable {
  const child = Bun.spawn([...argv], { detached: true, stdio: ["ignore", "ignore", "ignore"] });
  return {
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode === null && child.signalCode === null) {
        process.kill(ending === "KILL" ? -child.pid : child.pid, `SIG${ending}`);
      }
      await child.exited;
    },
  };
}

export async function answers(service: Supervised, text: string): Promise<void> {
  await eventually(async () => (await service.ask()) === `200 ${text}`);
}
