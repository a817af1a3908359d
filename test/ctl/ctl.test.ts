import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { archive, directory, file as tarFile } from "../evil/tar_builder.ts";
import { eventually } from "../harness/eventually.ts";
import { tempDir } from "../harness/tempdir.ts";
import { sharedZooKeeper, type SharedZooKeeper } from "../harness/shared_zookeeper.ts";
import { PuppetFleet } from "./fleet.ts";
import { ctl, startCtl, type CtlRun, type RunningCtl } from "./terminal.ts";

let server: SharedZooKeeper;
const now = (): Date => new Date();

beforeAll(async () => {
  server = await sharedZooKeeper();
});
afterAll(async () => {
  await server.stop();
});

/** A tree of its own in the one server, so that every test starts with nothing. */
function tree() {
  const chroot = `/test-${crypto.randomUUID()}`;
  const terminal = { env: { DEPLOYD_ZOOKEEPER: server.connectString, DEPLOYD_CHROOT: chroot }, now };
  return {
    chroot,
    ctl: (...argv: string[]): Promise<CtlRun> => ctl(argv, terminal),
    start: (...argv: string[]): RunningCtl => startCtl(argv, terminal),
    fleet: (): PuppetFleet => new PuppetFleet(server.connectString + chroot, "web"),
    terminal,
  };
}

const digest = `sha256:${"ab".repeat(32)}`;

/** A service `web` with builds b1 and b2 and three hosts. */
async function withHosts(...settings: string[]) {
  const at = tree();
  await at.ctl("services", "set", "web", "--max", "2", ...settings);
  for (const build of ["b1", "b2"]) {
    const run = await at.ctl(
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
    expect(run.code).toBe(0);
  }
  const fleet = at.fleet();
  for (const host of ["web-01", "web-02", "web-03"]) await fleet.join(host);
  return { ...at, fleet };
}

/** The same with b1 served everywhere, as an older deploy left it. */
async function serving(...settings: string[]) {
  const at = await withHosts(...settings);
  expect((await at.ctl("deploy", "web", "b1", "--detach")).code).toBe(0);
  await at.fleet.serveAll();
  return at;
}

async function following(running: RunningCtl, line: RegExp): Promise<void> {
  await eventually(() => line.test(running.stdout()) || line.test(running.stderr()), 15_000);
}

describe("services", () => {
  test("are made in a tree that is not there yet, keep what is not changed, and are listed", async () => {
    const at = tree();
    expect(await at.ctl("services", "list")).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^No services yet/),
    });
    expect((await at.ctl("services", "set", "web", "--max", "3", "--soak-s", "1.5")).code).toBe(0);
    expect((await at.ctl("services", "set", "web", "--budget", "1")).code).toBe(0);
    const shown = await at.ctl("services", "show", "web", "--json");
    expect(JSON.parse(shown.stdout)).toEqual({
      schema: "deployd.ctl.service/1",
      service: "web",
      settings: {
        max: 3,
        budget: 1,
        soak_s: 1.5,
        on_halt: "ask",
        windows: [],
        after: [],
        not_while: [],
        exclusive: false,
        notify: [],
        freeze: null,
      },
    });
    expect((await at.ctl("services", "list")).stdout).toMatch(/^web +3 +1 +1.5s +-$/m);
  });

  test("that are not there are wrong usage in every verb, with the nearest name", async () => {
    const at = tree();
    await at.ctl("services", "set", "web");
    const verbs = [
      ["status", "wbe"],
      ["history", "wbe"],
      ["plan", "wbe", "b1"],
      ["logs", "wbe", "web-01"],
      ["wait", "wbe"],
      ["promote", "wbe"],
      ["rollback", "wbe"],
      ["deploy", "wbe", "b1"],
      ["builds", "list", "wbe"],
      ["hosts", "list", "wbe"],
      ["services", "show", "wbe"],
      ["services", "accept", "wbe"],
    ];
    for (const argv of verbs) {
      const run = await at.ctl(...argv);
      expect({ argv, code: run.code, stderr: run.stderr }).toEqual({
        argv,
        code: 64,
        stderr: 'deployd: There is no service "wbe".\n  Did you mean "web"?\n',
      });
    }
  });
});

