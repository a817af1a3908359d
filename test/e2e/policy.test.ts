import { afterAll, beforeAll, expect, test } from "bun:test";
import { chmod, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { withFleet, type Fleet } from "../harness/fleet.ts";
import { HOOK_MS, TEST_MS } from "../harness/fleet_patience.ts";
import { answerOf, writeSite, type Site } from "../harness/site.ts";
import { tempDir } from "../harness/tempdir.ts";
import { sharedZooKeeper, type SharedZooKeeper } from "../harness/shared_zookeeper.ts";

/*
 * What an agent that is root fetches, asks and tells on behalf of a build.
 */

const isRoot = process.getuid?.() === 0;

let zookeeper: SharedZooKeeper;
beforeAll(async () => void (zookeeper = await sharedZooKeeper()), HOOK_MS);
afterAll(() => zookeeper.stop(), HOOK_MS);

/** A build of the sample site whose deployd.toml is changed. */
async function addChanged(fleet: Fleet, site: Site, change: (recipe: string) => string): Promise<void> {
  const tree = join(fleet.dir, "trees", site.id);
  await writeSite(site, tree);
  const path = join(tree, "deployd.toml");
  await writeFile(path, change(await readFile(path, "utf8")));
  await fleet.addBuild(await fleet.pack(tree, site.id));
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

      // So is a unit that this host does not let it restart: that is known long before current is to change.
      await addChanged(fleet, { id: "foreign" }, (text) =>
        text.replace(/^\[restart\]\n(?:(?!\[).*\n)*/m, '[restart]\nby = "systemd"\nunit = "nginx.service"\n\n'),
      );
      await fleet.exits(3, "deploy", "web", "foreign");
      const foreign = await failureOf(fleet);
      expect(foreign.error).toMatchObject({ code: "policy-refused", step: "install" });
      expect(foreign.error?.message).toContain("Cannot restart nginx.service");
      expect(foreign.error?.hint).toContain("services.web.units");
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
  "a host logs in at its sources by files of its own, and nowhere else",
  async () => {
    const asked: { where: string; authorization: string | null; token: string | null }[] = [];
    const tell = (where: string, { headers }: Request): void =>
      void asked.push({ where, authorization: headers.get("authorization"), token: headers.get("x-token") });
    let archives = "";
    using store = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: (request) => {
        tell("store", request);
        return new Response(Bun.file(join(archives, new URL(request.url).pathname)));
      },
    });
    const basic = `Basic ${btoa("web:hunter2")}`;
    using login = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: (request) => {
        tell("login", request);
        if (request.headers.get("authorization") !== basic) return new Response("who are you?", { status: 401 });
        return Response.redirect(`http://127.0.0.1:${store.port}${new URL(request.url).pathname}`, 302);
      },
    });
    const origin = `http://127.0.0.1:${login.port}`;
    await using secrets = await tempDir();
    const files = { basic: join(secrets.path, "basic"), headers: join(secrets.path, "headers") };
    await writeFile(files.basic, "web:hunter2\n", { mode: 0o600 });
    await writeFile(files.headers, "X-Token: hunter3\n", { mode: 0o600 });
    const host = () => ({
      sources: [`${origin}/`, `http://127.0.0.1:${store.port}/`],
      bottom: `[limits]\nfetch_attempts = 1\n[sources."${origin}"]\nbasic_auth_file = "${files.basic}"\nheaders_file = "${files.headers}"`,
    });
    await withFleet({ hosts: 1, zookeeper: zookeeper.connectString, host }, async (fleet) => {
      const v1: Site = { id: "v1" };
      await writeSite(v1, join(fleet.dir, "trees", "v1"));
      const path = await fleet.pack(join(fleet.dir, "trees", "v1"), "v1");
      archives = join(path, "..");
      const url = `${origin}/v1.tar.zst`;
      for (const secret of [url.replace("//", "//web:hunter2@"), `${url}?Signature=hunter2`]) {
        const { stderr } = await fleet.exits(64, "builds", "add", "web", path, "--url", secret);
        expect(stderr).toContain(`[sources."${origin}"]`);
        expect(stderr).not.toContain("hunter2");
      }
      await fleet.ok("builds", "add", "web", path, "--url", url);

      // A file that others may read is not used, and does not even pass the check.
      await chmod(files.basic, 0o644);
      const { code, stderr } = await fleet.deployd(["agent", "--config", fleet.host(1).config, "--check"]);
      expect(code).toBe(64);
      expect(stderr).toContain("others than its owner may read or write it");
      await fleet.exits(3, "deploy", "web", "v1");
      expect((await failureOf(fleet)).error?.code).toBe("config-invalid");
      expect(asked).toEqual([]);
      await chmod(files.basic, 0o600);
      expect((await fleet.deployd(["agent", "--config", fleet.host(1).config, "--check"])).code).toBe(0);

      await fleet.ok("deploy", "web", "v1");
      expect(await fleet.answers()).toEqual([answerOf(v1)]);
      expect(asked).toEqual([
        { where: "login", authorization: basic, token: "hunter3" },
        { where: "store", authorization: null, token: null },
      ]);
      // Neither what is in ZooKeeper nor what the agent has printed has any of it.
      for (const argv of [
        ["builds", "list", "web", "--json"],
        ["status", "web", "--json"],
      ] as const) {
        expect((await fleet.ok(...argv)).stdout).not.toMatch(/hunter\d|d2ViOmh1bnRlcjI/);
      }
      expect(await fleet.host(1).output()).not.toMatch(/hunter\d|d2ViOmh1bnRlcjI/);

      // What an older ctl has stored is masked where it is shown.
      const digest = `sha256:${"ab".repeat(32)}`;
      await fleet.writeBuild("old", {
        url: `${url.replace("//", "//web:hunter2@")}?token=hunter2&a=1`,
        digest,
        size: 1,
      });
      const { stdout } = await fleet.ok("builds", "list", "web", "--json");
      expect(stdout).not.toContain("hunter2");
      expect(stdout).toContain(`//[redacted]@127.0.0.1:${login.port}/v1.tar.zst?token=[redacted]&a=1`);
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
