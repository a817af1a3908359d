import { afterAll, beforeAll, expect, test } from "bun:test";
import { rm } from "node:fs/promises";
import { userInfo } from "node:os";
import { join } from "node:path";
import { deploydBinary } from "../harness/binary.ts";
import { eventually } from "../harness/eventually.ts";
import { withFleet, type Fleet } from "../harness/fleet.ts";
import { HOOK_MS, TEST_MS } from "../harness/fleet_patience.ts";
import type { Site } from "../harness/site.ts";
import { startZooKeeper, type RealZooKeeper } from "../harness/zookeeper.ts";
import { CommitJudge } from "./commit_judge.ts";
import { Conductor } from "./conductor.ts";
import { committedTransactions, type LoggedTransaction } from "./transaction_log.ts";

/*
 * What a whole fleet of the binary has to do in a few situations, in seconds. Each test prints what it has measured.
 */

const HOSTS = 12;
const HALTED_MS = 25_000;
const ZONES = ["a", "b", "c"];

let zookeeper: RealZooKeeper;
beforeAll(async () => void (zookeeper = await startZooKeeper()), HOOK_MS);
afterAll(() => zookeeper.stop(), HOOK_MS);

const good: Site = { id: "good" };
/** Its start ends the agent and itself, as a kernel panic ends everything. */
const killing: Site = { id: "killing", beforeStart: 'kill -9 "$(cat "$DEPLOYD_ROOT/../../agent.pid")"; kill -9 $$' };

function tell(what: string): void {
  process.stderr.write(`measured: ${what}\n`);
}

/** A fleet that serves the good build, and whose every transaction is held to the rules in the end. */
async function served(limits: readonly string[], body: (fleet: Fleet) => Promise<void>): Promise<void> {
  await withFleet(
    {
      hosts: HOSTS,
      zookeeper: zookeeper.connectString,
      host: (name) => ({
        // Only who may end an agent can be a build that does.
        runAs: process.getuid?.() === 0 ? "root" : userInfo().username,
        startedWith: "echo $$ > agent.pid",
        top: `zone = "${ZONES[Number(name.slice("web-".length)) % ZONES.length]}"`,
      }),
    },
    async (fleet) => {
      await fleet.ok("services", "set", "web", "--max", String(HOSTS), "--budget", "0");
      await fleet.addSite(good);
      await fleet.ok("deploy", "web", good.id);
      await fleet.ok("services", "set", "web", ...limits);
      await body(fleet);
      expect((await judged(fleet)).ledger.violations).toEqual([]);
    },
  );
}

async function logged(): Promise<LoggedTransaction[]> {
  return committedTransactions([zookeeper.directory]);
}

/** @param told of each transaction, after it */
async function judged(
  fleet: Fleet,
  told: (judge: CommitJudge, transaction: LoggedTransaction) => void = () => {},
): Promise<CommitJudge> {
  const judge = new CommitJudge("web", fleet.chroot);
  for (const transaction of await logged()) {
    judge.committed(transaction, () => {});
    told(judge, transaction);
  }
  return judge;
}

/** When the deploy first came into this state, in milliseconds since 1970. */
async function reachedMs(fleet: Fleet, id: string, state: string): Promise<number> {
  let reached = Number.NaN;
  await judged(fleet, ({ tree }, { atMs }) => {
    if (Number.isNaN(reached) && tree.deploys.get(id)?.record.state === state) reached = atMs;
  });
  return reached;
}

/** The build is deployed, ends hosts, and halts; @param during what happens meanwhile. */
async function haltsWith(fleet: Fleet, limitMs: number, during: () => Promise<void> = async () => {}): Promise<void> {
  await fleet.addSite(killing);
  const startedAt = Date.now();
  await fleet.ok("deploy", "web", killing.id, "--detach");
  await during();
  await eventually(async () => (await fleet.newest()).state === "halted", 120_000);
  const { id } = await fleet.newest();
  const tookMs = (await reachedMs(fleet, id, "halted")) - startedAt;
  const dead = fleet.hosts.filter(({ isUp }) => !isUp).map(({ name }) => name);
  tell(`halted after ${(tookMs / 1000).toFixed(1)} s of ${limitMs / 1000} s, ${dead.join(" and ")} lost`);
  expect(dead.length).toBe(2);
  const { slots, failed } = await fleet.gate(id);
  expect(Object.keys(slots)).toEqual([]);
  expect(Object.keys(failed).toSorted()).toEqual(dead.toSorted());
  expect(Object.values(failed).map(({ healthy }) => healthy)).toEqual([false, false]);
  expect(tookMs).toBeLessThan(limitMs);
}