describe("services accept", () => {
  const schema = "deployd.ctl.service-accepted/1";

  test("changes nothing, and says so, where no host holds anything", async () => {
    const at = await serving();
    await using _fleet = at.fleet;
    expect(await at.ctl("services", "accept", "web")).toMatchObject({
      code: 0,
      stdout: "No host of web holds a wish; nothing was changed.\n",
    });
    const { code, stdout } = await at.ctl("services", "accept", "web", "--json");
    expect(JSON.parse(stdout)).toEqual({ schema, service: "web", hosts: [], builds: [] });
    expect(code).toBe(0);
  });

  test("says on how many hosts what is followed now", async () => {
    const at = await serving();
    await using _fleet = at.fleet;
    const held = { build: "b1", deploy: "20260101-000000-0001", number: 1 };
    await at.fleet.say("web-01", "serving", { held, followed: 9 });
    await at.fleet.say("web-03", "serving", { held, followed: 9 });
    const { stdout } = await at.ctl("services", "accept", "web", "--json");
    expect(JSON.parse(stdout)).toEqual({ schema, service: "web", hosts: ["web-01", "web-03"], builds: ["b1"] });
    // They still say so: nobody plays them here.
    expect(await at.ctl("services", "accept", "web")).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("2 hosts of web held a wish; now b1 is followed."),
    });
  });
});

