import { afterAll, beforeAll, expect, test } from "bun:test";
import { chown, link, lstat, mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { userByName } from "../../src/host/users.ts";
import { withFleet, type Fleet } from "../harness/fleet.ts";
import type { FleetHost } from "../harness/fleet_host.ts";
import { eventually } from "../harness/eventually.ts";
import { HOOK_MS, TEST_MS } from "../harness/fleet_patience.ts";
import { answerOf, type Site } from "../harness/site.ts";
import { sharedZooKeeper, type SharedZooKeeper } from "../harness/shared_zookeeper.ts";

let zookeeper: SharedZooKeeper;
beforeAll(async () => void (zookeeper = await sharedZooKeeper()), HOOK_MS);
afterAll(() => zookeeper.stop(), HOOK_MS);

const isRoot = process.getuid?.() === 0;
const NODE = Bun.which("node") ?? process.execPath;
const FORMER = "nobody";
const NEXT = "daemon";

const v1: Site = { id: "v1", install: ['echo state > "$DEPLOYD_SHARED/run/state"'] };
/** It adds to what the build before has left, as its own user, in its install step and when it is started. */
const v2: Site = {
  id: "v2",
  install: ['echo more >> "$DEPLOYD_SHARED/run/state"'],
  beforeStart: 'echo began >> "$DEPLOYD_SHARED/run/state" || exit 9',
};

async function becomes(host: FleetHost, name: string): Promise<void> {
  const text = await readFile(host.config, "utf8");
  await writeFile(host.config, text.replace(/run_as = ".*"/, `run_as = "${name}"`));
}

async function pidOf(host: FleetHost): Promise<number> {
  return Number(await readFile(join(host.root, "shared", "run", "pid"), "utf8"));
}

async function uidOfService(host: FleetHost): Promise<number> {
  return (await stat(`/proc/${await pidOf(host)}`)).uid;
}

/** Entries, links themselves among them, and whose they are. */
async function owners(directory: string): Promise<Record<string, number>> {
  const names = (await readdir(directory, { recursive: true })).toSorted();
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, (await lstat(join(directory, name))).uid] as const)),
  );
}

async function serving(body: (fleet: Fleet, host: FleetHost) => Promise<void>): Promise<void> {
  await withFleet({ hosts: 1, zookeeper: zookeeper.connectString }, async (fleet) => {
    await fleet.addSite(v1);
    await fleet.addSite(v2);
    await fleet.ok("deploy", "web", "v1");
    await body(fleet, fleet.host(1));
  });
}

async function problemOf(host: FleetHost): Promise<string> {
  const answer = await fetch(`${await host.statusUrl()}/status`, { headers: { accept: "application/json" } });
  return answer.text();
}