test(
  "a build that ends its hosts takes two of twelve, and is halted, with a limit of 2 and a budget of 1",
  () => served(["--max", "2", "--budget", "1"], (fleet) => haltsWith(fleet, HALTED_MS)),
  TEST_MS,
);

test(
  "the same with percentages",
  () => served(["--max", "17%", "--budget", "9%"], (fleet) => haltsWith(fleet, HALTED_MS)),
  TEST_MS,
);

test(
  "the same with a limit for each zone",
  () =>
    served(["--max", "2", "--max-per-zone", "1", "--budget", "1"], async (fleet) => {
      await haltsWith(fleet, HALTED_MS);
      const zones = fleet.hosts.filter(({ isUp }) => !isUp).map(({ name }) => Number(name.slice("web-".length)) % 3);
      expect(new Set(zones).size).toBe(2);
    }),
  TEST_MS,
);

test(
  "the same while whoever conducts is killed every second for a minute, and then left",
  () =>
    served(["--max", "2", "--budget", "1"], async (fleet) => {
      const kills = 60;
      let killed = 0;
      await haltsWith(fleet, kills * 1_000 + HALTED_MS, async () => {
        await using conductor = await Conductor.watch({ fleet });
        for (let second = 0; second < kills; second += 1) {
          const until = Date.now() + 1_000;
          const host = await conductor.now();
          if (host?.isUp === true) {
            killed += 1;
            await host.kill();
            await host.start();
          }
          await Bun.sleep(Math.max(0, until - Date.now()));
        }
      });
      tell(`${killed} conductors were killed`);
    }),
  TEST_MS,
);

test(
  "from a check that failed to a halted deploy it takes less than a second",
  () =>
    served(["--max", "1", "--budget", "0"], async (fleet) => {
      // What it is asked, and when, is in a file; every answer is an error.
      const sick: Site = {
        id: "sick",
        checkDeadlineS: 2,
        files: { "server.mjs": telling },
      };
      await fleet.addSite(sick);
      await fleet.exits(3, "deploy", "web", sick.id);
      const { id, failures } = await fleet.newest();
      const [host] = fleet.hosts.filter(({ name }) => name === failures[0]?.host);
      if (host === undefined) throw new Error("no host has failed");
      const asked = (await Bun.file(join(host.root, "shared/run/asked")).text()).trim().split("\n").map(Number);
      const tookMs = (await reachedMs(fleet, id, "halted")) - (asked.at(-1) ?? Number.NaN);
      tell(`halted ${tookMs} ms after the last of ${asked.length} failed answers`);
      expect(tookMs).toBeLessThan(1_000);
    }),
  TEST_MS,
);

const telling = `
import { appendFileSync, renameSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
const { PORT, DEPLOYD_SHARED } = process.env;
const server = createServer((request, response) => {
  response.setHeader("connection", "close");
  response.statusCode = 500;
  response.end("ill", () => appendFileSync(DEPLOYD_SHARED + "/run/asked", Date.now() + "\\n"));
});
server.listen(Number(PORT), "127.0.0.1", () => {
  const file = DEPLOYD_SHARED + "/run/pid";
  writeFileSync(file + process.pid, process.pid + "\\n");
  renameSync(file + process.pid, file);
});
process.on("SIGTERM", () => process.exit(0));
`;

test(
  "a deploy whose ctl is killed as soon as it has its id ends by itself, and wait ends with its code",
  () =>
    served(["--max", "4", "--budget", "0"], async (fleet) => {
      await fleet.addSite({ id: "next" });
      await fleet.addSite({ id: "sick", page: "sick", checkDeadlineS: 1 });
      for (const [build, code] of [
        ["next", 0],
        ["sick", 3],
      ] as const) {
        const id = await killedDeploy(fleet, build);
        const waited = await fleet.exits(code, "wait", "web", "--deploy", id);
        tell(`ctl of ${build} killed; wait ended with ${waited.code} after ${Math.round(waited.tookMs)} ms`);
        expect((await fleet.newest()).id).toBe(id);
      }
    }),
  TEST_MS,
);