describe("builds", () => {
  test("from a file take digest and size from it, and their id from what pack wrote beside it", async () => {
    const at = tree();
    await at.ctl("services", "set", "web");
    await using dir = await tempDir();
    const file = join(dir.path, "web build.tar.zst");
    const bytes = archive(directory("d"), tarFile("d/f", "123456789"), tarFile("deployd.toml", ""));
    await Bun.write(file, bytes);
    const sha = `sha256:${new Bun.CryptoHasher("sha256").update(bytes).digest("hex")}`;
    expect((await at.ctl("builds", "add", "web", file)).code).toBe(64);
    const manifest = { build: "b7", digest: sha, size: bytes.length };
    await Bun.write(`${file}.manifest.json`, JSON.stringify(manifest));
    expect((await at.ctl("builds", "add", "web", file, "--commit", "c0ffee", "--author", "ana")).code).toBe(0);
    const { builds } = JSON.parse((await at.ctl("builds", "list", "web", "--json")).stdout);
    expect(builds).toEqual([
      {
        build: "b7",
        url: Bun.pathToFileURL(file).href,
        digest: sha,
        size: bytes.length,
        entries: 3,
        unpackedBytes: 9,
        commit: "c0ffee",
        author: "ana",
        time: expect.any(String),
        enabled: [],
      },
    ]);
    // Where it lies is no part of what it is: seen in the list, and put right by saying it again.
    const wrong = "https://builds.example/web.tar.zst";
    const moved = await at.ctl("builds", "add", "web", file, "--url", wrong);
    expect(moved).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(`hosts now fetch it from ${wrong} and no longer`),
    });
    expect((await at.ctl("builds", "list", "web")).stdout).toContain(`  ${wrong}\n`);
    const again = await at.ctl("builds", "add", "web", file, "--url", wrong);
    expect(again.stdout).toContain("web has b7 already, the same file, from https://builds.example/web.tar.zst");
    const after = JSON.parse((await at.ctl("builds", "list", "web", "--json")).stdout).builds;
    expect(after).toEqual([{ ...builds[0], url: wrong }]);
  });

  test("whose manifest disagrees with the file are refused", async () => {
    const at = tree();
    await at.ctl("services", "set", "web");
    await using dir = await tempDir();
    const file = join(dir.path, "b.tar");
    await Bun.write(file, "hello");
    await Bun.write(`${file}.manifest.json`, JSON.stringify({ build: "b7", digest, size: 5 }));
    const run = await at.ctl("builds", "add", "web", file);
    expect(run.code).toBe(1);
    expect(run.stderr).toContain(`its manifest says ${digest}`);
    await Bun.write(`${file}.manifest.json`, "{");
    expect(await at.ctl("builds", "add", "web", file)).toMatchObject({
      code: 64,
      stderr: expect.stringMatching(/is not JSON/),
    });
  });

  test("never change: the same again is fine, another file under the same id is not", async () => {
    const at = tree();
    await at.ctl("services", "set", "web");
    const add = (hash: string) =>
      at.ctl("builds", "add", "web", "https://x/b", "--build", "b1", "--digest", hash, "--size", "1");
    expect((await add(digest)).stdout).toStartWith("Added b1");
    expect((await add(digest)).stdout).toStartWith("web has b1 already");
    expect((await add(`sha256:${"cd".repeat(32)}`)).code).toBe(1);
  });

  test.each([
    "https://me:hunter2@builds.example.com/b",
    "https://builds.example.com/b?X-Amz-Signature=hunter2",
    "https://builds.example.com/b?sig=hunter2",
    "https://me:hunter2@builds.example.com:port/b",
  ])("whose URL has a secret in it are refused, and nothing repeats it: %s", async (url) => {
    const at = tree();
    await at.ctl("services", "set", "web");
    await using dir = await tempDir();
    const file = join(dir.path, "b.tar");
    await Bun.write(file, "hello");
    const id = ["--build", "b1"];
    for (const argv of [
      [url, ...id, "--digest", digest, "--size", "1"],
      [url, ...id],
      [url, "--url", "https://x/b", ...id],
      [file, "--url", url, ...id],
      [file, "--url", url, ...id, "--json"],
    ]) {
      const run = await at.ctl("builds", "add", "web", ...argv);
      expect(run.code).toBe(64);
      expect(run.stdout + run.stderr).toContain(url.includes(":port") ? "its URL cannot be read" : "[sources.");
      expect(run.stdout + run.stderr).not.toContain("hunter2");
    }
    expect(JSON.parse((await at.ctl("builds", "list", "web", "--json")).stdout).builds).toEqual([]);
  });

  test("that are barred cannot be deployed until they are unbarred", async () => {
    const at = await withHosts();
    await using fleet = at.fleet;
    expect((await at.ctl("builds", "bar", "web", "b1", "--why", "leaks")).code).toBe(0);
    const refused = await at.ctl("deploy", "web", "b1");
    expect(refused.code).toBe(75);
    expect(refused.stderr).toContain("barred by ana@laptop");
    expect(refused.stderr).toContain("leaks");
    expect((await at.ctl("builds", "list", "web")).stdout).toMatch(/^b1 .*by ana@laptop: leaks$/m);
    expect((await at.ctl("builds", "unbar", "web", "b1")).code).toBe(0);
    expect((await at.ctl("deploy", "web", "b1", "--detach")).code).toBe(0);
    expect(await fleet.newest()).not.toBeNull();
  });
});

test("hosts are listed with their role, and a canary is named by role", async () => {
  const at = await withHosts();
  await using fleet = at.fleet;
  expect((await at.ctl("hosts", "role", "web", "web-01", "canary")).code).toBe(0);
  expect((await at.ctl("hosts", "role", "web", "web-9", "canary")).code).toBe(64);
  await fleet.leave("web-03");
  const { stdout } = await at.ctl("hosts", "list", "web");
  expect(stdout).toMatch(/^· +web-01 +canary/m);
  expect(stdout).toMatch(/^\? +web-03 +fleet .*unreachable/m);
});

