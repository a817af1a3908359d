import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { chmod, mkdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { allPids, argvOf } from "../../src/host/scan_proc.ts";
import type { RestartSpec } from "../../src/core/resolved_recipe.ts";
import type { Handover } from "../../src/restart/effects.ts";
import { mainPids, restart, supervisorFor } from "../../src/restart/supervisor.ts";
import { eventually } from "../harness/eventually.ts";
import { run } from "../harness/fleet_program.ts";
import { ask } from "../harness/http.ts";
import { freePort } from "../harness/ports.ts";
import { rejection } from "../harness/rejection.ts";
import { tempDir } from "../harness/tempdir.ts";
import { startConnects } from "./connects.ts";
import { hostEffects } from "./host_effects.ts";
import { descendantsOf, processFact } from "../harness/real_time.ts";

/* The handover of nginx, by Debian's nginx under a configuration of its own. */

const { signal } = new AbortController();
const LONG_MS = 90_000;

interface Nginx extends AsyncDisposable {
  readonly dir: string;
  /** A link to the program by which it was started. */
  readonly program: string;
  readonly config: string;
  readonly port: number;
  /** The master in the pid file now. */
  pid(): Promise<number>;
  spec(timeoutMs?: number): Extract<RestartSpec, { by: "signal" }>;
  /** A supervisor that knows nothing of what another one has begun, as after the death of the agent. */
  handover(timeoutMs?: number): Handover;
  /** Starts to download something that takes its time from whoever accepts now. */
  slowClient(): Promise<void>;
}

async function nginx(
  start: (program: string, options: string[]) => string[] = (program, options) => [program, ...options],
) {
  const stack = new AsyncDisposableStack();
  const { path: dir } = stack.use(await tempDir());
  const port = await freePort();
  const [program, config, pidFile] = [join(dir, "bin", "nginx"), join(dir, "nginx.conf"), join(dir, "nginx.pid")];
  await mkdir(join(dir, "bin"));
  await mkdir(join(dir, "files"));
  await chmod(dir, 0o755);
  await symlink("/usr/sbin/nginx", program);
  await writeFile(join(dir, "files", "slow"), "x".repeat(100_000));
  await writeFile(
    config,
    `${process.getuid?.() === 0 ? "user nobody nogroup;" : ""}
worker_processes 2;
pid ${pidFile};
error_log ${dir}/error.log;
events { worker_connections 64; }
http {
  access_log off;
  ${["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${dir}/temp-${name};`).join("\n  ")}
  server {
    listen 127.0.0.1:${port};
    location / { return 200 "$pid"; }
    location /slow { root ${dir}/files; limit_rate 100; sendfile off; }
  }
}
`,
  );
  stack.defer(() => killAll(dir));
  const argv = start(program, ["-e", join(dir, "error.log"), "-p", dir, "-c", config]);
  const started = await run(argv, { cwd: dir, env: { PATH: "/usr/sbin:/usr/bin:/bin" }, timeoutMs: 20_000 });
  if (started.code !== 0) throw new Error(`nginx exited with ${started.code}: ${started.stderr}`);
  await eventually(async () => (await ask(`http://127.0.0.1:${port}/`)).startsWith("200"));
  // One worker may answer before the other is there, which would then be taken for a successor on its way.
  await eventually(async () => (await descendantsOf(Number((await readFile(pidFile, "utf8")).trim()))).length >= 2);
  const spec = (timeoutMs = 20_000) => ({ by: "signal", signal: "USR2", retire: "QUIT", pidFile, timeoutMs }) as const;
  const found: Nginx = {
    dir,
    program,
    config,
    port,
    pid: async () => Number((await readFile(pidFile, "utf8")).trim()),
    spec,
    handover: (timeoutMs) => {
      const { handover } = supervisorFor(spec(timeoutMs), hostEffects(dir));
      if (handover === null) throw new Error("no handover");
      return handover;
    },
    slowClient: async () => {
      const client = connect(port, "127.0.0.1");
      stack.defer(() => {
        client.destroy();
      });
      client.on("error", () => {});
      client.write("GET /slow HTTP/1.1\r\nHost: here\r\n\r\n");
      const { promise, resolve } = Promise.withResolvers<void>();
      client.once("data", () => resolve());
      await promise;
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
  return found;
}

/** Masters have the directory in their arguments. */
async function killAll(dir: string): Promise<void> {
  for (const pid of allPids()) {
    if (pid === process.pid || !(await argvOf(pid)).join(" ").includes(dir)) continue;
    for (const each of [pid, ...(await descendantsOf(pid)).map((child) => child.pid)]) {
      try {
        process.kill(each, "SIGKILL");
      } catch {
        // It went with its master.
      }
    }
  }
}

const clients = ({ dir, port }: Nginx) =>
  startConnects(dir, port, async (argv) => ({ output: (await run(argv)).stdout }));

const runs = async (pid: number): Promise<boolean> => (await processFact(pid)) !== null;

/** One master, which serves, and no trace of another. */
async function expectAlone(web: Nginx, pid: number): Promise<void> {
  expect(await web.pid()).toBe(pid);
  expect(existsSync(`${web.spec().pidFile}.oldbin`)).toBe(false);
  const masters = await Promise.all(allPids().map(async (each) => ({ each, argv: await argvOf(each) })));
  expect(masters.filter(({ argv }) => argv.join(" ").includes(web.config)).map(({ each }) => each)).toEqual([pid]);
  expect(await ask(`http://127.0.0.1:${web.port}/`)).toStartWith("200 ");
}

// They wait most of the time, and each has an nginx of its own.
test.concurrent(
  "a restart puts a successor in the pid file and then ends the old one, and no client is refused",
  async () => {
    await using web = await nginx();
    const old = await web.pid();
    const load = await clients(web);
    await restart(web.spec(), hostEffects(web.dir), signal);
    const seen = await load.stop();
    expect(seen).toMatchObject({ refused: 0, broken: 0 });
    expect(seen.answered).toBeGreaterThan(0);
    expect(await runs(old)).toBe(false);
    expect(await web.pid()).not.toBe(old);
    await expectAlone(web, await web.pid());
  },
  LONG_MS,
);

test.concurrent(
  "while both are there the successor is the main process, and the old one's processes are its own alone",
  async () => {
    await using web = await nginx();
    const old = await web.pid();
    const workers = (await descendantsOf(old)).map(({ pid }) => pid);
    const handover = web.handover();
    await handover.begin(signal);
    const successor = await web.pid();
    expect(successor).not.toBe(old);
    expect(await mainPids(web.spec(), hostEffects(web.dir), signal)).toEqual([successor]);
    const [main, ...rest] = await handover.oldPids(signal);
    expect(main).toBe(old);
    expect(new Set(rest)).toEqual(new Set(workers));
    await handover.finish(signal);
    expect(await handover.oldPids(signal)).toEqual([]);
    await expectAlone(web, successor);
  },
  LONG_MS,
);

test.concurrent(
  "a successor that is taken back leaves the old one as it was",
  async () => {
    await using web = await nginx();
    const old = await web.pid();
    const load = await clients(web);
    const handover = web.handover();
    await handover.begin(signal);
    const successor = await web.pid();
    await handover.abandon(signal);
    expect(await load.stop()).toMatchObject({ refused: 0 });
    expect(await runs(successor)).toBe(false);
    await expectAlone(web, old);
  },
  LONG_MS,
);

test.concurrent.each([
  [
    "whose program cannot run",
    async (web: Nginx) => {
      await writeFile(join(web.dir, "broken"), "#!/bin/sh\nexit 1\n", { mode: 0o755 });
      await rm(web.program);
      await symlink(join(web.dir, "broken"), web.program);
    },
  ],
  ["whose configuration is broken", (web: Nginx) => writeFile(web.config, "no such directive;")],
])(
  "a successor %s leaves the old one serving, which is told nothing",
  async (_what, damage) => {
    await using web = await nginx();
    const old = await web.pid();
    await damage(web);
    const load = await clients(web);
    const error = await rejection(restart(web.spec(), hostEffects(web.dir), signal));
    expect(error).toMatchObject({ code: "restart-failed", hint: expect.stringContaining("nginx's error log") });
    expect(error.message).toStartWith("Cannot hand over with USR2: ");
    expect(error.message).toEndWith(`Process ${old} serves on.`);
    expect(await load.stop()).toMatchObject({ refused: 0, broken: 0 });
    await expectAlone(web, old);
  },
  LONG_MS,
);

test.concurrent(
  "an nginx that was started by a relative path cannot start itself anew, and is not told to go",
  async () => {
    await using web = await nginx((_, options) => ["/bin/sh", "-c", 'exec nginx "$@"', "sh", ...options]);
    const old = await web.pid();
    const load = await clients(web);
    const error = await rejection(restart(web.spec(), hostEffects(web.dir), signal));
    expect(error).toMatchObject({ code: "restart-failed", hint: expect.stringContaining("absolute path") });
    expect(error.message).toEndWith(`Process ${old} serves on.`);
    expect(await load.stop()).toMatchObject({ refused: 0, broken: 0 });
    expect(await readFile(join(web.dir, "error.log"), "utf8")).toContain("execve() failed");
    await expectAlone(web, old);
  },
  LONG_MS,
);

test.concurrent(
  "a handover that was interrupted before the old one was told to go is taken back and begun anew",
  async () => {
    await using web = await nginx();
    const old = await web.pid();
    await web.handover().begin(signal);
    const first = await web.pid();
    const load = await clients(web);
    const handover = web.handover();
    await handover.begin(signal);
    expect(await load.stop()).toMatchObject({ refused: 0 });
    expect(await runs(first)).toBe(false);
    const second = await web.pid();
    expect([old, first]).not.toContain(second);
    expect((await handover.oldPids(signal))[0]).toBe(old);
    await handover.finish(signal);
    await expectAlone(web, second);
  },
  LONG_MS,
);

test.concurrent(
  "a handover that was interrupted after the old one was told to go keeps the successor, which is all there is",
  async () => {
    await using web = await nginx();
    const old = await web.pid();
    await web.slowClient();
    await web.handover().begin(signal);
    const first = await web.pid();
    process.kill(old, "SIGQUIT");
    await eventually(async () => (await descendantsOf(old)).length <= 4);
    const load = await clients(web);
    const handover = web.handover(2_000);
    await handover.begin(signal);
    expect(await load.stop()).toMatchObject({ refused: 0, broken: 0 });
    expect(await runs(old)).toBe(false);
    expect((await handover.oldPids(signal))[0]).toBe(first);
    await handover.finish(signal);
    await expectAlone(web, await web.pid());
  },
  LONG_MS,
);

test.concurrent(
  "an old one that keeps a client past its time is ended the hard way",
  async () => {
    await using web = await nginx();
    const old = await web.pid();
    await web.slowClient();
    const handover = web.handover(1_500);
    await handover.begin(signal);
    const oldOnes = await handover.oldPids(signal);
    await handover.finish(signal);
    await eventually(async () => !(await Promise.all(oldOnes.map(runs))).includes(true));
    expect(oldOnes).toContain(old);
    await expectAlone(web, await web.pid());
  },
  LONG_MS,
);

test.concurrent(
  "the old one is not told to go when its successor has died since",
  async () => {
    await using web = await nginx();
    const old = await web.pid();
    const handover = web.handover();
    await handover.begin(signal);
    const successor = await web.pid();
    const below = await descendantsOf(successor);
    for (const pid of [successor, ...below.map((child) => child.pid)]) process.kill(pid, "SIGKILL");
    await eventually(async () => !(await runs(successor)));
    const error = await rejection(handover.finish(signal));
    expect(error).toMatchObject({ code: "restart-failed" });
    expect(error.message).toContain(`its successor ${successor} has ended, so process ${old} is not told to go`);
    await eventually(async () => (await web.pid()) === old);
    await expectAlone(web, old);
  },
  LONG_MS,
);

test.concurrent(
  "a handover that is called off leaves the old one alone",
  async () => {
    await using web = await nginx();
    const old = await web.pid();
    const stop = new AbortController();
    const beginning = web.handover().begin(stop.signal);
    await eventually(() => existsSync(`${web.spec().pidFile}.oldbin`));
    stop.abort();
    expect(await rejection(beginning)).toMatchObject({ code: "aborted" });
    await expectAlone(web, old);
  },
  LONG_MS,
);

test.concurrent("a service that is not there is no success", async () => {
  await using dir = await tempDir();
  const spec = {
    by: "signal",
    signal: "USR2",
    retire: "QUIT",
    pidFile: join(dir.path, "pid"),
    timeoutMs: 1_000,
  } as const;
  expect(await rejection(restart(spec, hostEffects(dir.path), signal))).toMatchObject({
    code: "restart-failed",
    message: `Cannot send USR2 to the service: there is no pid file ${dir.path}/pid.`,
  });
  expect(await mainPids(spec, hostEffects(dir.path), signal)).toEqual([]);
});

test.concurrent("a successor that never names itself is ended when its time is over", async () => {
  await using dir = await tempDir();
  const program =
    "trap 'sh -c \"echo \\$\\$ > successor; while :; do sleep 0.02; done\" &' USR2; echo $$ > pid; while :; do sleep 0.02; done";
  const child = Bun.spawn(["sh", "-c", program], {
    cwd: dir.path,
    detached: true,
    stdio: ["ignore", "ignore", "ignore"],
  });
  try {
    await eventually(() => existsSync(join(dir.path, "pid")));
    const pidFile = join(dir.path, "pid");
    const spec = { by: "signal", signal: "USR2", retire: "QUIT", pidFile, timeoutMs: 1_000 } as const;
    const error = await rejection(restart(spec, hostEffects(dir.path), signal));
    expect(error).toMatchObject({ code: "restart-timeout" });
    expect(error.message).toContain(`no successor of process ${child.pid} stood in ${pidFile}`);
    expect(await runs(Number(await readFile(join(dir.path, "successor"), "utf8")))).toBe(false);
    expect(await runs(child.pid)).toBe(true);
  } finally {
    process.kill(-child.pid, "SIGKILL");
    await child.exited;
  }
});