/** Starts a deploy, and kills the command in the moment in which it says its id. */
async function killedDeploy(fleet: Fleet, build: string): Promise<string> {
  const child = Bun.spawn([await deploydBinary(), "ctl", "deploy", "web", build, "--json"], {
    env: { PATH: "/usr/bin:/bin", HOME: fleet.dir, DEPLOYD_ZOOKEEPER: fleet.zookeeper, DEPLOYD_CHROOT: fleet.chroot },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let said = "";
  for await (const chunk of child.stdout) {
    said += Buffer.from(chunk).toString();
    const id = /\d{8}-\d{6}-[0-9a-f]{4}/.exec(said)?.[0];
    if (id === undefined) continue;
    child.kill("SIGKILL");
    await child.exited;
    return id;
  }
  throw new Error(`the command ended before it said an id: ${said}`);
}

test(
  "a rollback in the middle of a roll is through in half the time of the roll, fetches nothing and skips the canary",
  () =>
    served(["--max", "1", "--budget", "0", "--soak-s", "0.5"], async (fleet) => {
      await fleet.ok("hosts", "role", "web", "web-1", "canary");
      for (const id of ["first", "second"]) await fleet.addSite({ id, install: ["sleep 0.3"] });
      const stages = ["--stages", "canary/1s,100%"];
      await fleet.ok("deploy", "web", "first", ...stages);
      const whole = await fleet.newest();
      const createdMs = Date.parse(whole.created);
      const rollMs = (await servedByAllMs(fleet, "first", createdMs)) - createdMs;

      await fleet.ok("deploy", "web", "second", ...stages, "--detach");
      const { id } = await fleet.newest();
      await eventually(async () => (await touchedBy(fleet, "second")) >= HOSTS / 2);
      // Nothing is there any more that could be fetched.
      await rm(join(fleet.dir, "builds"), { recursive: true });
      const touched = await touchedBy(fleet, "second");
      await fleet.ok("rollback", "web");
      const turnedMs = await reachedMs(fleet, id, "rolling back");
      const backMs = (await servedByAllMs(fleet, "first", turnedMs)) - turnedMs;
      tell(`the roll took ${rollMs} ms for ${HOSTS} hosts, the way back ${backMs} ms for ${touched} of them`);

      const states: string[] = [];
      const granted: string[] = [];
      const fetched: string[] = [];
      await judged(fleet, ({ tree }, { atMs }) => {
        const state = tree.deploys.get(id)?.record.state;
        if (state === undefined || atMs < turnedMs) return;
        if (states.at(-1) !== state) states.push(state);
        for (const host of tree.gate.slots.keys()) if (!granted.includes(host)) granted.push(host);
        for (const [host, { step, wish }] of tree.statuses)
          if (wish?.build === "first" && (step === "fetch" || step === "install")) fetched.push(`${host} ${step}`);
      });
      expect(states.filter((state) => state !== "rolling")).toEqual(["rolling back", "rolled back"]);
      expect(fetched).toEqual([]);
      // Each host once, and none that the roll has not touched, but for one that was on its way.
      expect(granted.length).toBeLessThanOrEqual(touched + 1);
      expect(backMs).toBeLessThanOrEqual(rollMs / 2);
    }),
  TEST_MS,
);

/** When the last host came to say that it serves this build, in milliseconds since 1970. */
async function servedByAllMs(fleet: Fleet, build: string, sinceMs: number): Promise<number> {
  let isServed = false;
  let servedMs = Number.NaN;
  await judged(fleet, ({ tree }, { atMs }) => {
    const wasServed = isServed;
    isServed = [...tree.statuses.values()].every((status) => status.build === build && status.health === "healthy");
    if (isServed && !wasServed && atMs >= sinceMs && Number.isNaN(servedMs)) servedMs = atMs;
  });
  return servedMs;
}

/** How many services answer what this build answers. */
async function touchedBy(fleet: Fleet, build: string): Promise<number> {
  return (await fleet.answers()).filter((answer) => answer.endsWith(` ${build}`)).length;
}