test("an ill host is listed with why", async () => {
  const at = await serving();
  await using fleet = at.fleet;
  const ill = { since: "2026-07-01T12:00:00.000Z", why: "its check failed: connection refused", forS: 3 };
  await fleet.say("web-02", "serving", { health: "unhealthy", ill });
  const { stdout } = await at.ctl("hosts", "list", "web");
  expect(stdout).toMatch(/^✗ +web-02 .* unhealthy: its check failed: connection refused/m);
  const { hosts } = JSON.parse((await at.ctl("hosts", "list", "web", "--json")).stdout);
  expect(hosts[1]).toMatchObject({ host: "web-02", health: "unhealthy", ill });
});

describe("deploy", () => {
  test("follows to the end: a line per change, 0 when every host serves the build", async () => {
    const at = await withHosts();
    await using fleet = at.fleet;
    const running = at.start("deploy", "web", "b1", "--why", "first");
    await following(running, /web b1 on 3 hosts.*\(first\): preparing/);
    for (const host of ["web-01", "web-02", "web-03"]) await fleet.say(host, "ready");
    await following(running, /· b1 is prepared on 3 hosts/);
    await fleet.grant("web-01");
    await fleet.activate();
    await fleet.say("web-01", "restart");
    await following(running, /↻ web-01 restarts into b1/);
    await fleet.succeed("web-01");
    await following(running, /✓ web-01 serves b1 \(1 of 3\)/);
    await fleet.serveAll();
    const run = await running.finished;
    expect(run).toMatchObject({ code: 0, stderr: "" });
    expect(run.stdout).toMatch(/✓ done after .*: 3 of 3 hosts serve b1/);
  });

  test("that halts is 3, with the failed host, its log and the way back", async () => {
    const at = await serving();
    await using fleet = at.fleet;
    const running = at.start("deploy", "web", "b2");
    await following(running, /preparing/);
    await fleet.fail("web-02", "expected 200, got 502", "one\nthe last line\n");
    await fleet.move({ to: "halted", reason: "web-02: expected 200, got 502" });
    const run = await running.finished;
    expect(run.code).toBe(3);
    expect(run.stdout).toMatch(/✗ halted after/);
    expect(run.stdout).toContain("    | the last line");
    expect(run.stdout).toContain("Back to b1: deployd ctl rollback web");
  });

  test("of a second build is refused while one is running, and says whose it is", async () => {
    const at = await serving();
    await using fleet = at.fleet;
    expect((await at.ctl("deploy", "web", "b2", "--detach")).code).toBe(0);
    const run = await at.ctl("deploy", "web", "b1");
    expect(run.code).toBe(75);
    expect(run.stderr).toContain("by ana@laptop");
    expect(await fleet.newest()).not.toBeNull();
  });

  test("with the same id again starts nothing and follows the one that is there", async () => {
    const at = await withHosts();
    await using fleet = at.fleet;
    expect((await at.ctl("deploy", "web", "b1", "--id", "mine", "--detach")).code).toBe(0);
    const again = at.start("deploy", "web", "b1", "--id", "mine");
    await following(again, /deploy mine by ana@laptop/);
    await fleet.serveAll();
    expect((await again.finished).code).toBe(0);
    const { deploys } = JSON.parse((await at.ctl("history", "web", "--json")).stdout);
    expect(deploys).toHaveLength(1);
  });

  test("gives up following after --timeout-s with 4, says what it waits for, and leaves the deploy alone", async () => {
    const at = await withHosts();
    await using fleet = at.fleet;
    for (const host of ["web-01", "web-02", "web-03"]) await fleet.leave(host);
    const run = await at.ctl("deploy", "web", "b1", "--timeout-s", "0.5");
    expect(run.code).toBe(4);
    expect(run.stdout).toMatch(/no agent is connected; the deploy waits for web-01 \(not connected\)/);
    expect(run.stderr).toContain("deployd ctl wait web");
    const { deploy } = JSON.parse((await at.ctl("status", "web", "--json")).stdout);
    expect(deploy.state).toBe("preparing");
  });

  test("that is interrupted says how to follow it again and exits like the signal", async () => {
    const at = await withHosts();
    await using fleet = at.fleet;
    const running = at.start("deploy", "web", "b1");
    await following(running, /preparing/);
    running.signal("SIGTERM");
    const run = await running.finished;
    expect(run.code).toBe(143);
    expect(run.stderr).toMatch(/^Follow it with: deployd ctl wait web --deploy \S+\n$/);
    expect(await fleet.newest()).not.toBeNull();
  });

  test("of an unknown build is wrong usage, with the nearest id", async () => {
    const at = await withHosts();
    await using fleet = at.fleet;
    expect(await at.ctl("deploy", "web", "b3")).toMatchObject({
      code: 64,
      stderr: expect.stringMatching(/Did you mean "b1"\?/),
    });
    expect(await fleet.newest()).toBeNull();
  });
});

