import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { eventually } from "../harness/eventually.ts";
import { sharedZooKeeper, type SharedZooKeeper } from "../harness/shared_zookeeper.ts";
import { PuppetFleet } from "./fleet.ts";
import { ctl, startCtl, type CtlRun, type RunningCtl } from "./terminal.ts";

/*
 * How `deployd ctl` tells of deploys that a person stops, has go on or tries again, of those that come in stages, and of
 * hosts and services that are kept out of their way.
 */

let server: SharedZooKeeper;
beforeAll(async () => {
  server = await sharedZooKeeper();
});
afterAll(async () => {
  await server.stop();
});

const hosts = ["web-01", "web-02", "web-03"];

/** Three hosts of `web` that serve b1, and a build b2. */
async function serving(...settings: string[]) {
  const chroot = `/test-${crypto.randomUUID()}`;
  const terminal = { env: { DEPLOYD_ZOOKEEPER: server.connectString, DEPLOYD_CHROOT: chroot }, now: () => new Date() };
  const at = {
    ctl: (...argv: string[]): Promise<CtlRun> => ctl(argv, terminal),
    start: (...argv: string[]): RunningCtl => startCtl(argv, terminal),
    json: async (...argv: string[]) => JSON.parse((await ctl([...argv, "--json"], terminal)).stdout),
    fleet: new PuppetFleet(server.connectString + chroot, "web"),
  };
  const max = settings.includes("--max") ? [] : ["--max", "2"];
  expect((await at.ctl("services", "set", "web", ...max, ...settings)).code).toBe(0);
  const digest = `sha256:${"ab".repeat(32)}`;
  for (const build of ["b1", "b2", "b3"]) {
    const flags = ["--build", build, "--digest", digest, "--size", "1"];
    expect((await at.ctl("builds", "add", "web", `https://x/${build}`, ...flags)).code).toBe(0);
  }
  for (const host of hosts) await at.fleet.join(host);
  expect((await at.ctl("deploy", "web", "b1", "--stages", "100%", "--detach")).code).toBe(0);
  await at.fleet.serveAll();
  return at;
}

async function following(running: RunningCtl, line: RegExp): Promise<void> {
  await eventually(() => line.test(running.stdout()) || line.test(running.stderr()), 15_000);
}

interface Act {
  readonly act: string;
  readonly why: string;
  readonly override?: string;
}
const actsIn = (acts: readonly Act[]) => acts.map(({ act, why }) => [act, why]);

describe("a deploy that is paused", () => {
  test("is 3 for who follows it, is told how to go on, and goes on where it was", async () => {
    const at = await serving();
    await using fleet = at.fleet;
    const deploying = at.start("deploy", "web", "b2");
    await following(deploying, /preparing/);
    await fleet.activate();
    const paused = await at.ctl("pause", "web", "b2", "--why", "the error rate");
    expect(paused.code).toBe(0);
    expect(paused.stdout).toMatch(/is paused: no other host begins/);
    expect(paused.stdout).toContain("Go on: deployd ctl resume web b2");
    const followed = await deploying.finished;
    expect(followed.code).toBe(3);
    expect(followed.stdout).toMatch(/‖ paused/);
    expect(followed.stdout).toContain("deployd ctl resume web b2");
    // Said twice, it is done once.
    expect((await at.ctl("pause", "web")).code).toBe(0);
    expect((await at.ctl("wait", "web")).code).toBe(3);

    const resuming = at.start("resume", "web", "--why", "a false alarm");
    await following(resuming, /rolling/);
    await fleet.serveAll();
    expect((await resuming.finished).code).toBe(0);
    const { deploy } = await at.json("status", "web");
    expect(actsIn(deploy.acts)).toEqual([
      ["started", ""],
      ["paused", "the error rate"],
      ["resumed", "a false alarm"],
    ]);
  });

  test("goes on from a script, and what does not stand still is not resumed", async () => {
    const at = await serving();
    await using _fleet = at.fleet;
    expect(await at.ctl("resume", "web")).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/is done, so it does not/),
    });
    expect((await at.ctl("deploy", "web", "b2", "--detach")).code).toBe(0);
    expect((await at.json("pause", "web")).state).toBe("paused");
    expect((await at.json("resume", "web", "--detach")).state).toBe("preparing");
    expect((await at.ctl("pause", "web", "b1")).code).toBe(75);
  });

  test("does not go on with a build that was barred meanwhile", async () => {
    const at = await serving();
    await using _fleet = at.fleet;
    await at.ctl("deploy", "web", "b2", "--detach");
    await at.ctl("pause", "web");
    expect((await at.ctl("builds", "bar", "web", "b2", "--why", "it leaks")).code).toBe(0);
    const refused = await at.ctl("resume", "web", "--detach");
    expect(refused.code).toBe(75);
    expect(refused.stderr).toMatch(/barred by ana@laptop.*it leaks/);
    expect(refused.stderr).toContain("deployd ctl rollback web b2");
    expect((await at.json("status", "web")).deploy.state).toBe("paused");
  });
});

