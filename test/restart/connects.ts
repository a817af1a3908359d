import { connect } from "node:net";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

/** What clients saw that each opened a connection of its own, one after the other. */
export interface Connects {
  readonly answered: number;
  /** Nobody listened. */
  readonly refused: number;
  /** Accepted, and then closed without a whole answer. */
  readonly broken: number;
}

/** A pause between two clients, in milliseconds: enough of them for any gap, and no load to speak of. */
const PAUSE_MS = 5;
const CLIENT_MS = 20_000;

/** A program of its own that connects to a port until it is told to stop; `run` may start it in another network. */
export async function startConnects(
  dir: string,
  port: number,
  run: (argv: readonly string[]) => Promise<{ output: string }>,
): Promise<{ stop(): Promise<Connects> }> {
  const stopFile = join(dir, `stop-${crypto.randomUUID()}`);
  const ended = run([process.execPath, import.meta.path, String(port), stopFile]);
  return {
    stop: async () => {
      await writeFile(stopFile, "");
      return JSON.parse((await ended).output) as Connects;
    },
  };
}

async function askOnce(port: number): Promise<keyof Connects> {
  const { promise, resolve } = Promise.withResolvers<keyof Connects>();
  const socket = connect(port, "127.0.0.1");
  let text = "";
  socket.setTimeout(CLIENT_MS, () => socket.destroy());
  socket.on("connect", () => socket.write("GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n"));
  socket.on("data", (bytes) => {
    text += bytes.toString();
  });
  socket.on("error", (error) => resolve("code" in error && error.code === "ECONNREFUSED" ? "refused" : "broken"));
  socket.on("close", () =>
    resolve(text.startsWith("HTTP/1.1 200") && text.includes("\r\n\r\n") ? "answered" : "broken"),
  );
  return await promise;
}

if (import.meta.main) {
  const [, , port, stopFile = ""] = Bun.argv;
  const seen = { answered: 0, refused: 0, broken: 0 };
  while (!existsSync(stopFile)) {
    seen[await askOnce(Number(port))] += 1;
    await Bun.sleep(PAUSE_MS);
  }
  console.log(JSON.stringify(seen));
}
