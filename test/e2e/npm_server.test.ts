import { afterAll, beforeAll, expect, test } from "bun:test";
import { cp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { HOOK_MS, TEST_MS } from "../harness/fleet_patience.ts";
import { withFleet, type Fleet } from "../harness/fleet.ts";
import { run } from "../harness/fleet_program.ts";
import { STOP_SITE } from "../harness/site.ts";
import { sharedZooKeeper, type SharedZooKeeper } from "../harness/shared_zookeeper.ts";

let zookeeper: SharedZooKeeper;
beforeAll(async () => void (zookeeper = await sharedZooKeeper()), HOOK_MS);
afterAll(() => zookeeper.stop(), HOOK_MS);

const RECIPE = `[install]
shared = ["run"]

[restart]
by = "command"
stop = '''${STOP_SITE}'''
start = '''
cd "$DEPLOYD_CURRENT"
"$NODE" node_modules/.bin/json-server --quiet --host 127.0.0.1 --port "$PORT" db.json >> "$DEPLOYD_SHARED/run/log" 2>&1 &
echo $! > "$DEPLOYD_SHARED/run/pid"
'''

[check]
http = "http://127.0.0.1:\${PORT}/build"
expect_body = '"\${DEPLOYD_BUILD}"'
interval_s = 0.1
deadline_s = 4
`;

/** json-server and all that it depends on, as npm installs it from the lock file beside this test. */
async function installed(fleet: Fleet): Promise<string> {
  const tree = join(fleet.dir, "json-server");
  await cp(join(import.meta.dir, "json-server"), tree, { recursive: true });
  // npm is set up by its environment, certificates of a proxy among it.
  const env = { ...process.env, HOME: process.env["HOME"] ?? fleet.dir };
  const argv = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline"];
  const { code, stderr } = await run(argv, { cwd: tree, env, timeoutMs: 100_000 });
  if (code !== 0) throw new Error(`npm ci exited with ${code}:\n${stderr}`);
  await writeFile(join(tree, "deployd.toml"), RECIPE);
  return tree;
}

async function build(fleet: Fleet, tree: string, id: string): Promise<void> {
  await writeFile(
    join(tree, "db.json"),
    JSON.stringify({ build: { id }, posts: [{ id: 1, title: `a post of ${id}` }] }),
  );
  await fleet.addBuild(await fleet.pack(tree, id));
}

test(
  "a server from npm goes out with the thousands of files of its node_modules, to the byte, and back",
  async () => {
    await withFleet({ hosts: 1, zookeeper: zookeeper.connectString }, async (fleet) => {
      const tree = await installed(fleet);
      await build(fleet, tree, "v1");

      const manifest: unknown = JSON.parse(
        await readFile(join(fleet.dir, "builds", "v1.tar.zst.manifest.json"), "utf8"),
      );
      const { entries } = manifest as { entries: number };
      expect(entries).toBeGreaterThan(2_000);
      const listed = await run([
        "sh",
        "-c",
        'zstd -dcq "$1" | tar -t | wc -l',
        "sh",
        join(fleet.dir, "builds", "v1.tar.zst"),
      ]);
      expect(Number(listed.stdout)).toBe(entries);

      await fleet.ok("deploy", "web", "v1");
      const post = () => fleet.host(1).answer("/posts/1");
      expect(await post()).toContain("a post of v1");
      const release = join(fleet.host(1).root, "releases", "v1");
      // `run` is the link into shared/ that the build asks for.
      const differences = await run(["diff", "-r", "--no-dereference", "--exclude=run", tree, release]);
      expect(differences.stdout + differences.stderr).toBe("");

      await build(fleet, tree, "v2");
      await fleet.ok("deploy", "web", "v2");
      expect(await post()).toContain("a post of v2");

      // One file of thousands is missing: the service does not come up, and the host says why and goes back.
      await rm(join(tree, "node_modules", "express", "index.js"));
      await build(fleet, tree, "v3");
      const { stdout } = await fleet.exits(3, "deploy", "web", "v3");
      expect(stdout).toContain('Cannot call "v3" healthy');
      expect(await post()).toContain("a post of v2");

      await fleet.ok("rollback", "web");
      expect(await post()).toContain("a post of v2");
    });
  },
  TEST_MS,
);
