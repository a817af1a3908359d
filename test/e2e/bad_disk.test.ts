import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { HOOK_MS, TEST_MS } from "../harness/fleet_patience.ts";
import { withFleet } from "../harness/fleet.ts";
import { answerOf, writeSite, type Site } from "../harness/site.ts";
import { mountTmpfs } from "../harness/tmpfs.ts";
import { sharedZooKeeper, type SharedZooKeeper } from "../harness/shared_zookeeper.ts";

let zookeeper: SharedZooKeeper;
beforeAll(async () => void (zookeeper = await sharedZooKeeper()), HOOK_MS);
afterAll(() => zookeeper.stop(), HOOK_MS);

/** A host that gives a download up at once. */
const impatient = () => ({ bottom: "[limits]\nfetch_attempts = 1" });

const v1: Site = { id: "v1" };
const v2: Site = { id: "v2" };

interface Shown {
  readonly hosts: readonly { readonly error: { readonly code: string; readonly message: string } | null }[];
}

test(
  "a current that is a real directory is left alone, and said",
  async () => {
    await withFleet({ hosts: 1, zookeeper: zookeeper.connectString }, async (fleet) => {
      const current = join(fleet.host(1).root, "current");
      await mkdir(current, { recursive: true });
      await writeFile(join(current, "precious.txt"), "not yours");
      await fleet.addSite(v1);
      await fleet.exits(3, "deploy", "web", "v1");
      const { hosts } = await fleet.json<Shown>("status", "web");
      expect(hosts[0]?.error?.code).toBe("current-not-a-link");
      expect(hosts[0]?.error?.message).toContain("current is a directory");
      expect(await readFile(join(current, "precious.txt"), "utf8")).toBe("not yours");

      await rm(current, { recursive: true });
      await fleet.ok("deploy", "web", "v1");
      expect(await fleet.answers()).toEqual([answerOf(v1)]);
    });
  },
  TEST_MS,
);

// Only root may mount; the same refusal is tested without a mount in test/fetch and test/host.
test.if(process.getuid?.() === 0)(
  "a full disk stops a build before and while it is unpacked, and never the running service",
  async () => {
    await withFleet(
      { hosts: 1, zookeeper: zookeeper.connectString, host: impatient, started: false },
      async (fleet) => {
        const root = join(fleet.host(1).root, "..");
        await using _mount = await mountTmpfs(root, "size=110m");
        await fleet.begin(true);
        await fleet.addSite(v1);
        await fleet.addSite(v2);
        await fleet.ok("deploy", "web", "v1");

        const filler = join(root, "filler");
        await writeFile(filler, Buffer.alloc(60 * 1024 * 1024));
        await fleet.exits(3, "deploy", "web", "v2");
        const before = (await fleet.json<Shown>("status", "web")).hosts[0]?.error;
        expect(before?.code).toBe("disk-full");
        expect(before?.message).toMatch(/it needs \d+ bytes and 67108864 to spare, and \d+ are free/);
        expect(await fleet.answers()).toEqual([answerOf(v1)]);
        await rm(filler);

        // Nobody has counted what it unpacks to, so the disk is full only when it is.
        const tree = join(fleet.dir, "trees", "huge");
        await writeSite({ id: "huge", files: { "zeros.bin": "\0".repeat(150 * 1024 * 1024) } }, tree);
        const huge = join(fleet.dir, "huge.tar.zst");
        expect(Bun.spawnSync(["sh", "-c", 'tar -c -C "$1" . | zstd -q -o "$2"', "sh", tree, huge]).exitCode).toBe(0);
        expect((await stat(huge)).size).toBeLessThan(1024 * 1024);
        await fleet.addUnread("huge", huge);
        await fleet.exits(3, "deploy", "web", "huge");
        const during = (await fleet.json<Shown>("status", "web")).hosts[0]?.error;
        expect(during?.code).toBe("disk-full");
        expect(await fleet.answers()).toEqual([answerOf(v1)]);

        // With room again the next deploy finds nothing in its way.
        await fleet.ok("deploy", "web", "v2");
        expect(await fleet.answers()).toEqual([answerOf(v2)]);
      },
    );
  },
  TEST_MS,
);
