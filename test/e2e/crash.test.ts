import { afterAll, beforeAll, expect, test } from "bun:test";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { eventually } from "../harness/eventually.ts";
import { HOOK_MS, TEST_MS } from "../harness/fleet_patience.ts";
import { withFleet, type Fleet } from "../harness/fleet.ts";
import type { FleetHost } from "../harness/fleet_host.ts";
import { withSeed } from "../harness/fleet_random.ts";
import { answerOf, type Site } from "../harness/site.ts";
import { sharedZooKeeper, type SharedZooKeeper } from "../harness/shared_zookeeper.ts";

let zookeeper: SharedZooKeeper;
beforeAll(async () => void (zookeeper = await sharedZooKeeper()), HOOK_MS);
afterAll(() => zookeeper.stop(), HOOK_MS);

// Together: ten moments, spread over the whole length of a deploy. The rehearsal has one at each effect.
const VICTIMS = 5;
const ROUNDS = Number(process.env["ROLLS"] ?? 2);

/** A build whose every step takes a little, so that a random moment may fall into any of them. */
function slowSite(id: string): Site {
  const files = Object.fromEntries(
    Array.from({ length: 400 }, (_, n) => [`files/${n}.txt`, `${id} ${n}\n`.repeat(50)]),
  );
  return {
    id,
    install: ["sleep 0.1", `sleep 0.1; echo ${id} > installed.txt`],
    beforeStart: "sleep 0.05",
    afterStart: "sleep 0.05",
    files: { ...files, "last.txt": `${id}\n` },
  };
}

/**
 * Hosts that are killed, and one more that conducts: it is there before the others, and would otherwise have to be waited
 * for until the session of a dead conductor is over.
 */
async function fleetWithConductor(body: (fleet: Fleet, victims: FleetHost[]) => Promise<void>): Promise<void> {
  await withFleet({ hosts: VICTIMS + 1, zookeeper: zookeeper.connectString, started: false }, async (fleet) => {
    await fleet.ok("services", "set", "web", "--soak-s", "0.2", "--max", String(VICTIMS + 1));
    const [conductor, ...victims] = fleet.hosts;
    await conductor?.start();
    await eventually(async () => (await conductor?.output())?.includes("this agent conducts now"));
    await Promise.all(victims.map((victim) => victim.start()));
    await eventually(async () => {
      const { hosts } = await fleet.json<{ hosts: { connected: boolean }[] }>("hosts", "list", "web");
      return hosts.filter((host) => host.connected).length === VICTIMS + 1;
    });
    await body(fleet, victims);
  });
}

/** Reads `current` of all hosts until disposed, in a process of its own, and then expects never to have found it torn. */
function readCurrents(fleet: Fleet): AsyncDisposable {
  const reader = Bun.spawn(
    // It takes what the fleet leaves over, and no more.
    ["nice", "-n", "19", process.execPath, join(import.meta.dir, "../harness/fleet_reader.mjs")].concat(
      fleet.hosts.map((host) => host.root),
    ),
    { stdin: "ignore", stdout: "pipe", stderr: "inherit" },
  );
  const output = new Response(reader.stdout).text();
  return {
    [Symbol.asyncDispose]: async () => {
      reader.kill("SIGTERM");
      const lines = (await output).trimEnd().split("\n");
      expect(lines.slice(0, -1)).toEqual([]);
      const { reads } = JSON.parse(lines.at(-1) ?? "{}") as { reads: number };
      expect(reads).toBeGreaterThan(100);
    },
  };
}

/** Whether the host has begun to go back to the build it served before: from its own journal, which says so first. */
async function isGoingBack(host: FleetHost): Promise<boolean> {
  const journal: unknown = JSON.parse(await readFile(join(host.root, "state.json"), "utf8"));
  return JSON.stringify(journal).includes('"kind":"back"');
}

