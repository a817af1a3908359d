import { afterAll, beforeAll, expect, test } from "bun:test";
import { appendFile, copyFile, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { makeCertificates } from "../harness/certificates.ts";
import { withFleet } from "../harness/fleet.ts";
import { eventually } from "../harness/eventually.ts";
import { HOOK_MS, TEST_MS } from "../harness/fleet_patience.ts";
import { answerOf, writeSite, type Site } from "../harness/site.ts";
import { tempDir } from "../harness/tempdir.ts";
import { sharedZooKeeper, type SharedZooKeeper } from "../harness/shared_zookeeper.ts";

/*
 * A company's own server of artefacts, as hosts meet it: its certificate is of the company's own authority, paths have %2F in
 * them, and now and then somebody else answers.
 */

let zookeeper: SharedZooKeeper;
beforeAll(async () => void (zookeeper = await sharedZooKeeper()), HOOK_MS);
afterAll(() => zookeeper.stop(), HOOK_MS);

const BUNDLE = "/etc/ssl/certs/ca-certificates.crt";
/** The agent with `$0` in the place of its system's authorities, and without any variable. */
const WITH_BUNDLE = `mount --bind "$0" ${BUNDLE} && exec env -i "$@"`;
const PACKAGES = "/api/v4/projects/group%2Fproject/packages/generic/web";

interface Shown {
  readonly hosts: readonly { readonly error: { code: string; message: string; hint: string } | null }[];
}

// Only root may mount.
test.if(process.getuid?.() === 0)(
  "a host trusts whom its system trusts, waits for its source, and takes nobody's word for a build",
  async () => {
    await using dir = await tempDir();
    const bundle = join(dir.path, "bundle.crt");
    await copyFile(BUNDLE, bundle);
    const { ca, server } = await makeCertificates(dir.path);
    const page = "<html><body>We are back soon</body></html>";
    const foreign = [
      () => new Response(page, { headers: { "content-type": "text/html" } }),
      () => new Response(page, { status: 503, headers: { "retry-after": "3" } }),
    ];
    const asked: number[] = [];
    let archive = "";
    using source = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      tls: { key: server.key, cert: server.cert },
      fetch: (request) => {
        const { pathname } = new URL(request.url);
        if (pathname === "/health") return new Response("ok");
        if (pathname !== `${PACKAGES}/v1`) return new Response("no", { status: 404 });
        asked.push(performance.now());
        return foreign.shift()?.() ?? new Response(Bun.file(archive));
      },
    });
    const origin = `https://127.0.0.1:${source.port}`;
    const host = () => ({
      sources: [`${origin}${PACKAGES.replace("%2F", "%2f")}/`],
      under: ["unshare", "-m", "sh", "-c", WITH_BUNDLE, bundle],
    });
    await withFleet({ hosts: 1, zookeeper: zookeeper.connectString, host }, async (fleet) => {
      const v1: Site = { id: "v1" };
      const tree = join(fleet.dir, "trees", "v1");
      await writeSite(v1, tree);
      const resolvedRecipe = join(tree, "deployd.toml");
      const toml = (await readFile(resolvedRecipe, "utf8")).replace(/^http = .*$/m, `http = "${origin}/health"`);
      await writeFile(resolvedRecipe, toml);
      archive = await fleet.pack(tree, "v1");
      await fleet.ok("builds", "add", "web", archive, "--url", `${origin}${PACKAGES}/v1`);
      const error = async () => (await fleet.json<Shown>("status", "web")).hosts[0]?.error;

      await fleet.exits(3, "deploy", "web", "v1");
      const untrusted = await error();
      expect(untrusted?.code).toBe("fetch-failed");
      expect(untrusted?.message).toMatch(/its certificate is not trusted \(\w+\) by \/etc\/ssl\/certs/);
      expect(untrusted?.hint).toContain("update-ca-certificates");
      expect(asked).toEqual([]);

      // What the hint says is all that there is to do.
      await appendFile(bundle, ca);
      const deploy = fleet.ok("deploy", "web", "v1");
      await eventually(async () => {
        const { stdout } = await fleet.ok("status", "web");
        return /answered 503 and asks to wait 3 s\. It is tried again until \d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ\./.test(
          stdout,
        );
      });
      expect((await deploy).stdout).toMatch(/! web-1 tries again to fetch v1 until [\d:]+: .* asks to wait 3 s/);
      expect(await fleet.answers()).toEqual([answerOf(v1)]);
      expect(asked).toHaveLength(3);
      expect((asked[2] ?? 0) - (asked[1] ?? 0)).toBeGreaterThan(2_900);
      expect(await fleet.host(1).output()).toContain(`but it has ${page.length}`);

      const record = { digest: `sha256:${"ab".repeat(32)}`, size: (await stat(archive)).size };
      await fleet.writeBuild("climbs", { ...record, url: `${origin}${PACKAGES}/..%2f..%2fother/v1` });
      await fleet.exits(3, "deploy", "web", "climbs");
      expect(await error()).toMatchObject({
        code: "policy-refused",
        message: expect.stringContaining("decoded, its path leaves"),
      });
      expect(await fleet.answers()).toEqual([answerOf(v1)]);
    });
  },
  TEST_MS,
);
