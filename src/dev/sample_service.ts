import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";

/**
 * The service that `deployd dev` deploys: an HTTP server that answers with the greeting of the release it was started
 * from. It reads the file once, as a program reads its code: only a restart brings another build.
 */
export async function sampleService(
  argv: readonly string[],
  onSignal: (listener: () => void) => void,
): Promise<number> {
  const { values } = parseArgs({
    args: [...argv],
    options: { port: { type: "string" }, release: { type: "string" }, "pid-file": { type: "string" } },
  });
  const { port, release, "pid-file": pidFile } = values;
  if (port === undefined || release === undefined || pidFile === undefined) return 64;
  const greeting = readFileSync(`${release}/greeting.txt`, "utf8");
  const sick = greeting.includes("broken");
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: Number(port),
    fetch: (request) => {
      const { pathname } = new URL(request.url);
      if (sick) return new Response("this build cannot reach its database\n", { status: 500 });
      return new Response(pathname === "/health" ? "ok\n" : greeting);
    },
  });
  writeFileSync(pidFile, `${process.pid}\n`);
  await new Promise<void>((resolve) => onSignal(resolve));
  await server.stop();
  return 0;
}
