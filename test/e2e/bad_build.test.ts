import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { archive, file } from "../evil/tar_builder.ts";
import { eventually } from "../harness/eventually.ts";
import { HOOK_MS, TEST_MS } from "../harness/fleet_patience.ts";
import { withFleet, type Fleet } from "../harness/fleet.ts";
import { freePort } from "../harness/ports.ts";
import { answerOf, writeSite, type Site } from "../harness/site.ts";
import { sharedZooKeeper, type SharedZooKeeper } from "../harness/shared_zookeeper.ts";

let zookeeper: SharedZooKeeper;
beforeAll(async () => void (zookeeper = await sharedZooKeeper()), HOOK_MS);
afterAll(() => zookeeper.stop(), HOOK_MS);

/** A host that gives a download up at once. */
const impatient = () => ({ bottom: "[limits]\nfetch_attempts = 1" });

const good: Site = { id: "good" };

/** A host that serves a good build. */
async function servingFleet(body: (fleet: Fleet) => Promise<void>): Promise<void> {
  await withFleet({ hosts: 1, zookeeper: zookeeper.connectString, host: impatient }, async (fleet) => {
    await fleet.addSite(good);
    await fleet.ok("deploy", "web", "good");
    expect(await fleet.answers()).toEqual([answerOf(good)]);
    await body(fleet);
  });
}

/** Adds an archive whose digest and size are right, whatever is in it. */
async function addArchive(fleet: Fleet, id: string, bytes: Uint8Array): Promise<void> {
  await mkdir(join(fleet.dir, "builds"), { recursive: true });
  const path = join(fleet.dir, "builds", `${id}.tar`);
  await writeFile(path, bytes);
  await fleet.addUnread(id, path);
}

/** Packs a site with tar: nobody has read its deployd.toml before the host. */
async function addUnchecked(fleet: Fleet, site: Site): Promise<void> {
  const tree = join(fleet.dir, "trees", site.id);
  await writeSite(site, tree);
  const tar = Bun.spawnSync(["tar", "-c", "-C", tree, "."]);
  await addArchive(fleet, site.id, tar.stdout);
}

interface Case {
  readonly what: string;
  readonly add: (fleet: Fleet, id: string) => Promise<void>;
  readonly code: string;
  readonly says: readonly (string | RegExp)[];
}

