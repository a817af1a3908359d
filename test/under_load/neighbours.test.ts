import { expect, test } from "bun:test";
import { tempDir } from "../harness/tempdir.ts";
import { moveIn, othersRules } from "../traffic/neighbours.ts";
import { FRONT_PORT } from "./app.ts";
import { startDeployed } from "./deployed.ts";
import { addBuild, bringUp } from "./drive.ts";
import { makeNetwork } from "./network.ts";

/** Rules and chains of ours, as any dump shows them. */
const OWN = /deployd/i;
const LONG_MS = 90_000;

// Each in a network of its own.
test.concurrent.each([`by = "nft"\nport = ${FRONT_PORT}`, `by = "iptables"\nport = ${FRONT_PORT}`, 'by = "reject"'])(
  "a roll of the compiled agent leaves the rules of Docker, of ufw and of the administrator as they are: %s",
  async (traffic) => {
    await using dir = await tempDir();
    await using network = await makeNetwork();
    await moveIn(network.host);
    const rules = async (): Promise<string> =>
      // How many packets a chain has seen is no rule.
      (await othersRules(network.host, OWN)).replaceAll(/\[\d+:\d+\]/g, "");
    const before = await rules();
    await using host = await startDeployed(network, dir.path, {
      manners: { cooperates: true, stop: "graceful" },
      protocol: "http",
      traffic,
      drain: 'signal = "USR2"',
      copies: 2,
    });
    await bringUp(host);
    const build = await addBuild(host, "v1");
    const { code, output } = await host.ctl("deploy", "web", build, "--timeout-s", "50");
    expect(`${code} ${code === 0 ? "" : output + (await host.account())}`).toBe("0 ");
    expect(await rules()).toBe(before);
    expect(before).toContain("DOCKER");
    expect(before).toContain("ufw-before-input");
  },
  LONG_MS,
);
