import { mkdir, readFile, unlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";

/** A file for each port that a test has taken, with the process that has it: test files run beside each other. */
const TAKEN = join(tmpdir(), `deployd-test-ports-${userInfo().uid}`);

/**
 * A free port for what is stopped and started again, or does not listen at once; no other test is given it while this
 * process lives. It lies below the range from which the kernel takes the ports of outgoing connections: one of those could
 * otherwise have it.
 */
export async function freePort(): Promise<number> {
  await mkdir(TAKEN, { recursive: true });
  for (;;) {
    const port = 12_000 + Math.floor(Math.random() * 20_000);
    if ((await take(join(TAKEN, String(port)))) && (await isFree(port))) return port;
  }
}

/** The same, so many of them. */
export async function freePorts(count: number): Promise<number[]> {
  return Promise.all(Array.from({ length: count }, freePort));
}

async function take(path: string): Promise<boolean> {
  try {
    await writeFile(path, String(process.pid), { flag: "wx" });
    return true;
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    // Whoever finds one of a process that has gone clears it away, and looks for another port.
    if (await isLeft(path)) await unlink(path).catch(() => {});
    return false;
  }
}

async function isLeft(path: string): Promise<boolean> {
  try {
    process.kill(Number(await readFile(path, "utf8")), 0);
    return false;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "ESRCH";
  }
}

async function isFree(port: number): Promise<boolean> {
  const free = Promise.withResolvers<boolean>();
  const server = createServer();
  server.once("error", () => free.resolve(false));
  server.listen(port, "127.0.0.1", () => server.close(() => free.resolve(true)));
  return free.promise;
}
