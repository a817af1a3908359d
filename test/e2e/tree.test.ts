import { expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { eventually } from "../harness/eventually.ts";
import { TEST_MS } from "../harness/fleet_patience.ts";
import { deploydBinary } from "../harness/binary.ts";
import { withFleet } from "../harness/fleet.ts";
import { killProcessesOf, killQuietly, processesOf } from "../harness/fleet_leftovers.ts";
import { run } from "../harness/fleet_program.ts";
import { freePort } from "../harness/ports.ts";
import { tempDir } from "../harness/tempdir.ts";
import { sharedZooKeeper } from "../harness/shared_zookeeper.ts";

const zkCli = "/usr/share/zookeeper/bin/zkCli.sh";

/** The paths that Apache's own client lists below `path`, without that prefix, and with ids for what has random ones. */
async function listed(zookeeper: string, path: string): Promise<string[]> {
  const { stdout, code, stderr } = await run([zkCli, "-server", zookeeper, "ls", "-R", path]);
  if (code !== 0) throw new Error(`zkCli.sh exited with ${code}: ${stderr}`);
  return stdout
    .split("\n")
    .filter((line) => line === path || line.startsWith(`${path}/`))
    .map((line) => line.slice(path.length))
    .map((line) =>
      line.replace(/\/(deploys|timelines)\/\d{8}-\d{6}-\w+/, "/$1/ID").replace(/candidate-\S+/, "candidate-N"),
    );
}

/** The tree of one service with one host and one finished deploy of one build (docs/design, "The tree in ZooKeeper"). */
function treeOf(host: string, ...builds: readonly string[]): string[] {
  return [
    "",
    "/agents",
    `/agents/${host}`,
    "/conductor",
    "/conductor/candidate-N",
    "/services",
    "/services/web",
    "/services/web/builds",
    ...builds.map((build) => `/services/web/builds/${build}`),
    "/services/web/deploys",
    "/services/web/deploys/ID",
    "/services/web/enabled",
    "/services/web/failed",
    "/services/web/gate",
    "/services/web/hosts",
    `/services/web/hosts/${host}`,
    "/services/web/slots",
    "/services/web/status",
    `/services/web/status/${host}`,
    "/services/web/timelines",
    "/services/web/timelines/ID",
  ];
}

test(
  "the tree in Apache ZooKeeper is the documented one, read with Apache's own client",
  async () => {
    await using zookeeper = await sharedZooKeeper();
    await withFleet({ hosts: 1, zookeeper: zookeeper.connectString }, async (fleet) => {
      await fleet.addSite({ id: "v1" });
      await fleet.ok("deploy", "web", "v1");
      expect((await listed(fleet.zookeeper, fleet.chroot)).toSorted()).toEqual(treeOf("web-1", "v1").toSorted());
      await fleet.addSite({ id: "v2" });
      await fleet.ok("hosts", "role", "web", "web-1", "canary");
      await fleet.ok("deploy", "web", "v2", "--canary");
      expect(await listed(fleet.zookeeper, fleet.chroot)).toContain("/services/web/enabled/canary");
    });
  },
  TEST_MS,
);

test(
  "the tree in the server of deployd dev is the same, read with the same client",
  async () => {
    const port = await freePort();
    await using dir = await tempDir();
    const dev = Bun.spawn([await deploydBinary(), "dev", "--hosts", "1", "--zookeeper-port", String(port)], {
      cwd: dir.path,
      env: { PATH: "/usr/bin:/bin", TMPDIR: dir.path, TERM: "xterm" },
      // A terminal keeps it open; the pseudo-terminal is only there for that.
      terminal: { cols: 80, rows: 24, data: () => {} },
    });
    try {
      const address = `127.0.0.1:${port}`;
      const env = { DEPLOYD_ZOOKEEPER: address };
      const ctl = async (...args: string[]) => run([await deploydBinary(), "ctl", ...args], { env });
      await eventually(async () => (await ctl("builds", "list", "web")).stdout.includes("v3"));
      const deployed = await ctl("deploy", "web", "v1");
      expect({ code: deployed.code, stderr: deployed.stderr }).toEqual({ code: 0, stderr: "" });
      expect((await listed(address, "/deployd")).toSorted()).toEqual(treeOf("web-01", "v1", "v2", "v3").toSorted());
      // Ended as a person ends it, it takes everything along.
      killQuietly(dev.pid, "SIGINT");
      await dev.exited;
      await eventually(() => processesOf(dir.path).length === 0);
      expect(await readdir(dir.path)).toEqual([]);
    } finally {
      killQuietly(dev.pid);
      await killProcessesOf(dir.path);
    }
  },
  TEST_MS,
);
