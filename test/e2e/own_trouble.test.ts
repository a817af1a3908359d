import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { withFleet } from "../harness/fleet.ts";
import { eventually } from "../harness/eventually.ts";
import { HOOK_MS, TEST_MS } from "../harness/fleet_patience.ts";
import { answerOf, type Site } from "../harness/site.ts";
import { sharedZooKeeper, type SharedZooKeeper } from "../harness/shared_zookeeper.ts";

/*
 * One service that cannot be worked with, beside one that can: its trouble is its own `problem`, and no other's.
 */

let zookeeper: SharedZooKeeper;
beforeAll(async () => void (zookeeper = await sharedZooKeeper()), HOOK_MS);
afterAll(() => zookeeper.stop(), HOOK_MS);

const v1: Site = { id: "v1" };

interface Shown {
  readonly services: readonly { readonly service: string; readonly problem: string }[];
}

/** By what is wrong with it: what its journal is, and how its problem is told. */
const troubles: Readonly<Record<string, (state: string) => Promise<void>>> = {
  directory: async (state) => void (await mkdir(state, { recursive: true })),
  fifo: async (state) => {
    expect(Bun.spawnSync(["mkfifo", state]).exitCode).toBe(0);
  },
  huge: (state) => writeFile(state, Buffer.alloc(17 * 1024 * 1024, " ")),
  link: async (state) => {
    expect(Bun.spawnSync(["ln", "-s", "/dev/zero", state]).exitCode).toBe(0);
  },
};

// Only root runs services as others.
test.if(process.getuid?.() === 0)(
  "a service with a journal that is none, or with a user who is not there, is told as that, and the others go on",
  async () => {
    const names = Object.keys(troubles);
    const bottom = [
      ...names.map((name) => `[services.${name}]\nrun_as = "nobody"\nsources = ["file:///builds/"]`),
      '[services.userless]\nrun_as = "nobody-of-this-name"\nsources = ["file:///builds/"]',
    ].join("\n");
    await withFleet(
      { hosts: 1, zookeeper: zookeeper.connectString, started: false, host: () => ({ bottom }) },
      async (fleet) => {
        const host = fleet.host(1);
        for (const [name, spoil] of Object.entries(troubles)) {
          const root = join(host.root, "..", name);
          await mkdir(root, { recursive: true });
          await spoil(join(root, "state.json"));
        }
        await fleet.begin(true);
        await fleet.addSite(v1);
        await fleet.ok("deploy", "web", "v1", "--timeout-s", "60");
        expect(await fleet.answers()).toEqual([answerOf(v1)]);
        const url = await host.statusUrl();
        await eventually(async () => {
          const { services } = (await (await fetch(`${url}/status`)).json()) as Shown;
          const problemOf = new Map(services.map(({ service, problem }) => [service, problem]));
          expect(problemOf.get("web")).toBe("");
          for (const name of names) expect(problemOf.get(name)).toContain(`${name}/state.json`);
          expect(problemOf.get("userless")).toContain("nobody-of-this-name");
          return true;
        });
        expect((await fetch(`${url}/livez`)).status).toBe(200);
        const checked = await fleet.deployd(["agent", "--check", "--config", host.config]);
        expect(checked.code).not.toBe(0);
        expect(checked.stdout + checked.stderr).toContain("nobody-of-this-name");
      },
    );
  },
  TEST_MS,
);
