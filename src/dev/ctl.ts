import { selfCommand } from "./self.ts";

/** Runs a ctl command as a person would, in a process of its own. */
export async function runOwnCtl(
  connectString: string,
  args: readonly string[],
  output: "inherit" | "ignore",
  signal: AbortSignal,
): Promise<number> {
  const child = Bun.spawn([...selfCommand(), "ctl", ...args], {
    env: { ...process.env, DEPLOYD_ZOOKEEPER: connectString },
    stdin: "ignore",
    stdout: output,
    stderr: "inherit",
    signal,
  });
  return child.exited;
}