/** Nothing that was under way is left on any disk. */
async function expectNoLeftovers(fleet: Fleet): Promise<void> {
  for (const host of fleet.hosts) {
    await eventually(async () => {
      const entries = await readdir(host.root);
      const left = entries.filter((name) => name.startsWith(".staging-") || name.endsWith(".tmp"));
      if (left.length === 0) return true;
      throw new Error(`${host.root} still has ${left.join(", ")}`);
    });
    for (const release of await readdir(join(host.root, "releases"))) {
      const entries = await readdir(join(host.root, "releases", release), { recursive: true });
      expect(entries.filter((name) => name.endsWith(".tmp"))).toEqual([]);
    }
  }
}

test(
  `kill -9 of an agent at any of ${VICTIMS * ROUNDS} moments of a deploy leaves nothing that it does not finish`,
  async () => {
    await withSeed(async (random) => {
      await fleetWithConductor(async (fleet, victims) => {
        const sites = Array.from({ length: ROUNDS + 2 }, (_, n) => slowSite(`v${n}`));
        for (const site of sites) await fleet.addSite(site);
        const [first, second, ...others] = sites;
        await fleet.ok("deploy", "web", first?.id ?? "");

        await using _reader = readCurrents(fleet);
        await fleet.ok("deploy", "web", second?.id ?? "");
        const { created, ended } = await fleet.newest();
        const lengthMs = Date.parse(ended ?? "") - Date.parse(created);
        expect(lengthMs).toBeGreaterThan(0);

        for (const [round, site] of others.entries()) {
          await fleet.ok("deploy", "web", site.id, "--detach");
          await Promise.all(
            victims.map(async (victim, index) => {
              // Each of the moments has its own part of the whole time, and lies anywhere in it.
              const part = round * VICTIMS + index + random();
              await Bun.sleep((part / (ROUNDS * VICTIMS)) * lengthMs);
              await victim.kill();
              await victim.start();
            }),
          );
          await fleet.ok("wait", "web", "--timeout-s", "90");
          expect(await fleet.answers()).toEqual(fleet.hosts.map(() => answerOf(site)));
          const { id, state, build, cost } = await fleet.newest();
          expect({ state, build }).toEqual({ state: "done", build: site.id });
          // Each host counts once, however often its agent was killed.
          const out = await fleet.gate(id);
          expect({ ...out, hosts: cost?.hosts }).toEqual({ slots: {}, failed: {}, hosts: fleet.hosts.length });
          await expectNoLeftovers(fleet);
        }
      });
    });
  },
  TEST_MS,
);

test(
  "kill -9 of an agent that takes its host back from a broken build does not keep it from arriving there",
  async () => {
    await withSeed(async (random) => {
      await fleetWithConductor(async (fleet, victims) => {
        const good = slowSite("good");
        const broken: Site = { ...slowSite("broken"), page: "sick: no database", checkDeadlineS: 0.5 };
        await fleet.addSite(good);
        await fleet.addSite(broken);
        await fleet.ok("deploy", "web", "good");
        // All but the last may fail, so that every host is granted its slot, however late it asks for it.
        await fleet.ok("deploy", "web", "broken", "--budget", String(VICTIMS), "--detach");
        await Promise.all(
          victims.map(async (victim, index) => {
            await eventually(() => isGoingBack(victim));
            await Bun.sleep(((index + random()) / VICTIMS) * 600);
            await victim.kill();
            await victim.start();
          }),
        );
        await fleet.exits(3, "wait", "web", "--timeout-s", "90");
        await fleet.serves(good);
        await eventually(async () => {
          const { slots, failed } = await fleet.gate((await fleet.newest()).id);
          expect(slots).toEqual({});
          expect(Object.keys(failed).toSorted()).toEqual(fleet.hosts.map((host) => host.name));
          expect(Object.values(failed).filter((failure) => !failure.healthy)).toEqual([]);
          return true;
        });
        await fleet.ok("rollback", "web");
        expect(await fleet.answers()).toEqual(fleet.hosts.map(() => answerOf(good)));
        await expectNoLeftovers(fleet);
      });
    });
  },
  TEST_MS,
);
