import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { eventually } from "./eventually.ts";
import { run } from "./fleet_program.ts";
import { ask } from "./http.ts";

/** Debian's nginx under a configuration of its own, serving one directory. */
export interface Nginx extends AsyncDisposable {
  readonly pidFile: string;
  readonly port: number;
  /** Of the master process. */
  readonly pid: number;
}

/**
 * Starts nginx and resolves when it answers.
 *
 * @param dir for its configuration, log and pid file
 * @param root what it serves; need not exist yet
 */
export async function startNginx(dir: string, root: string, port: number): Promise<Nginx> {
  const pidFile = join(dir, "nginx.pid");
  const temps = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  await mkdir(join(dir, "temp"), { recursive: true });
  await writeFile(
    join(dir, "nginx.conf"),
    `${process.getuid?.() === 0 ? "user nobody nogroup;" : ""}
worker_processes 2;
pid ${pidFile};
error_log ${join(dir, "error.log")};
events { worker_connections 64; }
http {
  access_log off;
  default_type text/plain;
  ${temps.map((name) => `${name}_temp_path ${join(dir, "temp", name)};`).join("\n  ")}
  server {
    listen 127.0.0.1:${port};
    root ${root};
    location / { index index.html; }
  }
}
`,
  );
  // -e: before it has read its configuration it would write to the system's log.
  const argv = ["/usr/sbin/nginx", "-e", join(dir, "error.log"), "-p", dir, "-c", join(dir, "nginx.conf")];
  const started = await run(argv, { timeoutMs: 20_000 });
  if (started.code !== 0) throw new Error(`nginx exited with ${started.code}: ${started.stderr}`);
  await eventually(async () => !(await ask(`http://127.0.0.1:${port}/`)).startsWith("no answer"));
  const pid = Number((await readFile(pidFile, "utf8")).trim());
  return {
    pidFile,
    port,
    pid,
    [Symbol.asyncDispose]: async () => {
      await run([...argv, "-s", "stop"], { timeoutMs: 20_000 });
      await eventually(async () => (await ask(`http://127.0.0.1:${port}/`)).startsWith("no answer"));
    },
  };
}
