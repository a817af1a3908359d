import { afterAll, beforeAll, expect, test } from "bun:test";
import { chmod, copyFile, mkdir, rm, rmdir, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { eventually } from "../harness/eventually.ts";
import { HOOK_MS, TEST_MS } from "../harness/fleet_patience.ts";
import { withFleet, type Fleet } from "../harness/fleet.ts";
import type { FleetHost } from "../harness/fleet_host.ts";
import { mountTmpfs } from "../harness/tmpfs.ts";
import { sharedZooKeeper, type SharedZooKeeper } from "../harness/shared_zookeeper.ts";

/*
 * A disk that is full, of bytes and of names, from one stage of a deploy on, and stays full: the agent lives, and the
 * service answers. Every stage has a host of its own, with a small disk to itself.
 */

let zookeeper: SharedZooKeeper;
beforeAll(async () => void (zookeeper = await sharedZooKeeper()), HOOK_MS);
afterAll(() => zookeeper.stop(), HOOK_MS);

const MIB = 1024 * 1024;
/** 64 MiB must be free before anything is fetched. */
const DISK = `size=${78 * MIB},nr_inodes=600`;

interface Stage {
  /** From where on the disk is full. */
  readonly at: string;
  /** Whether a good build comes to life all the same. */
  readonly comes: boolean;
  /** What the agent tells goes to that disk as well. */
  readonly logsThere?: true;
  /** The service writes its pid file there, and dies when it cannot. */
  readonly pidThere?: true;
}

const STAGES: readonly Stage[] = [
  { at: "never", comes: true },
  { at: "fetch", comes: false },
  { at: "unpack", comes: false },
  { at: "install", comes: false },
  { at: "installed", comes: false },
  { at: "ready", comes: false },
  { at: "started", comes: true },
  { at: "soak", comes: true },
  { at: "back", comes: true },
  { at: "start", comes: true, logsThere: true },
  { at: "start", comes: false, pidThere: true },
  { at: "stop", comes: false, pidThere: true },
];

interface Case extends Stage {
  readonly host: FleetHost;
  readonly pid: number;
}

/** @param fills whether it fills disks on its way to life; one that does not may do so when it is come back to */
async function addBuild(fleet: Fleet, id: string, fills: boolean): Promise<void> {
  const tree = join(fleet.dir, "trees", id);
  await mkdir(tree, { recursive: true });
  for (const name of ["filling.sh", "filling_server.mjs"]) {
    await copyFile(join(import.meta.dir, "../harness", name), join(tree, name));
  }
  for (const name of ["a", "b", "c", "d"]) await writeFile(join(tree, name), name);
  const fill = (stage: string): string => (fills ? `sh "$DEPLOYD_RELEASE/filling.sh" ${stage} 2>/dev/null` : ":");
  const steps = [`${fill("installed")}; ${fill("install")}; [ ${fills} = false ] || [ "$FILL_AT" != install ]`];
  const recipe = `[install]
steps = ${JSON.stringify(steps)}
shared = ["run"]

[restart]
by = "command"
stop = '''
${fill("stop")}
pid=$(cat "$PID_FILE" 2>/dev/null) || exit 0
kill "$pid" 2>/dev/null
while grep -q . "/proc/$pid/cmdline" 2>/dev/null; do sleep 0.02; done
'''
start = '''
${fills ? ': > "$PID_FILE.began"' : '[ ! -e "$PID_FILE.began" ] || sh "$DEPLOYD_RELEASE/filling.sh" back 2>/dev/null'}
${fill("start")}
cd "$DEPLOYD_CURRENT" && FILLS=${fills ? "yes" : "no"} "$NODE" filling_server.mjs > /dev/null 2>&1 &
${fill("started")}
'''
timeout_s = 60

[check]
http = "http://127.0.0.1:\${PORT}/"
interval_s = 0.05
deadline_s = 3
successes = 2
`;
  await writeFile(join(tree, "deployd.toml"), recipe);
  await mkdir(join(fleet.dir, "builds"), { recursive: true });
  const archive = join(fleet.dir, "builds", `${id}.tar.zst`);
  expect(Bun.spawnSync(["sh", "-c", 'tar -c -C "$1" . | zstd -q -o "$2"', "sh", tree, archive]).exitCode).toBe(0);
  await fleet.addUnread(id, archive);
}

const fillerOf = (host: FleetHost): string => join(host.root, "shared", "run", "filler");

// One more than there is room for, by one process.
const MAKE_NAMES = 'cd "$1" || exit; ! mkdir $(seq 0 "$(stat -f -c %d .)") 2>/dev/null';

/** Until no byte and no name more fits; or, where some names are to be left, until there are no more than these. */
async function fill(host: FleetHost, names = 0): Promise<void> {
  const filler = fillerOf(host);
  await mkdir(filler, { recursive: true });
  const { bavail, bsize } = await statfs(filler);
  if (names === 0) await writeFile(join(filler, "bytes"), Buffer.alloc(bavail * bsize));
  expect(Bun.spawnSync(["sh", "-c", MAKE_NAMES, "sh", filler]).exitCode).toBe(0);
  for (let at = 0; at < names; at += 1) await rmdir(join(filler, String(at)));
}

interface Shown {
  readonly hosts: readonly { readonly host: string; readonly step: string | null }[];
}

/** Deploys to the host whose disk is never full, and on to the others when all that can be prepared there is. */
async function deployInStages(fleet: Fleet, cases: readonly Case[], build: string): Promise<void> {
  for (const { at, host } of cases) {
    if (at === "fetch") await fill(host);
    // For the download and two directories; the rest is for the first files of the build.
    if (at === "unpack") await fill(host, 5);
  }
  await fleet.ok("deploy", "web", build, "--canary");
  await eventually(async () => {
    const { hosts } = await fleet.json<Shown>("status", "web");
    return hosts.every(({ step }) => step === "ready" || step === "failed" || step === "serving");
  });
  for (const { at, host } of cases) if (at === "ready") await fill(host);
  await fleet.ctl("promote", "web", "--timeout-s", "150");
}

/** What must be so on every host. All of it is told, since the stages are what matters. */
async function expectAnswers(cases: readonly Case[], wanted: (stage: Stage) => string): Promise<void> {
  const seen = async (): Promise<string[]> =>
    Promise.all(cases.map(async (each) => lineOf(each, await each.host.answer())));
  const lineOf = ({ at, host, logsThere, pidThere }: Case, answer: string): string =>
    `full at ${at}${logsThere ? ", its log too" : ""}${pidThere ? ", its pid file there" : ""}: ${answer}, agent ${host.isUp ? host.pid : "down"}`;
  const expected = cases.map((each) => lineOf(each, `200 page of ${wanted(each)}`));
  await eventually(async () => Bun.deepEquals(await seen(), expected)).catch(() => {});
  expect(await seen()).toEqual(expected);
  for (const { host, pid } of cases) {
    expect(host.pid).toBe(pid);
    expect((await fetch(`${await host.statusUrl()}/livez`)).status).toBe(200);
  }
}

async function makeRoom(cases: readonly Case[]): Promise<void> {
  for (const { host } of cases) await rm(fillerOf(host), { recursive: true, force: true });
}

// Only root may mount.
test.if(process.getuid?.() === 0)(
  "whenever the disk is full, the agent lives and the service answers, by the old build where the new one is broken",
  async () => {
    await withFleet({ hosts: 0, zookeeper: zookeeper.connectString, started: false }, async (fleet) => {
      const pids = join(fleet.dir, "pids");
      await mkdir(pids);
      await chmod(pids, 0o777);
      await using mounts = new AsyncDisposableStack();
      for (const [at, stage] of STAGES.entries()) {
        const name = `web-${at + 1}`;
        const ill = stage.at === "never" ? "none" : "broken";
        const pidFile = join(stage.pidThere ? join(fleet.dir, name, "srv/web/shared/run") : pids, name);
        const env = { FILL_AT: stage.at, ILL: ill, PID_FILE: pidFile };
        const host = await fleet.addHost(name, { env, bottom: "[limits]\nfetch_attempts = 1\nreleases = 1" });
        mounts.use(await mountTmpfs(stage.logsThere ? host.dir : join(host.root, ".."), DISK));
        await host.writeConfig();
      }
      await fleet.begin(true);
      const many = String(STAGES.length);
      await fleet.ok("services", "set", "web", "--max", many, "--budget", many, "--soak-s", "0.5");
      await fleet.ok("hosts", "role", "web", "web-1", "canary");
      const cases: Case[] = STAGES.map((stage, at) => {
        const host = fleet.host(at + 1);
        return { ...stage, host, pid: host.pid };
      });
      for (const id of ["first", "second", "third"]) await addBuild(fleet, id, false);
      for (const id of ["good", "broken"]) await addBuild(fleet, id, true);
      await fleet.ok("deploy", "web", "first");

      await deployInStages(fleet, cases, "good");
      await expectAnswers(cases, ({ comes }) => (comes ? "good" : "first"));

      await makeRoom(cases);
      await fleet.ok("deploy", "web", "second");
      await expectAnswers(cases, () => "second");

      await deployInStages(fleet, cases, "broken");
      await expectAnswers(cases, ({ at }) => (at === "never" ? "broken" : "second"));

      // An agent that is started again on a full disk goes on.
      const [again] = cases.filter(({ at }) => at === "started");
      await again?.host.kill();
      await again?.host.start();
      await eventually(async () => again !== undefined && (await fetch(`${await again.host.statusUrl()}/livez`)).ok);

      await makeRoom(cases);
      await fleet.ok("deploy", "web", "third");
      expect(await fleet.answers()).toEqual(cases.map(() => "200 page of third"));
    });
  },
  TEST_MS,
);