describe("a canary", () => {
  test("is deployed, promoted and followed; each command ends where a person has to decide", async () => {
    const at = await serving();
    await using fleet = at.fleet;
    expect((await at.ctl("deploy", "web", "b2", "--canary")).code).toBe(64);
    await at.ctl("hosts", "role", "web", "web-01", "canary");

    const canary = at.start("deploy", "web", "b2", "--canary");
    await following(canary, /on 1 canary host/);
    expect(await at.ctl("promote", "web")).toMatchObject({
      code: 75,
      stderr: expect.stringMatching(/do not all serve "b2" yet/),
    });
    await fleet.say("web-01", "serving");
    await fleet.activate();
    await fleet.move({ to: "proven" });
    const decided = await canary.finished;
    expect(decided.code).toBe(0);
    expect(decided.stdout).toContain("On to the fleet: deployd ctl promote web");
    expect((await at.ctl("wait", "web")).code).toBe(0);

    const promoted = at.start("promote", "web", "--json");
    await following(promoted, /"state":"rolling"/);
    await fleet.serveAll();
    const run = await promoted.finished;
    expect(run.code).toBe(0);
    const events = run.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(events.every((event) => event.schema === "deployd.ctl.follow/1" && event.service === "web")).toBe(true);
    expect(events[0]).toMatchObject({ event: "started", build: "b2", previous: "b1" });
    expect(events.at(-1)).toMatchObject({ event: "outcome", outcome: "done", exit: 0 });
  });

  test("is not promoted when nothing waits for it", async () => {
    const at = await serving();
    await using fleet = at.fleet;
    expect((await at.ctl("promote", "web")).code).toBe(1);
    expect(await fleet.newest()).not.toBeNull();
  });
});

describe("rollback", () => {
  test("is 0 when that was asked for, bars the build, and 2 for who waited for the deploy", async () => {
    const at = await serving();
    await using fleet = at.fleet;
    const deploying = at.start("deploy", "web", "b2");
    await following(deploying, /preparing/);
    const rollingBack = at.start("rollback", "web", "--why", "checkout fails");
    await following(rollingBack, /rolling back/);
    await fleet.serveAll("rolled back");
    expect((await rollingBack.finished).code).toBe(0);
    expect((await deploying.finished).code).toBe(2);
    expect((await at.ctl("wait", "web")).code).toBe(2);
    expect((await at.ctl("deploy", "web", "b2")).code).toBe(75);
    expect((await at.ctl("history", "web")).stdout).toMatch(/ b2 +↺ rolled back/);
  });

  test("of a first deploy ends it, with nothing to go back to", async () => {
    const at = await withHosts();
    await using fleet = at.fleet;
    expect((await at.ctl("rollback", "web")).code).toBe(1);
    await at.ctl("deploy", "web", "b1", "--detach");
    const other = await at.ctl("rollback", "web", "b2");
    expect(other).toMatchObject({
      code: 75,
      stderr: expect.stringMatching(/"b2" was named, but the newest .* of "b1"/),
    });
    const ended = await at.ctl("rollback", "web", "b1");
    expect(ended).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/✗ aborted .* nothing was served before it/),
    });
    expect((await at.ctl("wait", "web")).code).toBe(1);
    expect((await at.ctl("deploy", "web", "b1", "--detach")).code).toBe(75);
    expect((await at.ctl("deploy", "web", "b2", "--detach")).code).toBe(0);
    expect(await at.ctl("abort", "web", "b2")).toMatchObject({ code: 0, stdout: expect.stringMatching(/is aborted/) });
    expect((await at.ctl("abort", "web", "b2")).code).toBe(0);
    expect(await fleet.newest()).not.toBeNull();
  });
});

