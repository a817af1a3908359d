import { readFileSync, writeFileSync } from "node:fs";
import { exit, type ExitCode } from "../cli/exit.ts";

export interface SampleFlags {
  readonly port: number;
  readonly release: string;
  readonly pidFile: string;
}

/**
 * The service that `deployd dev` deploys: an HTTP server that answers with the greeting of the release it was started
 * from. It reads the greeting only once, as a program loads its code only once: a restart is needed for another build.
 */
export async function serveSample(
  { port, release, pidFile }: SampleFlags,
  onSignal: (listener: () => void) => void,
): Promise<ExitCode> {
  const greeting = readFileSync(`${release}/greeting.txt`, "utf8");
  const sick = greeting.includes("broken");
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port,
    fetch: (request) => {
      const { pathname } = new URL(request.url);
      if (sick) return new Response("this build cannot reach its database\n", { status: 500 });
      return new Response(pathname === "/health" ? "ok\n" : greeting);
    },
  });
  writeFileSync(pidFile, `${process.pid}\n`);
  await new Promise<void>((resolve) => onSignal(resolve));
  await server.stop();
  return exit.asked;
}
