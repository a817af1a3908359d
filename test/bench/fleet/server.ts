import { existsSync } from "node:fs";

/** With both just-in-time compilers and room for ten thousand sessions; what the command line of the helper says is overridden. */
const JAVA_OPTIONS = "-XX:TieredStopAtLevel=4 -Xmx2g";
/** Where it exists, the server's data lies in memory: a shared disk would be measured otherwise. */
const MEMORY = "/dev/shm";

export interface FleetServer extends AsyncDisposable {
  readonly connectString: string;
  readonly pid: number;
}

/** A real server, alone. */
export async function startFleetServer(): Promise<FleetServer> {
  const program = Bun.fileURLToPath(import.meta.resolve("../zookeeper/server_program.ts"));
  const child = Bun.spawn([process.execPath, program], {
    env: { ...process.env, _JAVA_OPTIONS: JAVA_OPTIONS, ...(existsSync(MEMORY) ? { TMPDIR: MEMORY } : {}) },
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  const { value } = await child.stdout.getReader().read();
  const connectString = new TextDecoder().decode(value).trim();
  if (connectString === "") throw new Error("the ZooKeeper server did not start; what it said is above");
  return {
    connectString,
    pid: child.pid,
    [Symbol.asyncDispose]: async () => {
      await child.stdin.end();
      await child.exited;
    },
  };
}
