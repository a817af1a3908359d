import { afterAll, beforeAll, expect, test } from "bun:test";
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { startConnects } from "../restart/connects.ts";
import { HOOK_MS, TEST_MS } from "../harness/fleet_patience.ts";
import { withFleet, type Fleet } from "../harness/fleet.ts";
import { run } from "../harness/fleet_program.ts";
import { sharedZooKeeper, type SharedZooKeeper } from "../harness/shared_zookeeper.ts";

/*
 * A service whose builds bring their own nginx, which changes to the next build by USR2: its master starts another from
 * `current`, and goes when that one has proven to live.
 */

let zookeeper: SharedZooKeeper;
beforeAll(async () => void (zookeeper = await sharedZooKeeper()), HOOK_MS);
afterAll(() => zookeeper.stop(), HOOK_MS);

const FIRST_START = `by = "command"
start = '"$DEPLOYD_CURRENT/bin/nginx" -e "$DEPLOYD_SHARED/run/error.log" -p "$DEPLOYD_SHARED/run" -c "$DEPLOYD_CURRENT/nginx.conf"'
`;
const HANDOVER = `by = "signal"
signal = "USR2"
retire = "QUIT"
pid_file = "\${DEPLOYD_SHARED}/run/nginx.pid"
timeout_s = 10
`;

/** nginx reads `current/nginx.conf` by the path that it was started with; `program` is what stands at bin/nginx. */
async function addNginx(fleet: Fleet, id: string, restart: string, program: string | null = null): Promise<void> {
  const tree = join(fleet.dir, "trees", id);
  await mkdir(join(tree, "bin"), { recursive: true });
  if (program === null) await copyFile("/usr/sbin/nginx", join(tree, "bin/nginx"));
  else await writeFile(join(tree, "bin/nginx"), program, { mode: 0o755 });
  const host = fleet.host(1);
  const shared = join(host.root, "shared", "run");
  const temps = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  await writeFile(
    join(tree, "nginx.conf"),
    `worker_processes 2;
pid ${shared}/nginx.pid;
error_log ${shared}/error.log;
events { worker_connections 64; }
http {
  access_log off;
  ${temps.map((name) => `${name}_temp_path ${shared}/${name};`).join("\n  ")}
  server {
    listen 127.0.0.1:${host.port};
    location / { return 200 "page of ${id}\\n"; }
  }
}
`,
  );
  await writeFile(
    join(tree, "deployd.toml"),
    `[install]
shared = ["run"]

[restart]
${restart}
[check]
http = "http://127.0.0.1:\${PORT}/"
interval_s = 0.05
deadline_s = 10
successes = 2
`,
  );
  await fleet.addBuild(await fleet.pack(tree, id));
}

test(
  "a service goes on to the next build by USR2 with nobody refused, and stays as it is when that build does not start",
  async () => {
    await withFleet({ hosts: 1, zookeeper: zookeeper.connectString }, async (fleet) => {
      const host = fleet.host(1);
      const pid = async (): Promise<string> =>
        (await readFile(join(host.root, "shared", "run", "nginx.pid"), "utf8")).trim();
      await addNginx(fleet, "v1", FIRST_START);
      await fleet.ok("deploy", "web", "v1");
      const first = await pid();

      const connects = await startConnects(fleet.dir, host.port, async (argv) => {
        const { stdout, stderr } = await run(argv, { timeoutMs: TEST_MS });
        return { output: stdout === "" ? stderr : stdout };
      });
      await addNginx(fleet, "v2", HANDOVER);
      await fleet.ok("deploy", "web", "v2");
      expect(await host.answer()).toBe("200 page of v2");
      const second = await pid();
      expect(second).not.toBe(first);
      // The old one was told to go, and is gone; its number may stay taken for as long as process 1 likes.
      expect(await readFile(`/proc/${first}/cmdline`, "utf8").catch(() => "")).toBe("");

      await addNginx(fleet, "v3", HANDOVER, "#!/bin/sh\nexit 1\n");
      const { stdout } = await fleet.exits(3, "deploy", "web", "v3");
      expect(stdout).toContain("Cannot hand over with USR2");
      expect(stdout).toContain('The host went back to "v2" and is healthy');
      expect(await host.answer()).toBe("200 page of v2");
      // Not merely another of the same build: the very process.
      expect(await pid()).toBe(second);
      const seen = await connects.stop();
      expect(seen).toEqual({ answered: seen.answered, refused: 0, broken: 0 });
      expect(seen.answered).toBeGreaterThan(200);
    });
  },
  TEST_MS,
);