const cases: readonly Case[] = [
  {
    what: "a deployd.toml with an unknown key",
    add: (fleet, id) =>
      addUnchecked(fleet, { id, recipe: '[restart]\nby = "command"\nstart = "true"\nstpo = "true"\n' }),
    code: "recipe-invalid",
    says: ['unknown key "restart.stpo"; did you mean "stop"?', "deployd.toml"],
  },
  {
    what: "no deployd.toml, and nothing about the service in agent.toml",
    add: (fleet, id) => addUnchecked(fleet, { id, recipe: null }),
    code: "recipe-invalid",
    says: ["it brings no deployd.toml"],
  },
  {
    what: "a link in the place of deployd.toml",
    add: async (fleet, id) => {
      const tree = join(fleet.dir, "trees", id);
      await writeSite({ id, recipe: null }, tree);
      await writeFile(join(tree, "other.toml"), "");
      await symlink("other.toml", join(tree, "deployd.toml"));
      await addArchive(fleet, id, Bun.spawnSync(["tar", "-c", "-C", tree, "."]).stdout);
    },
    code: "recipe-invalid",
    says: ["it is a link"],
  },
  {
    what: "a directory in the place of deployd.toml",
    add: (fleet, id) => addUnchecked(fleet, { id, recipe: null, files: { "deployd.toml/x": "x" } }),
    code: "recipe-invalid",
    says: ["it is a directory"],
  },
  {
    what: "a deployd.toml of 1.5 MB with 200,000 keys",
    add: (fleet, id) =>
      addUnchecked(fleet, { id, recipe: Array.from({ length: 200_000 }, (_, at) => `k${at}=1`).join("\n") }),
    code: "recipe-invalid",
    says: [/it has \d+ bytes, and a recipe at most 65536/],
  },
  {
    what: "shared paths that cannot be",
    add: (fleet, id) =>
      addUnchecked(fleet, {
        id,
        recipe: `[install]\nshared = ["a\\u0000b", "${"x".repeat(300)}", "/etc", "deployd.toml"]\n`,
      }),
    code: "recipe-invalid",
    says: ["control character", "255 bytes", "relative", "own recipe"],
  },
  {
    what: "another digest than ZooKeeper says",
    add: async (fleet, id) => {
      const path = join(fleet.dir, "builds", "good.tar.zst");
      const { size } = await stat(path);
      await fleet.writeBuild(id, { url: `file://${path}`, digest: `sha256:${"ab".repeat(32)}`, size });
    },
    code: "digest-mismatch",
    says: ["expected sha256 abababab", /got [0-9a-f]{12}/],
  },
  {
    what: "an archive that ends in the middle, with the digest of just that",
    add: async (fleet, id) => {
      const bytes = await readFile(join(fleet.dir, "builds", "good.tar.zst"));
      await addArchive(fleet, id, bytes.subarray(0, bytes.length - 40));
    },
    code: "archive-invalid",
    says: ["Cannot unpack the archive"],
  },
  {
    what: "an archive with a path out of the release",
    add: (fleet, id) => addArchive(fleet, id, archive(file("../../evil", "evil"), file("page.txt", "x"))),
    code: "archive-hostile",
    says: ["../../evil", "refused"],
  },
  {
    what: "an install step that fails",
    add: (fleet, id) =>
      fleet.addSite({ id, installAttempts: 1, install: ["true", "echo the disk is on fire; exit 3"] }),
    code: "install-failed",
    says: ["step 2 of 2", "exited with 3", "the disk is on fire"],
  },
  {
    what: "an install step that hangs",
    add: (fleet, id) => fleet.addSite({ id, installTimeoutS: 0.5, install: ["echo begun; sleep 1000"] }),
    code: "install-timeout",
    says: ["was not done after 500 ms", "begun"],
  },
  {
    what: "a service that never comes up because its port is taken",
    add: async (fleet, id) => {
      const port = (blocker.address() as { port: number }).port;
      await fleet.addSite({ id, beforeStart: `export PORT=${port}`, checkDeadlineS: 1 });
    },
    code: "check-failed",
    says: ["went back to", "good", /ECONNREFUSED|refused|connect/i],
  },
  {
    what: "a start command that fails",
    add: (fleet, id) => fleet.addSite({ id, beforeStart: "echo no such interpreter >&2; exit 127" }),
    code: "restart-failed",
    says: ["went back to", "exited with 127", "no such interpreter"],
  },
];

const blocker = createServer();
beforeAll(async () => {
  const port = await freePort();
  await new Promise<void>((resolve) => blocker.listen(port, "127.0.0.1", resolve));
}, TEST_MS);
afterAll(() => void blocker.close());

interface Shown {
  readonly hosts: readonly {
    readonly error: { readonly code: string; readonly message: string; readonly hint: string } | null;
    readonly log: string;
  }[];
}

// They wait most of the time. Each has a fleet of its own.
test.concurrent(
  "what is wrong with a build is said where people look, and the running service is untouched",
  async () => {
    await servingFleet(async (fleet) => {
      for (const [number, { what, add, code, says }] of cases.entries()) {
        const id = `bad-${number}`;
        await add(fleet, id);
        const told = await fleet.exits(3, "deploy", "web", id);
        const { hosts } = await fleet.json<Shown>("status", "web");
        const { error, log } = hosts[0] ?? { error: null, log: "" };
        expect({ what, code: error?.code }).toEqual({ what, code });
        for (const part of says) expect(`${what}: ${error?.message}\n${error?.hint}\n${log}`).toMatch(part);
        // Who deployed it sees it at once, without asking.
        expect(told.stdout).toContain(error?.message.replaceAll(/\s+/g, " ") ?? "a message");
        expect({ what, answers: await fleet.answers() }).toEqual({ what, answers: [answerOf(good)] });
        // What was downloaded and unpacked for it is gone, without waiting for a build that is better.
        await eventually(async () => !(await readdir(fleet.host(1).root)).some((name) => name.startsWith(".staging")));
      }
    });
  },
  TEST_MS,
);

