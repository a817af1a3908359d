import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { halted, type DeployMove } from "../../src/core/deploy.ts";
import { isOnCanaries } from "../../src/core/deploy_state.ts";
import { parseStages } from "../../src/core/stages.ts";
import type { DeployState } from "../../src/schema/deploy_record.ts";
import { membersOf } from "../../src/cli/routes.ts";
import { ctlFor } from "../../src/ctl/group.ts";
import { barBuild } from "../../src/store/bar.ts";
import { addBuild, readBuild } from "../../src/store/builds.ts";
import { abort } from "../../src/store/change_deploy.ts";
import { freezeService } from "../../src/store/freeze.ts";
import { pauseDeploy } from "../../src/store/stop_and_go.ts";
import type { OnHalt } from "../../src/schema/on_halt.ts";
import { readDeploy, readHead } from "../../src/store/deploys.ts";
import { buildPath, deployPath, servicePath } from "../../src/store/paths.ts";
import { encode } from "../../src/store/records.ts";
import { rollBack } from "../../src/store/roll_back.ts";
import { systemClock } from "../../src/support/clock.ts";
import { startDevServer, type DevServer } from "../../src/zookeeper/server/dev_server.ts";
import { NOW, Site } from "../store/site.ts";
import { recordIn } from "../harness/deploy_records.ts";
import { tempDir } from "../harness/tempdir.ts";
import { expectGolden } from "../harness/golden.ts";
import { ctl, type CtlRun } from "./terminal.ts";

/*
 * Every state that a service can be in, times everything that a person can say to it: what it comes to, and where it is
 * refused, what each command of the hint comes to when it is carried out as it stands. From everywhere hints lead to a
 * deploy of another build, or that is taken at once.
 */

let server: DevServer;
let dir: Awaited<ReturnType<typeof tempDir>>;
let count = 0;

beforeAll(async () => {
  server = await startDevServer({ clock: systemClock });
  dir = await tempDir();
  const tar = Bun.spawnSync(["tar", "-C", import.meta.dir, "-czf", `${dir.path}/new.tar.gz`, "text.test.ts"]);
  expect(tar.exitCode).toBe(0);
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await dir[Symbol.asyncDispose]();
});

type Make = (site: Site) => Promise<void>;

/** What is made in a tree with builds v1, v2, v3 and a good v9. */
const states: Record<string, Make> = {};
const change = { service: "web", who: "ana", why: "", now: NOW };
const barred = { who: "eve", why: "it burns", time: NOW.toISOString() };

/** A deploy on its way, or at its end, as a conductor would have brought it there. */
async function put(site: Site, id: string, state: DeployState): Promise<void> {
  const { record } = await readDeploy(site.zk, "web", id);
  const { build, previous, before, who, why, stages, limits, onHalt, acts } = record;
  const from = isOnCanaries(record) ? "canary" : "rolling";
  const given = { build, previous, before, who, why, stages, limits, onHalt, acts, from };
  await site.zk.set(deployPath("web", id), encode(recordIn(state, given)));
}

async function move(site: Site, to: DeployMove): Promise<void> {
  const { latest } = await readHead(site.zk, "web");
  if (latest !== null) await site.step(latest.id, to);
}

states["nothing deployed, no hosts"] = async () => {};
states["nothing deployed, a canary host"] = (site) => site.host("web-01", "canary");

const stages: [DeployState, "canary" | "fleet"][] = [
  ["preparing", "canary"],
  ["canary", "canary"],
  ["awaiting promotion", "canary"],
  ["paused", "canary"],
  ["halted", "canary"],
  ["preparing", "fleet"],
  ["rolling", "fleet"],
  ["paused", "fleet"],
  ["done", "fleet"],
  ["halted", "fleet"],
];

for (const [state, stage] of stages) {
  const made =
    (build: string, ...before: [string, DeployState][]): Make =>
    async (site) => {
      await site.host("web-01", "canary");
      await site.host("web-02");
      for (const [at, [earlier, ended]] of before.entries()) {
        await site.deploy(`d${at}`, earlier);
        await put(site, `d${at}`, ended);
      }
      await site.deploy("d9", build, stage);
      await put(site, "d9", state);
    };
  const isOfEither = state === "preparing" || state === "paused" || state === "halted";
  const name = `${state}${isOfEither ? ` on the ${stage}` : ""}`;
  states[`first v2, ${name}`] = made("v2");
  states[`v2 after v1, ${name}`] = made("v2", ["v1", "done"]);
  states[`v2 again, ${name}`] = made("v2", ["v1", "done"], ["v2", "done"]);
  states[`v2 after a v1 that is barred, ${name}`] = async (site) => {
    await made("v2", ["v1", "done"])(site);
    await barBuild(site.zk, "web", "v1", barred);
  };
  states[`v2, barred by hand, after v1, ${name}`] = async (site) => {
    await made("v2", ["v1", "done"])(site);
    const { value } = await readBuild(site.zk, "web", "v2");
    await site.zk.set(buildPath("web", "v2"), encode({ ...value, barred }));
  };
  states[`v2 after a v1 that is gone, ${name}`] = async (site) => {
    await made("v2", ["v1", "done"])(site);
    await site.zk.delete(buildPath("web", "v1"));
  };
  if (state === "done" || state === "halted") continue;
  states[`v2 after v1, aborted when ${name}`] = async (site) => {
    await made("v2", ["v1", "done"])(site);
    await abort(site.zk, change);
  };
}

