import { afterAll, beforeAll, expect, test } from "bun:test";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { withFleet, type Fleet } from "../support/fleet.ts";
import { HOOK_MS, TEST_MS } from "../support/fleet_patience.ts";
import { answerOf, writeSite, type Site } from "../support/site.ts";
import { startZooKeeper, type RealZooKeeper } from "../support/zookeeper.ts";

/*
 * What an agent that is root fetches, asks and tells on behalf of a build.
 */

const isRoot = process.getuid?.() === 0;

let zookeeper: RealZooKeeper;
beforeAll(async () => void (zookeeper = await startZooKeeper()), HOOK_MS);
afterAll(() => zookeeper.stop(), HOOK_MS);

/** A build of the sample site whose deployd.toml is changed. */
async function addChanged(fleet: Fleet, site: Site, change: (manifest: string) => string): Promise<void> {
  const tree = join(fleet.dir, "trees", site.id);
  await writeSite(site, tree);
  const path = join(tree, "deployd.toml");
  await writeFile(path, change(await readFile(path, "utf8")));
  await fleet.ok("builds", "add", "web", await fleet.pack(tree, site.id));
}

interface Failure {
  readonly error: { readonly code: string; readonly message: string; readonly hint: string } | null;
  readonly log: string;
}

async function failureOf(fleet: Fleet): Promise<Failure> {
  const { hosts } = await fleet.json<{ hosts: readonly Failure[] }>("status", "web");
  return hosts[0] ?? { error: null, log: "" };
}

test.if(isRoot)(
  "an agent that is root is told which line to write where a service has no sources",
  async () => {
    await withFleet({ hosts: 1, zookeeper: zookeeper.connectString, started: false }, async (fleet) => {
      const { config } = fleet.host(1);
      await writeFile(config, (await readFile(config, "utf8")).replace(/^sources = .*$/m, ""));
      for (const more of [["--check"], []]) {
        const { code, stderr } = await fleet.deployd(["agent", "--config", config, ...more]);
        expect({ more, code }).toEqual({ more, code: 64 });
        expect(stderr).toContain("services.web.sources is not set");
        expect(stderr).toContain('sources = ["https://builds.example.com/web/"]');
      }
    });
  },
  TEST_MS,
);

test(
  "a check asks this host alone, and what it was answered stands in no status",
  async () => {
    await withFleet({ hosts: 1, zookeeper: zookeeper.connectString }, async (fleet) => {
      const good: Site = { id: "good" };
      await fleet.addSite(good);
      await fleet.ok("deploy", "web", "good");

      // A host of the documentation's network: nobody answers there, and nobody is asked.
      const away = 'http = "http://198.51.100.7/latest/meta-data/"';
      await addChanged(fleet, { id: "away", checkDeadlineS: 60 }, (text) => text.replace(/^http = .*$/m, away));
      await fleet.exits(3, "deploy", "web", "away");
      const refused = await failureOf(fleet);
      expect(refused.error?.code).toBe("policy-refused");
      expect(refused.error?.message).toContain("198.51.100.7 is no address of this host");
      expect(refused.error?.hint).toContain("services.web.check_hosts");
      // Nothing was touched for it.
      expect(await readdir(join(fleet.host(1).root, "log"))).toEqual(["good"]);
      expect(await fleet.answers()).toEqual([answerOf(good)]);

      await fleet.addSite({
        id: "sick",
        page: "sick",
        checkDeadlineS: 1,
        beforeStart: "echo the database is away; echo token: hunter2",
      });
      await fleet.exits(3, "deploy", "web", "sick");
      const { error, log } = await failureOf(fleet);
      expect(error?.code).toBe("check-failed");
      const lines = log.split("\n");
      expect(lines[0]).toBe("The answer: status 500, 12 bytes.");
      // What the stop command may have said stands between.
      expect(lines.slice(-2)).toEqual(["the database is away", "token: [redacted]"]);
      expect(log).not.toContain("no database");

      // With nothing to say there is nothing, and not a word for it.
      await addChanged(fleet, { id: "mute", checkDeadlineS: 1 }, (text) =>
        text.replace(/^http = .*$/m, 'tcp = "127.0.0.1:1"'),
      );
      await fleet.exits(3, "deploy", "web", "mute");
      const mute = await failureOf(fleet);
      expect(mute.error?.code).toBe("check-failed");
      expect(mute.log).not.toContain("undefined");
    });
  },
  TEST_MS,
);

test(
  "a host may let its checks ask others, and tell what they were answered",
  async () => {
    await withFleet(
      {
        hosts: 1,
        zookeeper: zookeeper.connectString,
        host: () => ({ section: 'check_hosts = ["198.51.100.0/24"]\nquote_answers = true' }),
      },
      async (fleet) => {
        const away = 'http = "http://198.51.100.7/"\ntimeout_s = 0.3';
        await addChanged(fleet, { id: "away", checkDeadlineS: 0.5 }, (text) => text.replace(/^http = .*$/m, away));
        await fleet.exits(3, "deploy", "web", "away");
        // Nobody answers there, but it was asked.
        expect((await failureOf(fleet)).error?.code).toBe("check-failed");

        await fleet.addSite({ id: "sick", page: "sick", checkDeadlineS: 0.5 });
        await fleet.exits(3, "deploy", "web", "sick");
        expect((await failureOf(fleet)).log).toContain("no database");
      },
    );
  },
  TEST_MS,
);
