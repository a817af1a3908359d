import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { eventually } from "../harness/eventually.ts";
import { HOOK_MS, TEST_MS } from "../harness/fleet_patience.ts";
import { withFleet } from "../harness/fleet.ts";
import { freePort } from "../harness/ports.ts";
import { answerOf, type Site } from "../harness/site.ts";
import { sharedZooKeeper, type SharedZooKeeper } from "../harness/shared_zookeeper.ts";
import { startZooKeeper } from "../harness/zookeeper.ts";

let zookeeper: SharedZooKeeper;
beforeAll(async () => void (zookeeper = await sharedZooKeeper()), HOOK_MS);
afterAll(() => zookeeper.stop(), HOOK_MS);

const v1: Site = { id: "v1" };
const v2: Site = { id: "v2" };

interface AgentStatus {
  readonly problem: string;
  readonly zookeeper: { readonly state: string; readonly detail: string };
}

const configs: readonly { what: string; text: string; says: readonly string[] }[] = [
  {
    what: "an unknown key",
    text: '[zookeeper]\nservers = "z:2181"\nsession_timout_s = 4\n[services.web]\nrun_as = "nobody"\n',
    says: ['unknown key "zookeeper.session_timout_s"; did you mean "session_timeout_s"?', "bad.toml"],
  },
  {
    what: "an unknown key of a service, and an impossible value",
    text: '[zookeeper]\nservers = "z:2181"\n[services.web]\nrunas = "nobody"\n[status]\nlisten = "everywhere"\n',
    says: ['unknown key "services.web.runas"; did you mean "run_as"?', '"status.listen": address:port is required'],
  },
  { what: "text that is no TOML", text: "zookeeper = \n", says: ["Cannot read", "bad.toml", "It must be TOML"] },
  {
    what: "no service",
    text: '[zookeeper]\nservers = "z:2181"\n[services]\n',
    says: ["at least one service is required"],
  },
];

// They wait most of the time. Each has a fleet of its own.
test.concurrent(
  "an agent.toml with a mistake is refused with the key, its place and the nearest known one",
  async () => {
    await withFleet({ hosts: 0, zookeeper: zookeeper.connectString, started: false }, async (fleet) => {
      const path = join(fleet.dir, "bad.toml");
      for (const { what, text, says } of configs) {
        await writeFile(path, text);
        for (const args of [
          ["--config", path],
          ["--config", path, "--check"],
        ]) {
          const { code, stderr } = await fleet.deployd(["agent", ...args]);
          expect({ what, code }).toEqual({ what, code: 64 });
          for (const part of says) expect(stderr).toContain(part);
        }
      }
      const absent = await fleet.deployd(["agent", "--config", join(fleet.dir, "absent.toml")]);
      expect(absent.code).toBe(64);
      expect(absent.stderr).toContain("there is no file");
    });
  },
  TEST_MS,
);

test.concurrent(
  "a name that is not there ends with 64 and the name that was perhaps meant",
  async () => {
    await withFleet({ hosts: 1, zookeeper: zookeeper.connectString }, async (fleet) => {
      await fleet.addSite({ id: "9b1e0d4" });
      await fleet.ok("deploy", "web", "9b1e0d4");
      const slips: readonly (readonly [args: readonly string[], says: readonly string[]])[] = [
        [
          ["deploy", "wbe", "9b1e0d4"],
          ['"wbe"', 'Did you mean "web"?'],
        ],
        [
          ["status", "wbe"],
          ['"wbe"', 'Did you mean "web"?'],
        ],
        [
          ["deploy", "web", "9b1e0b4"],
          ['"9b1e0b4"', 'Did you mean "9b1e0d4"?'],
        ],
        [
          ["hosts", "role", "web", "wbe-1", "canary"],
          ['"wbe-1"', 'Did you mean "web-1"?'],
        ],
        [
          ["deplyo", "web", "9b1e0d4"],
          ["deplyo", "deploy"],
        ],
        [
          ["deploy", "web", "9b1e0d4", "--canry"],
          ["canry", "--canary"],
        ],
        [["builds", "bar", "web", "zzzzzzzz"], ['"zzzzzzzz"']],
      ];
      for (const [args, says] of slips) {
        const { stderr } = await fleet.exits(64, ...args);
        for (const part of says) expect(stderr).toContain(part);
      }
      expect(await fleet.answers()).toEqual(["200 page of 9b1e0d4"]);
    });
  },
  TEST_MS,
);

