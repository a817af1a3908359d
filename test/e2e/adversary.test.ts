import { afterAll, beforeAll, expect, test } from "bun:test";
import { chmod, chown, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Fleet, withFleet } from "../harness/fleet.ts";
import { eventually } from "../harness/eventually.ts";
import { HOOK_MS, TEST_MS } from "../harness/fleet_patience.ts";
import { answerOf, writeSite, type Site } from "../harness/site.ts";
import { sharedZooKeeper, type SharedZooKeeper } from "../harness/shared_zookeeper.ts";

/*
 * The service's user against an agent that is root. What can be tried in a loop is tried a few times here; a release is
 * tried with ADVERSARY_ROUNDS=20.
 */

const ROUNDS = Number(process.env["ADVERSARY_ROUNDS"] ?? 2);
const isRoot = process.getuid?.() === 0;
const NODE = Bun.which("node") ?? process.execPath;

let zookeeper: SharedZooKeeper;
beforeAll(async () => void (zookeeper = await sharedZooKeeper()), HOOK_MS);
afterAll(() => zookeeper.stop(), HOOK_MS);

const asService = (...argv: readonly string[]): string[] =>
  ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--"].concat(argv);

/** A site whose release has a directory with much in it, and which shares much below a directory of its user's. */
async function addBuild(fleet: Fleet, id: string, shared: readonly string[]): Promise<void> {
  const tree = join(fleet.dir, "trees", id);
  const files = Object.fromEntries(Array.from({ length: 60 }, (_, at) => [`a/p${at}/file`, "text"]));
  await writeSite({ id, files }, tree);
  const path = join(tree, "deployd.toml");
  const text = await readFile(path, "utf8");
  const all = ["run", ...shared].map((each) => JSON.stringify(each)).join(", ");
  await writeFile(path, text.replace('shared = ["run"]', `shared = [${all}]`));
  await fleet.addBuild(await fleet.pack(tree, id));
}

/** Foreign files, as they are and whose. */
async function account(directory: string): Promise<string[]> {
  const names = await readdir(directory, { recursive: true });
  const lines = await Promise.all(
    ["", ...names].map(async (name) => {
      const { uid, mode } = await stat(join(directory, name));
      return `${name} of ${uid}, ${(mode & 0o7777).toString(8)}`;
    }),
  );
  return lines.toSorted();
}

test.if(isRoot)(
  "a service's user who rewrites recipes and swaps directories for links gets nothing done by root",
  async () => {
    await withFleet(
      { hosts: 1, zookeeper: zookeeper.connectString, host: () => ({ bottom: "[limits]\nreleases = 1" }) },
      async (fleet) => {
        const { root } = fleet.host(1);
        const victim = join(fleet.dir, "victim");
        for (let at = 0; at < 60; at += 1) await mkdir(join(victim, `p${at}`), { recursive: true });
        for (let at = 0; at < 60; at += 1) await writeFile(join(victim, `p${at}`, "file"), "precious");
        const before = await account(victim);

        await addBuild(fleet, "v0", ["d"]);
        await fleet.ok("deploy", "web", "v0");
        const adversary = Bun.spawn(asService(NODE, join(import.meta.dir, "../harness/adversary.mjs"), root, victim), {
          stdio: ["ignore", "inherit", "inherit"],
        });
        try {
          for (let round = 1; round <= ROUNDS; round += 1) {
            // In turns below what is shared already, and below a directory of the release.
            const shared = Array.from({ length: 60 }, (_, at) => (round % 2 === 0 ? `a/p${at}` : `d/r${round}p${at}`));
            await addBuild(fleet, `v${round}`, shared);
            // It may be refused, for the link that stood where a directory belongs.
            await fleet.ctl("deploy", "web", `v${round}`);
          }
        } finally {
          adversary.kill("SIGKILL");
          await adversary.exited;
        }
        expect(await account(victim)).toEqual(before);
        const inShared = await readdir(join(root, "shared", "d")).catch(() => readdir(join(root, "shared", "d.real")));
        expect(inShared.filter((name) => name.startsWith("obeyed"))).toEqual([]);

        // And left in peace, it serves.
        await addBuild(fleet, "last", []);
        await fleet.ok("deploy", "web", "last");
        expect(await fleet.answers()).toEqual(["200 page of last"]);
        await eventually(async () => !(await readdir(join(root, "releases"))).includes("v0"));
        expect(await account(victim)).toEqual(before);
      },
    );
  },
  TEST_MS * 2,
);