describe("status", () => {
  test("of all services shows the broken one instead of hiding the others", async () => {
    const at = await serving();
    await using fleet = at.fleet;
    await at.ctl("services", "set", "api");
    await fleet.spoil("/services/api/enabled", "{");
    const run = await at.ctl("status");
    expect(run.code).toBe(0);
    expect(run.stdout).toMatch(/✗ +api +unreadable/);
    expect(run.stdout).toMatch(/✓ +web +done +b1/);
  });

  test.each<[string, (fleet: PuppetFleet, older: string | null) => Promise<void>, RegExp]>([
    [
      "an older deploy's record cannot be read",
      (fleet, older) => fleet.spoil(`/services/web/deploys/${older}`, "{"),
      /! .*services\/web\/deploys\/\S+ in ZooKeeper/,
    ],
    ["a host's slot cannot be read", (fleet) => fleet.spoil("/services/web/slots/web-02", "{"), /! .*slots\/web-02/],
    ["a failure cannot be read", (fleet) => fleet.spoil("/services/web/failed/web-02", "[]"), /! .*failed\/web-02/],
    [
      "the gate is gone",
      (fleet) => fleet.lose("/services/web/gate"),
      /! no slot is granted while the gate of the service is missing/,
    ],
    [
      "the wish cannot be read",
      (fleet) => fleet.spoil("/services/web/enabled", "{"),
      /! no slot is granted while the wish cannot be read/,
    ],
  ])("of a service says that %s", async (_what, happens, problem) => {
    const at = await serving();
    await using fleet = at.fleet;
    const older = await fleet.newest();
    expect((await at.ctl("deploy", "web", "b2", "--detach")).code).toBe(0);
    expect((await at.ctl("status", "web")).stdout).not.toContain("! ");
    await happens(fleet, older);
    const run = await at.ctl("status", "web");
    expect(run.code).toBe(0);
    expect(run.stdout).toMatch(problem);
    const { problems } = JSON.parse((await at.ctl("status", "web", "--json")).stdout);
    expect(`! ${problems.join("\n! ")}`).toMatch(problem);
  });

  test("--watch draws in place on a terminal, and gives the cursor back on a signal", async () => {
    const at = await serving();
    await using fleet = at.fleet;
    const terminal = { ...at.terminal, stdoutIsTerminal: true, columns: 70, rows: 20 };
    const running = startCtl(["status", "web", "--watch"], terminal);
    await following(running, /web-01/);
    await fleet.leave("web-02");
    await fleet.say("web-01", "serving", { health: "unhealthy" });
    await following(running, /✗[^\n]*web-01/);
    running.signal("SIGINT");
    const run = await running.finished;
    expect(run.code).toBe(130);
    expect(run.stdout).toStartWith("\u001b[?25l");
    expect(run.stdout).toEndWith("\u001b[?25h");
    expect(run.stdout.split("\u001b[?2026h").length).toBe(run.stdout.split("\u001b[?2026l").length);
  });

  test("--watch prints a line per change where it is piped", async () => {
    const at = await serving();
    await using fleet = at.fleet;
    const running = at.start("status", "web", "--watch");
    await following(running, /3 of 3 hosts serve b1/);
    expect((await at.ctl("deploy", "web", "b2", "--detach")).code).toBe(0);
    await following(running, /web b2 after b1 on 3 hosts/);
    for (const host of ["web-01", "web-02", "web-03"]) await fleet.say(host, "ready");
    await following(running, /b2 is prepared on 3 hosts/);
    running.signal("SIGINT");
    const run = await running.finished;
    expect(run.code).toBe(130);
    expect(run.stdout).not.toContain("\u001b");
  });
});

