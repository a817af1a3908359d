import { afterAll, beforeAll, expect, test } from "bun:test";
import { readdir, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import { withFleet, type Fleet } from "../harness/fleet.ts";
import { eventually } from "../harness/eventually.ts";
import { HOOK_MS, TEST_MS } from "../harness/fleet_patience.ts";
import { processesOf } from "../harness/fleet_leftovers.ts";
import { STOP_SITE, type Site } from "../harness/site.ts";
import { sharedZooKeeper, type SharedZooKeeper } from "../harness/shared_zookeeper.ts";

/*
 * What is told as served is what runs, and nothing beside it: services whose old processes survive a restart, that are
 * started twice, and that have nothing to restart.
 */

/** ROLLS=10 plays each shape as often. */
const ROUNDS = Number(process.env["ROLLS"] ?? 1);

let zookeeper: SharedZooKeeper;
beforeAll(async () => void (zookeeper = await sharedZooKeeper()), HOOK_MS);
afterAll(() => zookeeper.stop(), HOOK_MS);

const recipe = (stop: string, start: string, more = ""): string => `[install]
shared = ["run"]
[restart]
by = "command"
stop = '''${stop}'''
start = '''${start}'''
timeout_s = 20
[drain]
deadline_s = 1
[check]
http = "http://127.0.0.1:\${PORT}/health"
interval_s = 0.05
deadline_s = 10
successes = 2
${more}`;

/** A wrapper whose pid is the one in the file, and whose child has the port, as of `npm start &`. */
const WRAPPED = `cd "$DEPLOYD_CURRENT"
sh -c '"$NODE" server.mjs >> "$DEPLOYD_SHARED/run/server.log" 2>&1 & wait' &
echo $! > "$DEPLOYD_SHARED/run/wrapper"`;
/** The same with a server that tries its bind again, until it gives up. */
const STUBBORN = `cd "$DEPLOYD_CURRENT"
sh -c 'for try in 1 2 3 4 5 6; do "$NODE" server.mjs; sleep 0.5; done' >> "$DEPLOYD_SHARED/run/server.log" 2>&1 &
echo $! > "$DEPLOYD_SHARED/run/wrapper"`;
const STOP_WRAPPER = `kill "$(cat "$DEPLOYD_SHARED/run/wrapper" 2>/dev/null)" 2>/dev/null; true`;

/** The releases that the service's processes stand in. */
async function running(fleet: Fleet): Promise<string[]> {
  const root = fleet.host(1).root;
  const directories = await Promise.all(processesOf(root).map((pid) => readlink(`/proc/${pid}/cwd`).catch(() => "")));
  return directories.filter((path) => path.startsWith(`${root}/releases/`)).map((path) => path.split("/").at(-1) ?? "");
}

// They wait most of the time. Each has a fleet of its own.
test.concurrent(
  "a stop that ends a wrapper, and not the child that keeps the port, is a failure and never a success",
  async () => {
    await withFleet({ hosts: 1, zookeeper: zookeeper.connectString }, async (fleet) => {
      await fleet.addSite({ id: "v0", recipe: recipe(STOP_WRAPPER, WRAPPED) });
      await fleet.ok("deploy", "web", "v0");
      for (let round = 1; round <= ROUNDS; round += 1) {
        const id = `v${round}`;
        await fleet.addSite({ id, recipe: recipe(STOP_WRAPPER, STUBBORN) });
        const { stdout, stderr } = await fleet.exits(3, "deploy", "web", id);
        expect(`${stdout}${stderr}`).toMatch(/process \d+ of "v0" still runs/);
        expect(await fleet.answers()).toEqual(["200 page of v0"]);
        expect((await fleet.newest()).state).toBe("halted");
        await fleet.ok("rollback", "web", "--yes").catch(() => fleet.ok("rollback", "web"));
      }
      // One activation forward and one back for each wish, and none after them.
      const said = (await fleet.host(1).output()).match(/"msg":"flip"/g) ?? [];
      expect(said.length).toBeLessThanOrEqual(1 + 4 * ROUNDS);
    });
  },
  TEST_MS * 2,
);

/** Goes away from its release, as a daemon does, and is named through `current` alone. */
const AWAY = `cd /
setsid "$NODE" "$DEPLOYD_CURRENT/server.mjs" >> "$DEPLOYD_SHARED/run/server.log" 2>&1 &
echo $! > "$DEPLOYD_SHARED/run/wrapper"`;

test.concurrent(
  "a daemon that shows no release is served where it is alone, and a failure where the one before it stays",
  async () => {
    await withFleet({ hosts: 1, zookeeper: zookeeper.connectString }, async (fleet) => {
      const away = (stop: string) => recipe(stop, AWAY);
      await fleet.addSite({ id: "v0", recipe: away(STOP_WRAPPER) });
      await fleet.ok("deploy", "web", "v0");
      for (let round = 1; round <= ROUNDS; round += 1) {
        const id = `v${round}`;
        await fleet.addSite({ id, recipe: away(STOP_WRAPPER) });
        await fleet.ok("deploy", "web", id);
        expect(await fleet.answers()).toEqual([`200 page of ${id}`]);
      }
      const last = `v${ROUNDS}`;
      const { hosts } = await fleet.json<{ hosts: object[] }>("status", "web");
      expect(hosts).toMatchObject([{ build: last, step: "serving", health: "healthy" }]);
      // The new one gives up its bind, and the old one answers in its place.
      await fleet.addSite({ id: "bad", recipe: away("true") });
      const { stdout, stderr } = await fleet.exits(3, "deploy", "web", "bad");
      expect(`${stdout}${stderr}`).toContain(`of "${last}" still runs`);
      expect(await fleet.answers()).toEqual([`200 page of ${last}`]);
      // Neither it nor the way back was tried more than once.
      expect((await fleet.host(1).output()).match(/"msg":"flip"/g)?.length).toBe(1 + ROUNDS + 2);
    });
  },
  TEST_MS * 2,
);

test.concurrent(
  "what a start that failed has begun does not serve beside the build that the host goes back to",
  async () => {
    await withFleet({ hosts: 1, zookeeper: zookeeper.connectString }, async (fleet) => {
      await fleet.addSite({ id: "v0" });
      await fleet.ok("deploy", "web", "v0");
      const begins = {
        "in its group": `"$NODE" server.mjs & sleep 300 & sleep 0.5; false`,
        "in a session of its own": `setsid "$NODE" server.mjs & setsid sleep 300 & sleep 0.5; false`,
      };
      for (const [round, start] of Object.values(begins).entries()) {
        const id = `bad${round}`;
        await fleet.addSite({ id, recipe: recipe(STOP_SITE, `cd "$DEPLOYD_CURRENT"\n${start}`) });
        await fleet.exits(3, "deploy", "web", id);
        await fleet.ok("rollback", "web");
        expect(await fleet.answers()).toEqual(["200 page of v0"]);
        expect(await running(fleet)).toEqual(["v0"]);
      }
    });
  },
  TEST_MS * 2,
);

/** What of a start is there when its agent is killed; each copy takes any port, so that no second one fails for that. */
const SERVER = `"$NODE" server.mjs >> "$DEPLOYD_SHARED/run/server.log" 2>&1 &`;
const BEGUN = `echo > "$DEPLOYD_SHARED/run/begun"; sleep 1`;
const starts: Readonly<Record<string, (beside: string) => string>> = {
  "before it has started anything": (beside) => `${BEGUN}; ${SERVER} ${beside} & true`,
  "in place of the shell": (beside) => `exec sh -c '${BEGUN}; ${SERVER} ${beside} & true'`,
  "when it has started all, in a session of its own": (beside) => `setsid ${SERVER} setsid ${beside} & ${BEGUN}`,
};
/** By its name a stop ends what runs beside the server, and not that of another test. */
const shapes = Object.entries(starts).map(([when, lineWith], at) => [when, lineWith, `sleep ${301 + at}`] as const);

test.concurrent.each(shapes)(
  "an agent that is killed in a start leaves one copy of the service and not two: %s",
  async (_when, lineWith, beside) => {
    await withFleet({ hosts: 1, zookeeper: zookeeper.connectString }, async (fleet) => {
      const host = fleet.host(1);
      await fleet.addSite({ id: "v0" });
      await fleet.ok("deploy", "web", "v0");
      const start = `cd "$DEPLOYD_CURRENT"; ${lineWith(beside)}`;
      for (let round = 1; round <= ROUNDS; round += 1) {
        const id = `v${round}`;
        const before = await begunAtMs(fleet);
        await fleet.addSite({ id, recipe: recipe(`${STOP_SITE}\npkill -f "^${beside}" || true`, start) });
        const deploying = fleet.ctl("deploy", "web", id);
        await eventually(async () => (await begunAtMs(fleet)) > before);
        await host.kill();
        await host.start();
        expect((await deploying).code).toBe(0);
        expect(await fleet.answers()).toEqual([`200 page of ${id}`]);
        expect(await running(fleet)).toEqual([id, id]);
      }
    });
  },
  TEST_MS * 2,
);

async function begunAtMs(fleet: Fleet): Promise<number> {
  const path = join(fleet.host(1).root, "shared", "run", "begun");
  const { mtimeMs } = await Bun.file(path)
    .stat()
    .catch(() => ({ mtimeMs: 0 }));
  return mtimeMs;
}

test.concurrent(
  "a build without anything to restart is served as soon as current points at it, and once",
  async () => {
    await withFleet({ hosts: 1, zookeeper: zookeeper.connectString }, async (fleet) => {
      const host = fleet.host(1);
      const v1: Site = { id: "v1" };
      await fleet.addSite(v1);
      await fleet.ok("deploy", "web", "v1");
      await fleet.addSite({ id: "files", recipe: "[install]\nsteps = []\n" });
      await fleet.ok("deploy", "web", "files");
      expect(await readlink(join(host.root, "current"))).toBe("releases/files");
      const { hosts } = await fleet.json<{ hosts: { build: string; step: string }[] }>("status", "web");
      expect(hosts).toMatchObject([{ build: "files", step: "serving" }]);
      const journal = await readFile(join(host.root, "state.json"), "utf8");
      const flips = (await host.output()).match(/"msg":"flip"/g)?.length;
      // Another look at the wish, by another agent, begins nothing either.
      await host.stop();
      await host.start();
      const url = await host.statusUrl();
      await eventually(async () => (await (await fetch(`${url}/status`)).text()).includes('"step":"serving"'));
      expect((await host.output()).match(/"msg":"flip"/g)?.length).toBe(flips);
      expect(JSON.parse(await readFile(join(host.root, "state.json"), "utf8"))).toMatchObject({
        attempt: JSON.parse(journal).attempt,
      });
      expect(await readdir(join(host.root, "releases"))).toContain("v1");
      // And the way to a build that is restarted is open.
      await fleet.addSite({ id: "v2" });
      await fleet.ok("deploy", "web", "v2");
      expect(await fleet.answers()).toEqual(["200 page of v2"]);
    });
  },
  TEST_MS,
);

test.concurrent(
  "a service that hangs is restarted once by a deploy of the build that it runs, and that is done when it answers",
  async () => {
    await withFleet({ hosts: 1, zookeeper: zookeeper.connectString }, async (fleet) => {
      // A stopped process takes no notice of TERM.
      const stop = 'kill -9 "$(cat "$DEPLOYD_SHARED/run/pid")" 2>/dev/null || true';
      const start = 'cd "$DEPLOYD_CURRENT" && "$NODE" server.mjs >> "$DEPLOYD_SHARED/run/server.log" 2>&1 &';
      const site: Site = { id: "v0", recipe: recipe(stop, start) };
      await fleet.addSite(site);
      await fleet.ok("deploy", "web", "v0");
      const host = fleet.host(1);
      const pid = async (): Promise<number> => Number(await readFile(join(host.root, "shared", "run", "pid"), "utf8"));
      const hung = await pid();
      process.kill(hung, "SIGSTOP");
      await fleet.ok("deploy", "web", "v0");
      expect(await pid()).not.toBe(hung);
      await fleet.serves(site);
      const journal = async () => JSON.parse(await readFile(join(host.root, "state.json"), "utf8"));
      expect((await journal()).attempt).toMatchObject({ begun: 1, served: true });
      // One that is well is left as it is.
      const well = await pid();
      await fleet.ok("deploy", "web", "v0");
      expect(await pid()).toBe(well);
      expect((await journal()).attempt.begun ?? 0).toBe(0);
    });
  },
  TEST_MS,
);
