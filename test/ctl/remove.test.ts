import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { buildPath, servicePath, servicesPath } from "../../src/store/paths.ts";
import { systemClock } from "../../src/support/clock.ts";
import { ZooKeeper } from "../../src/zookeeper/client.ts";
import { startDevServer, type DevServer } from "../../src/zookeeper/server/dev_server.ts";
import { eventually } from "../harness/eventually.ts";
import { PuppetFleet } from "./fleet.ts";
import { ctl, startCtl, type CtlRun, type RunningCtl } from "./terminal.ts";

/* Services and builds that nobody wants: how they do not come to be, and how they go. */

let server: DevServer;
beforeAll(async () => void (server = await startDevServer({ clock: systemClock })));
afterAll(() => server.close());

interface Tree {
  ctl(...argv: string[]): Promise<CtlRun>;
  start(...argv: string[]): RunningCtl;
  readonly servers: string;
}

function tree(): Tree {
  const chroot = `/test-${crypto.randomUUID()}`;
  const terminal = { env: { DEPLOYD_ZOOKEEPER: server.connectString, DEPLOYD_CHROOT: chroot }, now: () => new Date() };
  return {
    ctl: (...argv) => ctl(argv, terminal),
    start: (...argv) => startCtl(argv, terminal),
    servers: server.connectString + chroot,
  };
}

async function addBuilds(at: Tree, ...builds: string[]): Promise<void> {
  const digest = `sha256:${"ab".repeat(32)}`;
  for (const build of builds) {
    const { code } = await at.ctl(
      "builds",
      "add",
      "web",
      `https://x/${build}`,
      "--build",
      build,
      "--digest",
      digest,
      "--size",
      "1",
    );
    expect(code).toBe(0);
  }
}

/** `web` with three builds on as many hosts, and b1 served. */
async function serving(hosts: readonly string[] = ["web-01", "web-02", "web-03"]) {
  const at = tree();
  expect((await at.ctl("services", "set", "web")).code).toBe(0);
  await addBuilds(at, "b1", "b2", "b3");
  const fleet = new PuppetFleet(at.servers, "web");
  for (const host of hosts) await fleet.join(host);
  await served(at, fleet, "b1");
  return { ...at, fleet };
}

async function served(at: Tree, fleet: PuppetFleet, build: string): Promise<void> {
  expect((await at.ctl("deploy", "web", build, "--detach")).code).toBe(0);
  await fleet.serveAll();
}

/** The commands that an error's hint names, in their order. */
function hinted(run: CtlRun): string[][] {
  return [...run.stderr.matchAll(/deployd ctl ((?:[\w.-]+ ?)+)/g)].map((match) => (match[1] ?? "").trim().split(" "));
}

describe("services set", () => {
  test("takes a name that is nearly another's for a slip, unless it is said to be meant", async () => {
    const at = tree();
    expect((await at.ctl("services", "set", "web", "--max", "2")).stdout).toStartWith("Made the service web.\n");
    const slip = await at.ctl("services", "set", "wbe", "--max", "3");
    expect(slip).toMatchObject({ code: 64, stdout: "" });
    expect(slip.stderr).toBe(
      'deployd: There is no service "wbe".\n  Did you mean "web"? To make another of that name: deployd ctl services set wbe --new\n',
    );
    expect((await at.ctl("services", "list")).stdout).not.toContain("wbe");
    const [meant = []] = hinted(slip);
    expect(meant).toEqual(["services", "set", "wbe", "--new"]);
    expect(await at.ctl(...meant)).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Made the service wbe\./) });
    // Again, as a program that sets a machine up does it.
    expect(await at.ctl(...meant)).toMatchObject({ code: 0, stdout: expect.not.stringContaining("Made") });
  });

  test("makes services that are short, numbered, or unlike", async () => {
    const at = tree();
    for (const name of ["web", "db", "api", "job", "shard-1", "shard-2", "checkout"]) {
      const run = await at.ctl("services", "set", name, "--json");
      expect({ name, ...run }).toMatchObject({ code: 0, stderr: "" });
      expect(JSON.parse(run.stdout)).toMatchObject({ service: name, made: true });
    }
    expect((await at.ctl("services", "set", "chekcout")).code).toBe(64);
    expect(JSON.parse((await at.ctl("services", "set", "web", "--json")).stdout)).toMatchObject({ made: false });
  });

  test("says where max is no limit, and so does deploy", async () => {
    const at = await serving();
    await using _fleet = at.fleet;
    const warning = (max: number) =>
      `! max ${max} is no limit for web, which has 3 hosts: all of them may be out of service at once.\n`;
    expect(await at.ctl("services", "set", "web", "--max", "3")).toMatchObject({ code: 0, stderr: warning(3) });
    expect(await at.ctl("services", "set", "web", "--max", "2")).toMatchObject({ code: 0, stderr: "" });
    const loud = await at.ctl("deploy", "web", "b2", "--max", "5", "--detach", "--json");
    expect(loud).toMatchObject({ code: 0, stderr: warning(5) });
    expect(JSON.parse(loud.stdout)).toMatchObject({ schema: "deployd.ctl.deploy/1" });
  });
});