test.if(isRoot)(
  "what the former user has left is the new one's, and nothing that it leads to",
  async () => {
    await serving(async (fleet, host) => {
      const [former, next] = [userByName(FORMER), userByName(NEXT)];
      await host.stop();
      process.kill(await pidOf(host), "SIGKILL");

      // Outside: what the former user and root have there, and what hangs on it by links of both kinds.
      const outside = join(fleet.dir, "outside");
      const run = join(host.root, "shared", "run");
      await mkdir(join(outside, "deep"), { recursive: true });
      for (const name of ["theirs", "deep/theirs", "root"]) await writeFile(join(outside, name), "precious");
      for (const name of ["", "theirs", "deep", "deep/theirs"])
        await chown(join(outside, name), former.uid, former.gid);
      await mkdir(join(run, "swapped"));
      await writeFile(join(run, "swapped", "theirs"), "mine");
      await mkdir(join(run, "deep"));
      await writeFile(join(run, "deep", "mine"), "mine");
      await writeFile(join(run, "suid"), "#!/bin/sh\n", { mode: 0o755 });
      for (const name of ["swapped", "swapped/theirs", "deep", "deep/mine", "suid"]) {
        await chown(join(run, name), former.uid, former.gid);
      }
      Bun.spawnSync(["chmod", "4755", join(run, "suid")]);
      await symlink(outside, join(run, "link"));
      await symlink(join(outside, "theirs"), join(run, "file-link"));
      await link(join(outside, "theirs"), join(run, "hard"));
      await link(join(outside, "root"), join(run, "hard-root"));
      await writeFile(join(run, "of-root"), "root's");
      const before = await owners(outside);
      const swapper = Bun.spawn(
        ["setpriv", `--reuid=${former.uid}`, `--regid=${former.gid}`, "--clear-groups", "--"].concat(
          NODE,
          join(import.meta.dir, "../harness/swapper.mjs"),
          join(run, "swapped"),
          outside,
        ),
        { stdio: ["ignore", "ignore", "inherit"] },
      );
      try {
        await becomes(host, NEXT);
        await host.start();
        await fleet.serves(v1);
      } finally {
        swapper.kill("SIGKILL");
        await swapper.exited;
      }
      expect(await uidOfService(host)).toBe(next.uid);
      expect(await owners(outside)).toEqual(before);
      const now = await owners(run);
      expect(now).toMatchObject({
        state: next.uid,
        pid: next.uid,
        deep: next.uid,
        "deep/mine": next.uid,
        suid: next.uid,
        hard: former.uid,
        "hard-root": 0,
        "of-root": 0,
      });
      expect((await stat(join(run, "suid"))).mode & 0o6000).toBe(0);
      // What stays the former one's may keep the service from its work, so it is told, with what to do.
      const told = await problemOf(host);
      expect(told).toContain(join(run, "hard"));
      expect(told).toContain("chown");

      await fleet.ok("deploy", "web", "v2");
      expect(await fleet.answers()).toEqual([answerOf(v2)]);
      expect(await readFile(join(run, "state"), "utf8")).toBe("state\nmore\nbegan\n");
      expect((await stat(join(host.root, "releases", "v1"))).uid).toBe(next.uid);
    });
  },
  TEST_MS,
);

test.if(isRoot)(
  "a service that runs as its former user goes on until it is restarted, and comes back as the new one",
  async () => {
    await serving(async (fleet, host) => {
      const old = await pidOf(host);
      await host.stop();
      await becomes(host, NEXT);
      await host.start();
      await eventually(async () => (await problemOf(host)).includes("still runs as its former user"));
      expect(await pidOf(host)).toBe(old);
      // The home that was made for the former user, in which the step before the restart wants to write.
      const home = join(host.root, "home");
      expect((await stat(home)).uid).toBe(userByName(NEXT).uid);
      await fleet.addSite({ id: "v3", install: [`test "$HOME" = ${home} && touch "$HOME/.npmrc"`] });
      await fleet.ok("deploy", "web", "v3");
      expect(await fleet.answers()).toEqual(["200 page of v3"]);
      expect(await uidOfService(host)).toBe(userByName(NEXT).uid);
      expect(await problemOf(host)).not.toContain("former user");
      await eventually(() =>
        stat(`/proc/${old}/exe`).then(
          () => false,
          () => true,
        ),
      );
      expect((await stat(join(host.root, "shared", "run", "state"))).uid).toBe(userByName(NEXT).uid);
    });
  },
  TEST_MS,
);

test.if(isRoot)(
  "what root has left is given to nobody, and told",
  async () => {
    const host = (): object => ({ runAs: "root" });
    await withFleet({ hosts: 1, zookeeper: zookeeper.connectString, host }, async (fleet) => {
      const web = fleet.host(1);
      await fleet.addSite(v1);
      await fleet.addSite(v2);
      await fleet.ok("deploy", "web", "v1");
      await web.stop();
      process.kill(await pidOf(web), "SIGKILL");
      await becomes(web, NEXT);
      await web.start();
      await eventually(async () => (await problemOf(web)).includes("chown -hR --from=root daemon:"));
      expect((await stat(join(web.root, "shared", "run"))).uid).toBe(0);
      Bun.spawnSync(["chown", "-hR", "--from=root", `${NEXT}:`, join(web.root, "shared", "run")]);
      await fleet.ok("deploy", "web", "v2");
      expect(await fleet.answers()).toEqual([answerOf(v2)]);
      expect(await uidOfService(web)).toBe(userByName(NEXT).uid);
    });
  },
  TEST_MS,
);