test.if(isRoot)(
  "what other users run, and who merely stands in a release, is no part of the service",
  async () => {
    await withFleet({ hosts: 1, zookeeper: zookeeper.connectString }, async (fleet) => {
      const v1: Site = { id: "v1" };
      const v2: Site = { id: "v2" };
      const [host] = [fleet.host(1)];
      await fleet.addSite(v1);
      await fleet.addSite(v2);
      await fleet.ok("deploy", "web", "v1");
      const release = join(host.root, "releases", "v1");
      const slashes = Array.from({ length: 10 }, () => "/".repeat(100_000));
      const strangers = [
        Bun.spawn(["setpriv", "--reuid=2002", "--clear-groups", "--", "sh", "-c", "sleep 300; true", `${release}/x`]),
        Bun.spawn(["sleep", "301"], { cwd: release }),
        Bun.spawn(asService("sleep", "302"), { cwd: release }),
        ...Array.from({ length: 60 }, () =>
          Bun.spawn(["setpriv", "--reuid=2002", "--clear-groups", "--", "sh", "-c", "sleep 303; true", ...slashes]),
        ),
      ];
      try {
        const url = await host.statusUrl();
        let slowestMs = 0;
        const watching = new AbortController();
        const watched = (async () => {
          while (!watching.signal.aborted) {
            const startedAt = performance.now();
            await fetch(`${url}/livez`);
            slowestMs = Math.max(slowestMs, performance.now() - startedAt);
            await Bun.sleep(20);
          }
        })();
        await fleet.ok("deploy", "web", "v2");
        expect(await fleet.answers()).toEqual([answerOf(v2)]);
        // A service that died is started again, whoever stands there.
        const pid = Number(await readFile(join(host.root, "shared", "run", "pid"), "utf8"));
        process.kill(pid, "SIGKILL");
        const standing = Bun.spawn(["sleep", "304"], { cwd: join(host.root, "current") });
        strangers.push(standing);
        await fleet.serves(v2);
        watching.abort();
        await watched;
        expect(slowestMs).toBeLessThan(5_000);
      } finally {
        for (const stranger of strangers) stranger.kill("SIGKILL");
        await Promise.all(strangers.map(({ exited }) => exited));
      }
    });
  },
  TEST_MS,
);

test.if(isRoot)(
  "a root that somebody else may write in is refused, at the start and when the file is checked",
  async () => {
    await withFleet({ hosts: 1, zookeeper: zookeeper.connectString, started: false }, async (fleet) => {
      const host = fleet.host(1);
      const above = join(host.root, "..");
      await mkdir(host.root, { recursive: true });
      const target = join(fleet.dir, "elsewhere");
      await mkdir(target);
      const cases: readonly [what: string, make: () => Promise<void>, undo: () => Promise<void>][] = [
        ["belongs to user", () => chown(host.root, 2002, 0), () => chown(host.root, 0, 0)],
        ["belongs to user", () => chown(above, 2002, 0), () => chown(above, 0, 0)],
        ["anybody may write", () => chmod(host.root, 0o777), () => chmod(host.root, 0o755)],
        ["group 2002 may write", () => asGroup(host.root, 2002, 0o775), () => asGroup(host.root, 0, 0o755)],
        [
          "belongs to user",
          async () => {
            await rm(host.root, { recursive: true });
            await chown(target, 2002, 0);
            await symlink(target, host.root);
          },
          async () => {
            await rm(host.root);
            await mkdir(host.root);
          },
        ],
        [
          "belongs to user",
          async () => {
            await mkdir(join(host.root, "log"));
            await chown(join(host.root, "log"), 2002, 0);
          },
          () => rm(join(host.root, "log"), { recursive: true }),
        ],
      ];
      for (const [what, make, undo] of cases) {
        await make();
        const { code, stderr } = await fleet.deployd(["agent", "--config", host.config, "--check"]);
        expect({ what, code, says: stderr.includes(what) }).toEqual({ what, code: 64, says: true });
        expect(stderr).toContain("chown root:");
        const doctor = await fleet.deployd(["doctor", "--config", host.config]);
        expect({ what, code: doctor.code, says: doctor.stdout.includes(what) }).toEqual({ what, code: 1, says: true });
        await undo();
        expect((await fleet.deployd(["agent", "--config", host.config, "--check"])).code).toBe(0);
      }

      // At the start it is the problem of that service, and the agent touches nothing of it.
      await fleet.ok("services", "set", "web", "--soak-s", "0.2");
      await fleet.addSite({ id: "v1" });
      await chown(host.root, 2002, 0);
      await host.start();
      const url = await host.statusUrl();
      await eventually(async () => (await (await fetch(`${url}/status`)).text()).includes("belongs to user 2002"));
      expect(await readdir(host.root)).toEqual([]);
      // Put right, it works without being started again.
      await chown(host.root, 0, 0);
      await eventually(async () => (await fleet.ctl("deploy", "web", "v1")).code === 0);
      expect(await fleet.answers()).toEqual(["200 page of v1"]);
    });
  },
  TEST_MS,
);

async function asGroup(path: string, gid: number, mode: number): Promise<void> {
  await chown(path, 0, gid);
  await chmod(path, mode);
}
