import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { HOOK_MS, TEST_MS } from "../harness/fleet_patience.ts";
import { withFleet, type Fleet } from "../harness/fleet.ts";
import { freePort } from "../harness/ports.ts";
import { startNginx } from "../harness/nginx.ts";
import { sharedZooKeeper, type SharedZooKeeper } from "../harness/shared_zookeeper.ts";

let zookeeper: SharedZooKeeper;
beforeAll(async () => void (zookeeper = await sharedZooKeeper()), HOOK_MS);
afterAll(() => zookeeper.stop(), HOOK_MS);

/** A site of plain files. It brings no deployd.toml: that host knows how nginx is told. */
async function addPages(fleet: Fleet, id: string, page = `the page of ${id}`): Promise<void> {
  const tree = join(fleet.dir, "trees", id);
  await mkdir(join(tree, "assets"), { recursive: true });
  await writeFile(join(tree, "index.html"), `${page}\n`);
  await writeFile(join(tree, "assets", "app.js"), `console.log("${id}");\n`);
  await fleet.addBuild(await fleet.pack(tree, id));
}

async function nginxFleet(pidFiles: (pidFile: string) => string[], body: (fleet: Fleet, pid: number) => Promise<void>) {
  const port = await freePort();
  await withFleet({ hosts: 0, zookeeper: zookeeper.connectString, started: false }, async (fleet) => {
    const dir = join(fleet.dir, "nginx");
    const root = join(fleet.dir, "web-1", "srv", "web");
    await using nginx = await startNginx(dir, join(root, "current"), port);
    await fleet.addHost("web-1", {
      port,
      section: `pid_files = ${JSON.stringify(pidFiles(nginx.pidFile))}`,
      bottom: `[services.web.restart]
by = "signal"
signal = "HUP"
pid_file = "${nginx.pidFile}"

[services.web.check]
http = "http://127.0.0.1:\${PORT}/"
expect_body = "the page of \${DEPLOYD_BUILD}"
interval_s = 0.05
deadline_s = 2
`,
    });
    await fleet.begin(true);
    await body(fleet, nginx.pid);
  });
}

test(
  "nginx serves each build of a site as it comes and goes, and is never restarted",
  async () => {
    await nginxFleet(
      (pidFile) => [pidFile],
      async (fleet, pid) => {
        for (const id of ["v1", "v2"]) await addPages(fleet, id);
        const host = fleet.host(1);
        expect(await host.answer()).toStartWith("404");

        await fleet.ok("deploy", "web", "v1");
        expect(await host.answer()).toBe("200 the page of v1");
        expect(await host.answer("/assets/app.js")).toBe('200 console.log("v1");');

        await fleet.ok("deploy", "web", "v2");
        expect(await host.answer()).toBe("200 the page of v2");
        expect(await host.answer("/assets/app.js")).toBe('200 console.log("v2");');

        await fleet.ok("rollback", "web", "--why", "the other page was nicer");
        expect(await host.answer()).toBe("200 the page of v1");

        // Not the page that was promised: the check sees it, and the host goes back.
        await addPages(fleet, "v3", "an empty template");
        await fleet.exits(3, "deploy", "web", "v3");
        expect(await host.answer()).toBe("200 the page of v1");
        expect(process.kill(pid, 0)).toBe(true);
      },
    );
  },
  TEST_MS,
);

test(
  "a pid file outside the service's directory is signalled only when the host's own file allows it",
  async () => {
    await nginxFleet(
      () => [],
      async (fleet) => {
        await addPages(fleet, "v1");
        const { stdout } = await fleet.exits(3, "deploy", "web", "v1");
        expect(stdout).toContain("nginx.pid: the file is outside");
        expect(await fleet.host(1).answer()).toStartWith("404");
      },
    );
  },
  TEST_MS,
);