describe("hosts unlock", () => {
  test("gives back the capacity of a host that was left ill, says of which deploy, and does so once", async () => {
    const at = await serving("--budget", "1");
    await using fleet = at.fleet;
    expect((await at.ctl("deploy", "web", "b2", "--id", "mine", "--detach")).code).toBe(0);
    await fleet.grant("web-02");
    await fleet.fail("web-02", "got 502", "", false);
    const unlocking = at.start("hosts", "unlock", "web", "web-02", "--json");
    await fleet.obey("web-02");
    const run = await unlocking.finished;
    expect(run.code).toBe(0);
    expect(JSON.parse(run.stdout)).toMatchObject({ host: "web-02", deploys: ["mine"], given_back: true });
    expect(await at.ctl("hosts", "unlock", "web", "web-02")).toMatchObject({
      code: 0,
      stdout: "web-02 held no capacity in web.\n",
    });
    // It has failed all the same.
    const { deploy } = JSON.parse((await at.ctl("status", "web", "--json")).stdout);
    expect(deploy.progress.failed).toEqual(["web-02"]);
  });

  test("of a host that holds nothing changes nothing", async () => {
    const at = await serving();
    await using fleet = at.fleet;
    const run = await at.ctl("hosts", "unlock", "web", "web-01", "--json");
    expect(run.code).toBe(0);
    expect(JSON.parse(run.stdout)).toMatchObject({ host: "web-01", deploys: [], given_back: true });
    expect(await fleet.newest()).not.toBeNull();
  });
});

describe("hosts forget", () => {
  test("takes a host that is gone out of the service, and refuses one that is there", async () => {
    const at = await serving();
    await using fleet = at.fleet;
    expect(await at.ctl("hosts", "forget", "web", "web-03")).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/its agent is connected/),
    });
    await fleet.leave("web-03");
    expect(await at.ctl("hosts", "forget", "web", "web-03")).toMatchObject({
      code: 0,
      stdout: "web-03 is forgotten in web.\n",
    });
    const { hosts } = JSON.parse((await at.ctl("hosts", "list", "web", "--json")).stdout);
    expect(hosts.map(({ host }: { host: string }) => host)).toEqual(["web-01", "web-02"]);
    expect((await at.ctl("hosts", "forget", "web", "web-03")).code).toBe(64);
  });
});

describe("a tree that another deployd made", () => {
  test.each([
    "status",
    "status web --watch",
    "deploy web b2",
    "wait web",
    "history web",
    "services set web --max 2",
    "hosts forget web web-01",
  ])("is refused by name and left as it is: %s", async (words) => {
    const at = await serving();
    await using fleet = at.fleet;
    await fleet.spoil("/", JSON.stringify({ format: 3 }));
    const newest = await fleet.newest();
    const run = await at.ctl(...words.split(" "), "--json");
    expect(run.code).toBe(75);
    const { error } = JSON.parse(run.stdout);
    expect(error.code).toBe("format-unknown");
    expect(error.message).toMatch(/it has format 3.*deployd 0\.1\.0 understands none newer than 2/);
    expect(await fleet.newest()).toBe(newest);
  });

  test.each([{ format: 1 }, null])("is refused where it is older, too: its root says %j", async (said) => {
    const at = await serving();
    await using fleet = at.fleet;
    await fleet.spoil("/", said === null ? "" : JSON.stringify(said));
    const run = await at.ctl("services", "set", "web", "--max", "2", "--json");
    expect(run.code).toBe(75);
    const { error } = JSON.parse(run.stdout);
    expect(error).toMatchObject({ code: "format-unknown", hint: expect.stringContaining("another chroot") });
    expect(error.message).toMatch(/it has format 1, and this deployd 0\.1\.0 understands none older than 2/);
  });
});