test.concurrent(
  "without ZooKeeper ctl ends with 69 in time, and an agent says so, leaves its service alone and goes on when it is back",
  async () => {
    const port = await freePort();
    await using server = await startZooKeeper({ port });
    await withFleet({ hosts: 1, zookeeper: server.connectString }, async (fleet) => {
      for (const site of [v1, v2]) await fleet.addSite(site);
      await fleet.ok("deploy", "web", "v1");
      await server.kill();

      const { tookMs, stderr } = await fleet.exits(69, "deploy", "web", "v2", "--connect-timeout-s", "1");
      expect(tookMs).toBeLessThan(10_000);
      expect(stderr).toContain(server.connectString);
      expect(stderr).toContain("Check that ZooKeeper is up");

      const host = fleet.host(1);
      const url = await host.statusUrl();
      await eventually(async () => {
        const { zookeeper } = (await (await fetch(`${url}/status`)).json()) as AgentStatus;
        return zookeeper.state !== "connected" && zookeeper.detail !== "";
      });
      // An agent that is started meanwhile keeps trying, too, and leaves the service to itself.
      await host.kill();
      await host.start();
      const later = await host.statusUrl();
      const ready = await fetch(`${later}/readyz`);
      expect(ready.status).toBe(503);
      expect(await ready.text()).toContain("ZooKeeper is");
      expect(await fleet.answers()).toEqual([answerOf(v1)]);

      await server.restart();
      await eventually(async () => (await fetch(`${later}/readyz`)).status === 200);
      await fleet.ok("deploy", "web", "v2");
      expect(await fleet.answers()).toEqual([answerOf(v2)]);
    });
  },
  TEST_MS,
);

test.concurrent(
  "a second agent in the same directory ends with the pid of the first, which goes on",
  async () => {
    await withFleet({ hosts: 1, zookeeper: zookeeper.connectString }, async (fleet) => {
      await fleet.addSite(v1);
      const host = fleet.host(1);
      const second = await fleet.deployd(["agent", "--config", host.config]);
      expect(second.code).toBe(1);
      expect(second.stderr).toContain(`process ${host.pid} holds the lock`);
      expect(host.isUp).toBe(true);
      await fleet.ok("deploy", "web", "v1");
      expect(await fleet.answers()).toEqual([answerOf(v1)]);
    });
  },
  TEST_MS,
);

test.concurrent(
  "an agent under a name that is taken waits, says so, and takes over when the other has gone",
  async () => {
    await withFleet({ hosts: 1, zookeeper: zookeeper.connectString }, async (fleet) => {
      for (const site of [v1, v2]) await fleet.addSite(site);
      await fleet.ok("deploy", "web", "v1");
      const first = fleet.host(1);

      // The same host name and another directory: as if a machine had been cloned.
      const other = join(fleet.dir, "other");
      await mkdir(other);
      const second = await fleet.addHost("clone", { dir: other, host: first.name });
      await second.start();
      const url = await second.statusUrl();
      await eventually(async () => {
        const { problem } = (await (await fetch(`${url}/status`)).json()) as AgentStatus;
        return problem.includes(`an agent with pid ${first.pid}`) && problem.includes(`"${first.name}"`);
      });
      expect((await fetch(`${url}/readyz`)).status).toBe(503);
      await fleet.ok("deploy", "web", "v2");
      expect(await first.answer()).toBe(answerOf(v2));
      expect(await second.answer()).toStartWith("no answer");

      expect(await first.stop()).toBe(0);
      await eventually(async () => (await fetch(`${url}/readyz`)).status === 200);
      await eventually(async () => (await second.answer()) === answerOf(v2));
    });
  },
  TEST_MS,
);
