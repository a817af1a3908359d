import { expect, test } from "bun:test";
import { readlink } from "node:fs/promises";
import { join } from "node:path";
import { tempDir } from "../harness/tempdir.ts";
import { FRONT_PORT, INSTANCES } from "./app.ts";
import { startDeployed } from "./deployed.ts";
import { addBuild, bringUp } from "./drive.ts";
import { makeNetwork } from "./network.ts";

const copies = INSTANCES.slice(0, 2);

test("a build that comes to life on the first instance alone is taken back from both, and all are in traffic", async () => {
  await using dir = await tempDir();
  await using network = await makeNetwork();
  await using host = await startDeployed(network, dir.path, {
    manners: { cooperates: true, stop: "graceful" },
    protocol: "http",
    traffic: `by = "nft"\nport = ${FRONT_PORT}`,
    drain: 'signal = "USR2"\nresume_signal = "HUP"',
    copies: copies.length,
  });
  await bringUp(host);
  // The healthy one of the new build is all that serves when the way back begins: min_available must not stop it.
  const build = await addBuild(host, "v1", 'if (process.env.DEPLOYD_INSTANCE === "2") process.exit(1);');
  const { code, output } = await host.ctl("deploy", "web", build, "--timeout-s", "80");
  expect(`${code} ${output}`).toStartWith("3 ");
  expect(output).toContain('The host went back to "v0" and is healthy');
  expect(await readlink(join(host.root, "current"))).toBe("releases/v0");
  for (const { port } of copies) {
    expect(await network.host.must(["curl", "-sS", "--max-time", "5", `http://127.0.0.1:${port}/`])).toContain("v0");
  }
  const rules = await network.host.must(["nft", "list", "table", "inet", "deployd_web"]);
  for (const { port } of copies) expect(rules).toContain(`: ${port}`);
}, 120_000);