/** In the middle of a deploy whose first stage is part of the fleet. */
const inStages =
  (first: string, state: DeployState, onHalt?: OnHalt): Make =>
  async (site) => {
    await site.host("web-01");
    await site.host("web-02");
    await site.deploy("d0", "v1");
    await put(site, "d0", "done");
    await site.start({ id: "d9", build: "v2", stages: parseStages(`${first},100%`), onHalt });
    await put(site, "d9", state);
  };
states["v2 after v1, rolling to its first stage"] = inStages("50%/promote", "rolling");
states["v2 after v1, waiting for a person after its first stage"] = inStages("50%/promote", "awaiting promotion");
states["v2 after v1, waiting for an hour after its first stage"] = inStages("50%/1h", "awaiting promotion");
states["v2 after v1, paused in its first stage"] = inStages("50%", "paused");
states["v2 after v1, halted, which has frozen the service"] = inStages("50%", "halted", "freeze");
const frozen = { who: "eve", why: "Black Friday", time: NOW.toISOString(), until: undefined };
for (const state of ["v2 after v1, rolling", "v2 after v1, awaiting promotion", "v2 after v1, done"])
  states[`${state}, and frozen`] = async (site) => {
    await states[state]?.(site);
    await freezeService(site.zk, "web", frozen);
  };

const back =
  (then: (site: Site) => Promise<unknown>): Make =>
  async (site) => {
    await states["v2 after v1, rolling"]?.(site);
    await rollBack(site.zk, change);
    await then(site);
  };
states["v2 back to v1, rolling back"] = back(async () => {});
states["v2 back to v1, rolled back"] = back((site) => move(site, { to: "rolled back", cost: null }));
states["v2 back to v1, paused"] = back((site) => pauseDeploy(site.zk, change));
states["v2 back to v1, halted"] = back((site) => move(site, { to: "halted", reason: "web-01: it is ill" }));
states["v2 back to v1, aborted"] = back((site) => abort(site.zk, change));
states["v2 back to v1, which is barred since"] = back((site) => barBuild(site.zk, "web", "v1", barred));
states["v2 back to v1, aborted, and v1 barred"] = back(async (site) => {
  await abort(site.zk, change);
  await barBuild(site.zk, "web", "v1", barred);
});
states["v2 back to v1, aborted and rolled back once more"] = back(async (site) => {
  await abort(site.zk, change);
  await rollBack(site.zk, change);
});
states["a first v2, rolled back"] = async (site) => {
  await states["first v2, awaiting promotion"]?.(site);
  await rollBack(site.zk, change);
};
states["a record that the conductor halted without a failure"] = async (site) => {
  await states["v2 after v1, rolling"]?.(site);
  const { record, version } = await readDeploy(site.zk, "web", "d9");
  await site.zk.set(deployPath("web", "d9"), encode(halted(record, '"v2" was barred', NOW)), version);
};

/** What changes something, each as it may be said. */
const verbs: readonly string[] = [
  "deploy web v9",
  "deploy web v2",
  "deploy web v9 --canary",
  "promote web",
  "promote web v2",
  "promote web v3",
  "rollback web",
  "rollback web v2",
  "rollback web v1",
  "deploy web v9 --urgent",
  "stage web v9",
  "restart web",
  "pause web",
  "pause web v2",
  "resume web",
  "resume web v2",
  "retry web",
  "freeze web",
  "unfreeze web",
  "abort web",
  "abort web v2",
  "builds bar web v2",
  "builds unbar web v2",
  "builds remove web v1",
  "builds remove web v2",
  "services remove web",
];
/** What only looks, or is about something else than a deploy. */
const others = new Set([
  "wait",
  "status",
  "plan",
  "monitor",
  "serve",
  "history",
  "logs",
  "hosts",
  "services",
  "builds",
]);

test("no verb is left out", async () => {
  const said = new Set(verbs.map((verb) => verb.split(" ")[0]));
  const allVerbs = membersOf(await ctlFor([])).map(({ name }) => name);
  expect(allVerbs.filter((verb) => !said.has(verb) && !others.has(verb))).toEqual([]);
});

interface Told extends CtlRun {
  /** The newest deploy's, afterwards. */
  readonly state: string;
}

const heard = new Map<Make, Map<string, Promise<Told>>>();

/** Says `words` one after the other to a service that is in the state. What was said so before is not said once more. */
async function say(make: Make, ...words: readonly string[]): Promise<Told> {
  const before = heard.get(make) ?? new Map<string, Promise<Told>>();
  heard.set(make, before);
  const key = words.join("\n");
  const said = before.get(key) ?? sayAnew(make, words);
  before.set(key, said);
  return said;
}

