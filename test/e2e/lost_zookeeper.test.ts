import { expect, test } from "bun:test";
import { eventually } from "../harness/eventually.ts";
import { TEST_MS } from "../harness/fleet_patience.ts";
import { withFleet } from "../harness/fleet.ts";
import type { FleetHost } from "../harness/fleet_host.ts";
import { onDisk } from "../harness/on_disk.ts";
import { freePort } from "../harness/ports.ts";
import { answerOf, type Site } from "../harness/site.ts";
import { startZooKeeper } from "../harness/zookeeper.ts";

const v1: Site = { id: "v1" };
const v2: Site = { id: "v2" };
const sessionTimeoutS = 3;

interface Shown {
  readonly problem: string;
  readonly zookeeper: { readonly state: string; readonly detail: string; readonly sessionLosses: number };
}

async function shown(host: FleetHost): Promise<Shown> {
  return (await (await fetch(`${await host.statusUrl()}/status`)).json()) as Shown;
}

async function readyz(host: FleetHost): Promise<string> {
  const answer = await fetch(`${await host.statusUrl()}/readyz`);
  return `${answer.status} ${await answer.text()}`;
}

test(
  "after ZooKeeper has lost its data every agent is back, and says what was wrong",
  async () => {
    const port = await freePort();
    let server = await startZooKeeper({ port });
    try {
      await withFleet(
        { hosts: 3, zookeeper: server.connectString, host: () => ({ sessionTimeoutS }) },
        async (fleet) => {
          for (const site of [v1, v2]) await fleet.addSite(site);
          await fleet.ok("deploy", "web", "v1", "--max", "3");
          const roots = fleet.hosts.map((host) => host.root);
          const before = await Promise.all(roots.map(onDisk));

          await server.stop();
          for (const host of fleet.hosts) {
            await eventually(async () => (await shown(host)).zookeeper.sessionLosses === 1);
            // Each attempt to connect may change what is wrong, also between the two answers.
            await eventually(async () => {
              const { problem, zookeeper } = await shown(host);
              expect(problem).toContain(`Cannot reach ZooKeeper at 127.0.0.1:${port}: `);
              expect(problem).toContain(zookeeper.detail);
              expect(await readyz(host)).toBe(`503 not ready: ${problem}\n`);
              return true;
            });
          }

          // Nothing is in it, not even the tree; then the tree, while its hosts are as they were.
          server = await startZooKeeper({ port });
          for (const host of fleet.hosts)
            await eventually(async () => (await readyz(host)).includes("there is no tree at this agent's chroot"));
          await fleet.ok("services", "set", "web", "--soak-s", "0.2");
          await eventually(async () => {
            const { hosts } = await fleet.json<{ hosts: { connected: boolean }[] }>("hosts", "list", "web");
            return hosts.filter(({ connected }) => connected).length === 3;
          });
          for (const host of fleet.hosts)
            await eventually(async () => {
              const r = await readyz(host);
              if (r === "200 ready\n") return true;
              throw new Error(`${host.name}: ${r}`);
            });
          expect(await fleet.answers()).toEqual(Array(3).fill(answerOf(v1)));
          expect(await Promise.all(roots.map(onDisk))).toEqual(before);

          // Emptied while the agents did not look away for long: the server is back before any session is over.
          await server.stop();
          server = await startZooKeeper({ port });
          await fleet.ok("services", "set", "web", "--soak-s", "0.2");
          await eventually(async () => {
            const { hosts } = await fleet.json<{ hosts: { connected: boolean }[] }>("hosts", "list", "web");
            return hosts.filter(({ connected }) => connected).length === 3;
          });
          expect(await Promise.all(roots.map(onDisk))).toEqual(before);
          for (const site of [v1, v2]) await fleet.addSite({ ...site });
          await fleet.ok("deploy", "web", "v2", "--max", "3", "--timeout-s", "60");
          expect(await fleet.answers()).toEqual(Array(3).fill(answerOf(v2)));
        },
      );
    } finally {
      await server.stop();
    }
  },
  TEST_MS,
);
