import { expect, test } from "bun:test";
import { cp, rm } from "node:fs/promises";
import { join } from "node:path";
import { withFleet, type Fleet } from "../harness/fleet.ts";
import { eventually } from "../harness/eventually.ts";
import { TEST_MS } from "../harness/fleet_patience.ts";
import { onDisk } from "../harness/on_disk.ts";
import { answerOf, type Site } from "../harness/site.ts";
import { startEnsemble, type RealEnsemble } from "../harness/zookeeper.ts";

/*
 * Three Apache servers that come back with an older state of theirs, or with none, under a fleet that has gone on.
 * AGENTS=12 bun test test/e2e/put_back.test.ts plays it with more of them.
 */

const AGENTS = Number(process.env["AGENTS"] ?? 3);
const SESSION_TIMEOUT_S = 6;
const BACK_WITHIN_MS = 2_000 * SESSION_TIMEOUT_S;
const sites: Record<"v1" | "v2" | "v3", Site> = { v1: { id: "v1" }, v2: { id: "v2" }, v3: { id: "v3" } };

/**
 * Stops all servers, does something with their data, and has them serve again.
 *
 * @returns when they did
 */
async function restarted({ servers }: RealEnsemble, change: (data: string) => Promise<void>): Promise<number> {
  await Promise.all(servers.map((server) => server.kill()));
  await Promise.all(servers.map(({ directory }) => change(join(directory, "version-2"))));
  await Promise.all(servers.map((server) => server.restart()));
  return performance.now();
}

/** Waits until every agent is connected; in a tree from a backup the agents of that time are for a while. */
async function connected(fleet: Fleet): Promise<void> {
  await eventually(async () => {
    const { hosts } = await fleet.json<{ hosts: { connected: boolean }[] }>("hosts", "list", "web");
    return hosts.filter((host) => host.connected).length === AGENTS;
  });
}

async function problems(fleet: Fleet): Promise<string[]> {
  return (await fleet.json<{ problems: string[] }>("status", "web")).problems;
}

/** What must not change: which builds answer, which processes they are, and what lies on the hosts' disks. */
async function standing(fleet: Fleet): Promise<unknown> {
  return [await fleet.answers(), await Promise.all(fleet.hosts.map(({ root }) => onDisk(root)))];
}

test(
  `a fleet goes back to no older build when its ZooKeeper does, until a person accepts that`,
  async () => {
    await using ensemble = await startEnsemble(3);
    await withFleet(
      {
        hosts: AGENTS,
        zookeeper: ensemble.connectString,
        host: () => ({ sessionTimeoutS: SESSION_TIMEOUT_S }),
      },
      async (fleet) => {
        const limit = String(AGENTS);
        const everywhere = (site: Site) => Array(AGENTS).fill(answerOf(site));
        for (const site of Object.values(sites)) await fleet.addSite(site);
        await fleet.ok("deploy", "web", "v1", "--max", limit);
        await restarted(ensemble, (data) => cp(data, `${data}.backup`, { recursive: true }));
        await connected(fleet);
        await fleet.ok("deploy", "web", "v2", "--max", limit);
        await fleet.ok("deploy", "web", "v3", "--max", limit);
        const before = await standing(fleet);
        expect(await fleet.answers()).toEqual(everywhere(sites.v3));

        // Two deploys old.
        const olderSince = await restarted(ensemble, async (data) => {
          await rm(data, { recursive: true });
          await cp(`${data}.backup`, data, { recursive: true });
        });
        // Each says so in its status, which only an agent does that is back.
        await eventually(async () => (await problems(fleet)).some((problem) => problem.includes("Every host holds")));
        expect(performance.now() - olderSince).toBeLessThan(BACK_WITHIN_MS);
        const [said] = (await problems(fleet)).filter((problem) => problem.includes("Every host holds"));
        expect(said).toContain('the wish for "v1" of deploy ');
        expect(said).toContain("deployd ctl services accept web");
        expect((await fleet.ctl("status", "web")).stdout).toContain("✗ web: the wish is held");
        const waited = await fleet.ctl("wait", "web");
        expect(waited.stdout).toContain("deployd ctl services accept web");
        expect(waited.code).toBe(3);
        expect(await standing(fleet)).toEqual(before);

        await fleet.ok("services", "accept", "web");
        await eventually(async () => Bun.deepEquals(await fleet.answers(), everywhere(sites.v1)));
        await eventually(async () => (await problems(fleet)).length === 0);
        const accepted = await standing(fleet);

        // Nothing at all.
        const emptySince = await restarted(ensemble, (data) => rm(data, { recursive: true }));
        await fleet.ok("services", "set", "web", "--soak-s", "0.2");
        await connected(fleet);
        expect(performance.now() - emptySince).toBeLessThan(BACK_WITHIN_MS);
        expect(await standing(fleet)).toEqual(accepted);
        for (const site of Object.values(sites)) await fleet.addSite({ ...site });
        await fleet.ok("deploy", "web", "v2", "--max", limit);
        expect(await fleet.answers()).toEqual(everywhere(sites.v2));
      },
    );
  },
  2 * TEST_MS,
);