async function sayAnew(make: Make, words: readonly string[]): Promise<Told> {
  const chroot = `/ways-${(count += 1)}`;
  await using site = await Site.open(server.connectString, chroot);
  const artifact = { url: "file:///v9.tar.gz", digest: `sha256:${"9".repeat(64)}`, size: 1, time: NOW.toISOString() };
  await addBuild(site.zk, "web", "v9", { ...artifact, digest: artifact.digest as `sha256:${string}` });
  await make(site);
  let run: CtlRun = { code: -1, stdout: "", stderr: "" };
  const terminal = { env: { DEPLOYD_ZOOKEEPER: server.connectString, DEPLOYD_CHROOT: chroot } };
  for (const word of words) run = await ctl(argvOf(word), terminal);
  const isThere = (await site.zk.exists(servicePath("web"))) !== null;
  const latest = isThere ? (await readHead(site.zk, "web")).latest : null;
  const state = latest === null ? "nothing" : `${latest.record.build} ${latest.record.state}`;
  return { ...run, state: isThere ? state : "no service" };
}

/** Verbs that would wait for hosts. */
const detachable = new Set(["deploy", "stage", "restart", "promote", "rollback", "resume", "retry"]);

/** As it stands, but for what a hint cannot know; nobody waits for hosts that are not there. */
function argvOf(word: string): string[] {
  const argv = word
    .replace(/\bBUILD\b/, "v9")
    .replace(/\bHOST\b/, "web-01")
    .replace(/\bFILE\b/, `${dir.path}/new.tar.gz --build v7`)
    .split(" ");
  if (detachable.has(argv[0] ?? "")) return [...argv, "--detach"];
  return argv[0] === "wait" ? [...argv, "--timeout-s", "0.01"] : argv;
}

/** The commands that a text names. */
function commandsIn(text: string): string[] {
  return [...text.matchAll(/deployd ctl ((?:[A-Za-z0-9][\w.-]*|--[\w-]+)(?: (?:[A-Za-z0-9][\w.-]*|--[\w-]+))*)/g)].map(
    ([, command = ""]) => command.replace(/[.,]+$/, ""),
  );
}

/**
 * Looking and waiting come to whatever there is; what changes something has to be done, but for what a frozen service
 * refuses: the hint of that leads on.
 */
function isTaken({ code, stderr }: CtlRun, command: string): boolean {
  if (/^(wait|status|history|hosts list)\b/.test(command)) return code <= 4;
  return code === 0 || (code === 75 && /it is frozen.*\n.*deployd ctl unfreeze web, or /.test(stderr));
}

/** Whether hints alone lead from the words that were said to a deploy of another build. */
async function leadsOut(make: Make, said: readonly string[], depth = 3): Promise<readonly string[] | null> {
  const run = await say(make, ...said, "deploy web v9");
  if (run.code === 0) return said;
  if (depth === 0) return null;
  for (const command of commandsIn(run.stderr)) {
    if (/^(wait|status|history)\b/.test(command)) continue;
    const way = await leadsOut(make, [...said, command], depth - 1);
    if (way !== null) return way;
  }
  return null;
}

const told: string[] = [];

describe.each(Object.entries(states))("%s", (name, make) => {
  test("each verb is taken, or refused with hints that are", async () => {
    const rows: string[] = [];
    for (const verb of verbs) {
      const run = await say(make, verb);
      const { state, stderr } = run;
      const hints: string[] = [];
      if (run.code !== 0) {
        expect({ verb, stderr }).toMatchObject({ stderr: expect.stringMatching(/deployd ctl |Did you mean/) });
      }
      for (const command of commandsIn(run.code === 0 ? run.stdout : stderr)) {
        const done = await (run.code === 0 ? say(make, verb, command) : say(make, command));
        expect({ name, verb, command, ...done, taken: isTaken(done, command) }).toMatchObject({ taken: true });
        if (run.code !== 0) hints.push(`${command} → ${done.state}`);
      }
      const what = run.code === 0 ? `→ ${state}` : `${run.code} ⇒ ${hints.join("; ")}`;
      rows.push(`  ${verb.padEnd(24)}${what}`);
    }
    const way = await leadsOut(make, []);
    expect(way).not.toBeNull();
    const shown = await say(make, "status web");
    for (const command of commandsIn(shown.stdout)) {
      const done = await say(make, command);
      expect({ name, command, ...done, taken: isTaken(done, command) }).toMatchObject({ taken: true });
    }
    told.push(`${name}\n${rows.join("\n")}\n  out: ${[...(way ?? []), "deploy web v9"].join(", ")}\n`);
  });
});

test("the table of all states and verbs is what the golden file says", async () => {
  expect(told).toHaveLength(Object.keys(states).length);
  await expectGolden("ways-out", told.join("\n"));
});
