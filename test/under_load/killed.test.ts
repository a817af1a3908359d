import { beforeAll, describe, expect, test } from "bun:test";
import { readlink } from "node:fs/promises";
import { join } from "node:path";
import { deploydBinary } from "../harness/binary.ts";
import { eventually } from "../harness/eventually.ts";
import { tempDir } from "../harness/tempdir.ts";
import { FRONT_PORT, INSTANCES } from "./app.ts";
import { startDeployed } from "./deployed.ts";
import { addBuild, bringUp } from "./drive.ts";
import { killIn } from "./killer.ts";
import { makeNetwork } from "./network.ts";
import { AT_ONCE, atOnce } from "./pool.ts";

/*
 * kill -9 of the compiled agent in each phase of a restart. Whatever it was doing, the next agent brings the host to one
 * build with all traffic on.
 */

const COPIES = 2;
const copies = INSTANCES.slice(0, COPIES);
const LONG_MS = 90_000;
const PHASES = ["off", "tell", "idle", "stop", "start", "healthy", "on", "probe"] as const;

describe("a host whose agent is killed is brought by its successor to one build, all in traffic", () => {
  const running = new Map<string, Promise<void>>();

  beforeAll(async () => {
    await deploydBinary();
    const work = atOnce(AT_ONCE, PHASES, killedIn);
    for (const [number, phase] of PHASES.entries()) running.set(phase, work[number] ?? Promise.reject());
  });

  test.each(PHASES)("in the phase %s", (phase) => running.get(phase), PHASES.length * LONG_MS);
});

async function killedIn(phase: string): Promise<void> {
  await using dir = await tempDir();
  await using network = await makeNetwork();
  await using host = await startDeployed(network, dir.path, {
    manners: { cooperates: true, stop: "graceful" },
    protocol: "http",
    // Asked through the front it takes its 2 s, and so the phase is long enough to be seen.
    traffic: `by = "nft"\nport = ${FRONT_PORT}\nprobe = "http://127.0.0.1:${FRONT_PORT}/slow"`,
    drain: 'url = "http://127.0.0.1:${PORT}/drain"\ndeadline_s = 20',
    copies: COPIES,
  });
  await bringUp(host);
  const answer = async (port: number): Promise<string> =>
    (await network.host.must(["curl", "-sS", "--max-time", "5", `http://127.0.0.1:${port}/`])).trim();

  const build = await addBuild(host, "v1");
  await using killer = killIn(phase, host.agent, network.host);
  expect(await host.ctl("deploy", "web", build, "--detach")).toMatchObject({ code: 0 });
  // The killer sees the phase at the latest in the second batch.
  const batch = await eventually(() => killer.line().catch(() => null), LONG_MS);
  expect(copies.map(({ name }) => name)).toContain(batch);
  // The link is there at any moment, and leads to one of the two.
  expect(await readlink(join(host.root, "current"))).toMatch(/^releases\/v[01]$/);

  host.startAgent();
  const outcome = await host.ctl("wait", "web", "--timeout-s", "80");
  expect(`${outcome.code} ${outcome.code === 0 ? "" : outcome.output + (await host.account())}`).toBe("0 ");
  expect(await readlink(join(host.root, "current"))).toBe("releases/v1");
  for (const { port } of copies) expect(await answer(port)).toContain(build);
  const rules = await network.host.must(["nft", "list", "table", "inet", "deployd_web"]);
  for (const { port } of copies) expect(rules).toContain(`: ${port}`);
  for (let asked = 0; asked < 2 * COPIES; asked += 1) expect(await answer(FRONT_PORT)).toContain(build);
}