describe("services remove", () => {
  test("is refused while a deploy is under way or hosts have it; each hint leads on, until it is gone", async () => {
    const at = await serving(["web-01", "web-02"]);
    await using fleet = at.fleet;
    await using zk = new ZooKeeper({ clock: systemClock, servers: at.servers });
    expect(await at.ctl("services", "remove", "wbe")).toMatchObject({
      code: 64,
      stderr: expect.stringContaining('"web"?'),
    });
    expect((await at.ctl("deploy", "web", "b2", "--detach")).code).toBe(0);

    const running = await at.ctl("services", "remove", "web");
    expect(running.code).toBe(75);
    expect(running.stderr).toContain("is preparing");
    for (const argv of hinted(running)) expect((await at.ctl(...argv)).code).toBe(0);

    const inUse = await at.ctl("services", "remove", "web");
    expect(inUse.code).toBe(1);
    expect(inUse.stderr).toContain("web-01, web-02 are registered for it");
    expect(inUse.stderr).toContain("Take [services.web] out of agent.toml on web-01, web-02");
    await fleet.leave("web-01");
    await fleet.leave("web-02");
    for (const argv of hinted(inUse)) expect((await at.ctl(...argv)).code).toBe(0);
    const both = await at.ctl("services", "remove", "web");
    expect(both.stderr).toContain("Forget them one by one");
    for (const argv of hinted(both)) expect((await at.ctl(...argv)).code).toBe(0);

    const one = await at.ctl("services", "remove", "web", "--json");
    expect(one.code).toBe(1);
    expect(JSON.parse(one.stdout)).toMatchObject({ error: { code: "conflict" } });
    expect(one.stderr).toContain("web-02 is registered for it");
    for (const argv of hinted(one)) expect((await at.ctl(...argv)).code).toBe(0);

    expect(await at.ctl("services", "remove", "web")).toMatchObject({
      code: 0,
      stdout: "web is removed from ZooKeeper.\n",
    });
    expect((await zk.children(servicesPath)).children).toEqual([]);
    expect((await at.ctl("services", "remove", "web")).code).toBe(64);
    // And it can be made anew.
    expect((await at.ctl("services", "set", "web")).code).toBe(0);
    expect((await at.ctl("status", "web")).stdout).toContain("nothing was ever deployed");
  });

  test("ends a removal that was killed half way, and takes what cannot be read with it", async () => {
    const at = tree();
    await using zk = new ZooKeeper({ clock: systemClock, servers: at.servers });
    expect((await at.ctl("services", "set", "web")).code).toBe(0);
    await addBuilds(at, "b1");
    for (const child of ["enabled", "hosts"]) await zk.delete(`${servicePath("web")}/${child}`);
    await zk.set(servicePath("web"), "no record");
    expect((await at.ctl("services", "remove", "web")).code).toBe(0);
    expect(await zk.exists(servicePath("web"))).toBeNull();
  });
});

describe("builds remove", () => {
  test("is refused while somebody needs the build; each hint leads on, until it is gone", async () => {
    const at = await serving();
    await using fleet = at.fleet;
    expect(await at.ctl("builds", "remove", "web", "b9")).toMatchObject({ code: 64 });
    expect(await at.ctl("builds", "remove", "web", "b3")).toMatchObject({ code: 0, stdout: "b3 of web is removed.\n" });
    await addBuilds(at, "b3");

    const wished = await at.ctl("builds", "remove", "web", "b1");
    expect(wished.code).toBe(1);
    expect(wished.stderr).toContain("it is what the fleet is to serve");
    await carriedOut(at, fleet, wished, ["deploy", "web", "b3"]);

    const wayBack = await at.ctl("builds", "remove", "web", "b1");
    expect(wayBack.code).toBe(1);
    expect(wayBack.stderr).toMatch(/it is what deploy \S+ would go back to/);
    expect(hinted(wayBack)).toEqual([["deploy", "web", "b2"]]);
    expect((await at.ctl("deploy", "web", "b2", "--detach")).code).toBe(0);

    const underWay = await at.ctl("builds", "remove", "web", "b3");
    expect(underWay.code).toBe(75);
    expect(underWay.stderr).toContain('of "b2" is preparing');
    expect(hinted(underWay)).toEqual([
      ["wait", "web"],
      ["abort", "web", "b2"],
    ]);
    await fleet.serveAll();
    expect((await at.ctl("wait", "web")).code).toBe(0);

    // A host that is gone served it last.
    await fleet.say("web-02", "serving", { build: "b1" });
    await fleet.leave("web-02");
    const lost = await at.ctl("builds", "remove", "web", "b1");
    expect(lost.code).toBe(1);
    expect(lost.stderr).toContain("web-02 served it last");
    for (const argv of hinted(lost)) expect((await at.ctl(...argv)).code).toBe(0);
    expect((await at.ctl("builds", "remove", "web", "b1")).code).toBe(0);
    expect((await at.ctl("builds", "list", "web")).stdout).not.toContain("b1");
  });

  test("takes one that cannot be read", async () => {
    const at = tree();
    await using zk = new ZooKeeper({ clock: systemClock, servers: at.servers });
    expect((await at.ctl("services", "set", "web")).code).toBe(0);
    await zk.create(buildPath("web", "b1"), "no record");
    expect((await at.ctl("builds", "remove", "web", "b1")).code).toBe(0);
    expect(await zk.exists(buildPath("web", "b1"))).toBeNull();
  });
});

/** Does what a hint says, with a fleet that serves whatever is wished. */
async function carriedOut(at: Tree, fleet: PuppetFleet, refused: CtlRun, expected: readonly string[]): Promise<void> {
  expect(hinted(refused)).toEqual([[...expected]]);
  const before = await fleet.newest();
  const running = at.start(...expected);
  await eventually(async () => (await fleet.newest()) !== before);
  await fleet.serveAll();
  expect((await running.finished).code).toBe(0);
}