test.concurrent(
  "of an install step that prints hundreds of megabytes a megabyte is kept",
  async () => {
    await servingFleet(async (fleet) => {
      const install = ["yes 'all work and no play' | head -c 300000000; echo the end"];
      const loud: Site = { id: "loud", install, installTimeoutS: 300 };
      await fleet.addSite(loud);
      await fleet.ok("deploy", "web", "loud");
      expect(await fleet.answers()).toEqual([answerOf(loud)]);
      const log = await readFile(join(fleet.host(1).root, "log", "loud", "install.log"), "utf8");
      expect(log.length).toBeLessThan(1_100_000);
      expect(log).toContain("output cut at 1048576 bytes");
      expect(log).toEndWith("300000008 bytes were written in all\n");
    });
  },
  TEST_MS,
);

test.concurrent(
  "a path in an archive that leads outside writes nothing there",
  async () => {
    await servingFleet(async (fleet) => {
      for (const up of [1, 2, 3, 4]) {
        await addArchive(fleet, `evil-${up}`, archive(file(`${"../".repeat(up)}evil`, "evil")));
        await fleet.exits(3, "deploy", "web", `evil-${up}`);
      }
      const found = await Array.fromAsync(
        new Bun.Glob("**/evil").scan({ cwd: fleet.dir, dot: true, onlyFiles: false }),
      );
      expect(found).toEqual([]);
      expect(await fleet.answers()).toEqual([answerOf(good)]);
    });
  },
  TEST_MS,
);

test.concurrent(
  "an archive in one top directory, or padded with zeros, is told of when it is added, and serves as it was meant",
  async () => {
    await servingFleet(async (fleet) => {
      const pack = async (site: Site, how: string): Promise<string> => {
        await writeSite(site, join(fleet.dir, "trees", site.id));
        const path = join(fleet.dir, "builds", `${site.id}.tgz`);
        const made = Bun.spawnSync(["sh", "-euc", how, "sh", path, site.id], { cwd: join(fleet.dir, "trees") });
        if (made.exitCode !== 0) throw new Error(made.stderr.toString());
        return path;
      };
      const lower: Site = { id: "lower" };
      const path = await pack(lower, 'tar -czf "$1" "$2"');
      const refused = await fleet.exits(64, "builds", "add", "web", path, "--build", "lower");
      expect(refused.stderr).toContain("Leave that directory out with --strip 1");
      await fleet.ok("builds", "add", "web", path, "--build", "lower", "--strip", "1");
      const other = await fleet.exits(1, "builds", "add", "web", path, "--build", "lower", "--strip", "0");
      expect(other.stderr).toContain("without its top directory stripped: it exists with");
      await fleet.ok("deploy", "web", "lower");
      expect(await fleet.answers()).toEqual([answerOf(lower)]);

      const padded: Site = { id: "padded" };
      const how = 'sed -i "1i strip = 1" "$2/deployd.toml"; bsdtar -czf - "$2" | cat > "$1"';
      await fleet.ok("builds", "add", "web", await pack(padded, how), "--build", "padded");
      await fleet.ok("deploy", "web", "padded");
      expect(await fleet.answers()).toEqual([answerOf(padded)]);
    });
  },
  TEST_MS,
);

test.concurrent(
  "a deployd.toml with an unknown key is not even packed",
  async () => {
    await withFleet({ hosts: 0, zookeeper: zookeeper.connectString, started: false }, async (fleet) => {
      const tree = join(fleet.dir, "tree");
      await writeSite({ id: "bad", recipe: '[chekc]\nhttp = "http://127.0.0.1/"\n' }, tree);
      const { code, stderr } = await fleet.deployd(["pack", tree]);
      expect(code).toBe(64);
      expect(stderr).toContain('unknown key "chekc"; did you mean "check"?');
    });
  },
  TEST_MS,
);