describe("a deploy that failed", () => {
  test("is tried again where it halted, and its failures count against a new budget", async () => {
    const at = await serving("--budget", "1");
    await using fleet = at.fleet;
    const deploying = at.start("deploy", "web", "b2");
    await following(deploying, /preparing/);
    await fleet.activate();
    await fleet.fail("web-01", "got 502", "");
    await fleet.fail("web-02", "got 502", "");
    await fleet.move({ to: "halted", reason: "web-02: got 502" });
    expect((await deploying.finished).code).toBe(3);
    const retrying = at.start("retry", "web", "b2", "--why", "the mirror is back");
    await following(retrying, /rolling/);
    await fleet.serveAll();
    expect((await retrying.finished).code).toBe(0);
    const { deploy } = await at.json("status", "web");
    expect(actsIn(deploy.acts).at(-1)).toEqual(["retried", "the mirror is back"]);
    // Done without one that had failed, it can be tried again all the same.
    expect((await at.json("retry", "web", "--detach")).state).toBe("done");
  });
});

describe("a deploy in stages", () => {
  test("says in which it is, waits where it is told to, and is promoted from each to the next", async () => {
    const at = await serving("--stages", "50%/promote,100%");
    await using fleet = at.fleet;
    const deploying = at.start("deploy", "web", "b2");
    await following(deploying, /preparing/);
    const { deploy } = await at.json("status", "web");
    expect(deploy).toMatchObject({ stages: ["50%/promote", "100%"], stage: "50%/promote", state: "preparing" });
    expect(await at.ctl("promote", "web")).toMatchObject({
      code: 75,
      stderr: expect.stringMatching(/the hosts of its stage, 50%\/promote, do not all serve "b2" yet/),
    });
    await fleet.activate();
    await fleet.move({ to: "proven" });
    const stopped = await deploying.finished;
    expect(stopped.code).toBe(0);
    expect(stopped.stdout).toContain("On to the fleet: deployd ctl promote web b2");
    const promoting = at.start("promote", "web", "--why", "flat");
    await following(promoting, /rolling/);
    await fleet.serveAll();
    expect((await promoting.finished).code).toBe(0);
    expect((await at.json("status", "web")).deploy).toMatchObject({ stage: "100%", state: "done" });
  });

  test("is refused where a stage has nobody, with the zone that was meant", async () => {
    const at = await serving();
    await using _fleet = at.fleet;
    expect(await at.ctl("deploy", "web", "b2", "--stages", "zone:a")).toMatchObject({
      code: 64,
      stderr: expect.stringMatching(/none of its 3 hosts is in the zone "a"; no host says in which zone it is/),
    });
    expect((await at.ctl("deploy", "web", "b2", "--stages", "canary")).stderr).toContain(
      "deployd ctl hosts role web HOST canary",
    );
  });

  test("has limits of its own, in percent, and the service's where it says nothing", async () => {
    const at = await serving("--max", "5,50%", "--max-per-zone", "1", "--budget", "10%", "--on-halt", "rollback");
    await using _fleet = at.fleet;
    expect((await at.json("services", "show", "web")).settings).toMatchObject({
      max: "5,50%",
      max_per_zone: 1,
      budget: "10%",
      on_halt: "rollback",
    });
    const flags = ["--max", "34%", "--progress-s", "90", "--first-zone-soak-s", "60"];
    await at.ctl("deploy", "web", "b2", ...flags, "--detach");
    const { deploy } = await at.json("status", "web");
    expect(deploy.limits).toMatchObject({
      max: "34%",
      max_per_zone: 1,
      budget: "10%",
      progress_s: 90,
      first_zone_soak_s: 60,
    });
    const { stdout } = await at.ctl("status", "web");
    expect(stdout).toContain("max 34% (1), ");
  });
});

test("an urgent deploy ends the one that is under way, and says whose it was", async () => {
  const at = await serving();
  await using _fleet = at.fleet;
  await at.ctl("deploy", "web", "b2", "--id", "mine", "--detach");
  expect((await at.ctl("deploy", "web", "b3", "--detach")).code).toBe(75);
  const urgent = await at.ctl("deploy", "web", "b3", "--urgent", "--id", "hotfix", "--detach");
  expect(urgent.code).toBe(0);
  expect(urgent.stdout + urgent.stderr).toContain("overtakes deploy mine of b2 by ana@laptop, which was preparing");
  const { deploys } = await at.json("history", "web");
  expect(deploys.map(({ id, state }: { id: string; state: string }) => [id, state]).slice(0, 2)).toEqual([
    ["hotfix", "preparing"],
    ["mine", "aborted"],
  ]);
  expect(deploys[1].reason).toContain('overtaken by the urgent deploy hotfix of "b3" by ana@laptop');
});

