/**
 * The helper's server starts fast, with the first just-in-time compiler only and a small heap. In production it has both
 * compilers; with less, the server's share of every time hides what the clients differ in. Java reads this variable last
 * of all, so it overrides the helper's command line; a process of its own keeps it away from the peers.
 */
export const serverJavaOptions = "-XX:TieredStopAtLevel=4 -Xmx512m";

/** A real server, alone, as it runs in production but for the waits for the disk. */
export async function startServer(): Promise<{ readonly connectString: string } & AsyncDisposable> {
  const child = Bun.spawn([process.execPath, Bun.fileURLToPath(import.meta.resolve("./server_program.ts"))], {
    env: { ...process.env, _JAVA_OPTIONS: serverJavaOptions },
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  const { value } = await child.stdout.getReader().read();
  const connectString = new TextDecoder().decode(value).trim();
  if (connectString === "") throw new Error("the ZooKeeper server did not start; what it said is above");
  return {
    connectString,
    [Symbol.asyncDispose]: async () => {
      await child.stdin.end();
      await child.exited;
    },
  };
}
