import { join } from "node:path";

/** Runs the nemesis. @returns what the program has printed, and its exit code */
export async function soak(...args: readonly string[]): Promise<{ readonly code: number; readonly said: string }> {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "main.ts"), ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const said = await new Response(child.stdout).text();
  process.stderr.write(said);
  return { code: await child.exited, said };
}