describe("a service that is frozen", () => {
  test("refuses deploys with who and why, takes one with a reason, and is unfrozen", async () => {
    const at = await serving();
    await using _fleet = at.fleet;
    expect((await at.ctl("freeze", "web", "--why", "Black Friday")).stdout).toContain("deployd ctl unfreeze web");
    const refused = await at.ctl("deploy", "web", "b2", "--json");
    expect(refused.code).toBe(75);
    const { error } = JSON.parse(refused.stdout);
    expect(error).toMatchObject({
      code: "frozen",
      message: expect.stringMatching(/frozen, by ana@laptop: Black Friday/),
    });
    expect((await at.ctl("deploy", "web", "b2", "--override", "the shop burns", "--detach")).code).toBe(0);
    const { deploy } = await at.json("status", "web");
    expect(deploy.acts).toMatchObject([{ act: "started", override: "the shop burns" }]);
    // What is under way can be stopped and taken back all the same.
    expect((await at.ctl("pause", "web")).code).toBe(0);
    expect((await at.ctl("rollback", "web", "--detach")).code).toBe(0);
    expect((await at.ctl("abort", "web")).code).toBe(0);
    expect((await at.json("unfreeze", "web")).was_frozen).toBe(true);
    expect((await at.json("unfreeze", "web")).was_frozen).toBe(false);
    expect((await at.ctl("deploy", "web", "b3", "--detach")).code).toBe(0);
  });

  test("is so for as long as was said", async () => {
    const at = await serving();
    await using _fleet = at.fleet;
    const { freeze } = await at.json("freeze", "web", "--for", "90m");
    expect(Date.parse(freeze.until) - Date.parse(freeze.time)).toBe(90 * 60_000);
    expect((await at.ctl("deploy", "web", "b2", "--detach")).stderr).toContain(`it is frozen until ${freeze.until}`);
    await at.ctl("freeze", "web", "--for", "1ms");
    await eventually(async () => (await at.ctl("deploy", "web", "b2", "--detach")).code === 0);
  });
});

describe("a host that a person works on", () => {
  test("is held when its turn comes, and given back", async () => {
    const at = await serving();
    await using fleet = at.fleet;
    const holding = at.start("hosts", "hold", "web", "web-02", "--why", "a new kernel");
    await fleet.hold("web-02");
    const held = await holding.finished;
    expect(held).toMatchObject({ code: 0, stdout: expect.stringContaining("deployd ctl hosts release web web-02") });
    // Who asks again is told that it is, and for whom.
    expect(await at.json("hosts", "hold", "web", "web-02")).toMatchObject({
      held: true,
      who: "ana@laptop",
      why: "a new kernel",
    });
    const releasing = at.start("hosts", "release", "web", "web-02");
    await fleet.hold("web-02", false);
    expect(await releasing.finished).toMatchObject({ code: 0, stdout: "web-02 is released in web.\n" });
    expect(await at.ctl("hosts", "release", "web", "web-02")).toMatchObject({
      code: 0,
      stdout: "web-02 is not held in web.\n",
    });
  });

  test("waits for that no longer than is said, and stays asked for", async () => {
    const at = await serving();
    await using _fleet = at.fleet;
    expect(await at.ctl("hosts", "hold", "web", "web-02", "--timeout-s", "0.3")).toMatchObject({
      code: 4,
      stdout: expect.stringMatching(/when its turn comes/),
    });
    expect((await at.ctl("hosts", "hold", "web", "web-02", "--detach")).code).toBe(0);
    expect((await at.ctl("hosts", "hold", "web", "web-9")).code).toBe(64);
  });
});

describe("a restart", () => {
  test("is a deploy of what the fleet serves, which is never taken back by itself", async () => {
    const at = await serving("--on-halt", "rollback");
    await using fleet = at.fleet;
    await at.ctl("deploy", "web", "b2", "--detach");
    await fleet.serveAll();
    const restarting = at.start("restart", "web", "--max", "1", "--why", "a new password");
    await following(restarting, /web b2.*preparing/);
    const { deploy } = await at.json("status", "web");
    expect(deploy).toMatchObject({ build: "b2", why: "a new password", limits: { max: 1 } });
    expect(await fleet.policy()).toBe("ask");
    await fleet.serveAll();
    expect((await restarting.finished).code).toBe(0);
  });

  test("of a fleet that serves nothing is refused", async () => {
    const at = await serving();
    await using _fleet = at.fleet;
    await at.ctl("services", "set", "api");
    expect(await at.ctl("restart", "api")).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/deployd ctl deploy api BUILD/),
    });
  });
});

test("a build is staged on the hosts, and those that cannot prepare it say why", async () => {
  const at = await serving();
  await using fleet = at.fleet;
  expect((await at.ctl("stage", "web", "b9")).code).toBe(64);
  const staging = at.start("stage", "web", "b2");
  await fleet.say("web-01", "serving", { prepared: { build: "b2", isReady: true, problem: "" } });
  await fleet.say("web-02", "serving", { prepared: { build: "b2", isReady: false, problem: "no room" } });
  await following(staging, /! web-02: no room/);
  await fleet.leave("web-03");
  await fleet.say("web-02", "serving", { prepared: { build: "b2", isReady: true, problem: "" } });
  expect(await staging.finished).toMatchObject({
    code: 0,
    stdout: "2 hosts of web have b2 ready, web-03 when connected.\n",
  });
  expect((await at.ctl("stage", "web", "b3", "--timeout-s", "0.1")).code).toBe(4);
  await at.ctl("builds", "bar", "web", "b2");
  expect((await at.ctl("stage", "web", "b2")).code).toBe(75);
});
