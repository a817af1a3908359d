import { afterAll, beforeAll, expect, test } from "bun:test";
import { readlink } from "node:fs/promises";
import { join } from "node:path";
import { eventually } from "../support/eventually.ts";
import { tempDir } from "../support/tempdir.ts";
import { FRONT_PORT, INSTANCES } from "./app.ts";
import { startDeployed, type Deployed } from "./deployed.ts";
import { addBuild, bringUp } from "./drive.ts";
import { killIn } from "./killer.ts";
import { makeNetwork, type Network } from "./network.ts";

/*
 * kill -9 of the compiled agent in each phase of a restart. Whatever it was doing, the next agent brings the host to one
 * build with all traffic on.
 */

const COPIES = 2;
const copies = INSTANCES.slice(0, COPIES);
const LONG_MS = 90_000;

let dir: Awaited<ReturnType<typeof tempDir>>;
let network: Network;
let host: Deployed;
let agent: Deployed["agent"];

beforeAll(async () => {
  dir = await tempDir();
  network = await makeNetwork();
  host = await startDeployed(network, dir.path, {
    manners: { cooperates: true, stop: "graceful" },
    protocol: "http",
    // Asked through the front it takes its 2 s, and so the phase is long enough to be seen.
    traffic: `by = "nft"\nport = ${FRONT_PORT}\nverify = "http://127.0.0.1:${FRONT_PORT}/slow"`,
    drain: 'url = "http://127.0.0.1:${PORT}/drain"\ndeadline_s = 20',
    copies: COPIES,
  });
  agent = host.agent;
  await bringUp(host);
}, LONG_MS);

afterAll(async () => {
  await host?.[Symbol.asyncDispose]();
  await network?.[Symbol.asyncDispose]();
  await dir?.[Symbol.asyncDispose]();
});

const answer = (port: number): Promise<string> =>
  network.host.must(["curl", "-sS", "--max-time", "5", `http://127.0.0.1:${port}/`]).then((text) => text.trim());

test.each(["off", "tell", "idle", "stop", "start", "healthy", "on", "verify"])(
  "an agent that is killed in the phase %s leaves a host that its successor brings to one build, all in traffic",
  async (phase) => {
    const build = await addBuild(host, `killed-in-${phase}`);
    await using killer = killIn(phase, agent, network.host);
    const started = await host.ctl("deploy", "web", build, "--detach");
    expect(started.code).toBe(0);
    const batch = await killerSays(killer);
    expect(copies.map(({ name }) => name)).toContain(batch);
    // The link is there at any moment, and leads to one of the two.
    expect(await readlink(join(host.root, "current"))).toMatch(/^releases\/(killed-in-\w+|v0)$/);
    agent = host.startAgent();
    const outcome = await host.ctl("wait", "web", "--timeout-s", "80");
    expect(`${outcome.code} ${outcome.code === 0 ? "" : outcome.output + (await host.account())}`).toBe("0 ");
    expect(await readlink(join(host.root, "current"))).toBe(`releases/${build}`);
    for (const { port } of copies) expect(await answer(port)).toContain(build);
    const rules = await network.host.must(["nft", "list", "table", "inet", "deployd_web"]);
    for (const { port } of copies) expect(rules).toContain(`: ${port}`);
    for (let asked = 0; asked < 2 * COPIES; asked += 1) expect(await answer(FRONT_PORT)).toContain(build);
  },
  LONG_MS,
);

/** The killer sees the phase at the latest in the second batch. */
async function killerSays(killer: { line(): Promise<string> }): Promise<string> {
  return eventually(() => killer.line().catch(() => null), LONG_MS / 2);
}
