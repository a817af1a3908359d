import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { timelineText } from "../../src/core/timeline_record.ts";
import { deployPath, deploysPath, timelinePath, timelinesPath } from "../../src/store/paths.ts";
import { systemClock } from "../../src/support/clock.ts";
import { ZooKeeper } from "../../src/zookeeper/client.ts";
import { startDevServer, type DevServer } from "../../src/zookeeper/server/dev_server.ts";
import { recordIn } from "../harness/deploy_records.ts";
import { eventually } from "../harness/eventually.ts";
import { timelines } from "../view/timelines.ts";
import { FakeScreen } from "./fake_screen.ts";
import { ctl, startCtl } from "./terminal.ts";

const id = "20260701-115000-ab12";
const bare = "20260601-115000-ab12";
const evil = "\u001b[31mred\u001b[2J\r\nforged ✗";

let server: DevServer;
let env: Readonly<Record<string, string>>;

beforeAll(async () => {
  server = await startDevServer({ clock: systemClock });
  env = { DEPLOYD_ZOOKEEPER: server.connectString };
  for (const service of ["web", "api"]) expect((await ctl(["services", "set", service], { env })).code).toBe(0);
  await using zk = new ZooKeeper({ clock: systemClock, servers: `${server.connectString}/deployd` });
  const told = timelines["rolled-back"]?.();
  if (told === undefined) throw new Error("there is no such timeline");
  const { timeline } = told;
  const forged = { ...timeline, failed: { hosts: 1, first: [{ host: "web-02", reason: evil }] } };
  await zk.create(deployPath("web", id), JSON.stringify(recordIn("rolled back")));
  await zk.create(timelinePath("web", id), timelineText(forged).text);
  await zk.set(deploysPath("web"), JSON.stringify({ latest: id, number: 2 }));
  for (const service of ["web", "api"]) await zk.create(deployPath(service, bare), JSON.stringify(recordIn("done")));
});
afterAll(() => server.close());

describe("a whole timeline", () => {
  test.each([
    [["history", "web", id, "--timeline"]],
    [["history", "web", "--timeline"]],
    [["monitor", "--replay", id]],
    [["monitor", "web", "--replay", id, "--once"]],
  ])("is printed by %j, in 100 columns and without colours where there is no terminal", async (argv) => {
    const { code, stdout, stderr } = await ctl(argv, { env });
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toContain("rolling back");
    expect(stdout).toContain("│");
    expect(stdout).not.toContain("\u001b");
    expect(stdout).not.toMatch(/^ *forged/m);
    for (const line of stdout.split("\n")) expect(Bun.stringWidth(line)).toBeLessThanOrEqual(100);
  });

  test("is a document with --json, with every sample in it", async () => {
    const { stdout } = await ctl(["history", "web", id, "--timeline", "--json"], { env });
    const { schema, service, deploy, samples, marks } = JSON.parse(stdout) as {
      schema: string;
      service: string;
      deploy: string;
      samples: { at_s: number; hosts: Record<string, number> }[];
      marks: { state: string }[];
    };
    expect([schema, service, deploy]).toEqual(["deployd.ctl.timeline/1", "web", id]);
    expect(samples.at(-1)?.hosts).toEqual({ done: 18, failed: 2 });
    expect(marks.at(-1)?.state).toBe("rolled back");
    expect((await ctl(["monitor", "--replay", id, "--json"], { env })).stdout).toBe(stdout);
  });

  test("is coloured on a terminal, as wide as that is", async () => {
    const { stdout } = await ctl(["history", "web", id, "--timeline"], { env, stdoutIsTerminal: true, columns: 60 });
    expect(stdout).toContain("\u001b[31m✗");
    for (const line of Bun.stripANSI(stdout).split("\n")) expect(Bun.stringWidth(line)).toBeLessThanOrEqual(60);
  });
});

test("history of one deploy lists that one alone", async () => {
  const { stdout } = await ctl(["history", "web", bare, "--json"], { env });
  expect((JSON.parse(stdout) as { deploys: { id: string }[] }).deploys.map((each) => each.id)).toEqual([bare]);
});

describe("what cannot be shown says why, and what to do", () => {
  test.each([
    [["history", "web", bare, "--timeline"], 1, "There is no timeline", `deployd ctl history web ${bare}`],
    [["monitor", "web", "--replay", bare], 1, "There is no timeline", `deployd ctl history web ${bare}`],
    [["history", "web", "20260701-115000-ab13", "--timeline"], 64, "There is no deploy", id],
    [["history", "web", "20260701-115000-ab13"], 64, "There is no deploy", id],
    [["monitor", "--replay", "20200101-000000-0000"], 64, "of any service", "deployd ctl history"],
    [["monitor", "--replay", bare], 64, "api, web have one", `deployd ctl monitor api --replay ${bare}`],
    [["history", "api", "--timeline"], 1, "nothing was ever deployed", "deployd ctl deploy api"],
    [["monitor", "web", "--speed", "5"], 64, "--replay is not", "deployd ctl monitor --replay"],
    [["monitor", "--replay", id, "--speed", "0"], 64, "above 0", "--help"],
  ])("%j", async (argv, code, said, hint) => {
    const run = await ctl(argv, { env });
    expect(run).toMatchObject({ code, stdout: "" });
    expect(run.stderr).toContain(said);
    expect(run.stderr).toContain(hint);
  });

  test("a timeline that nobody can read", async () => {
    await using zk = new ZooKeeper({ clock: systemClock, servers: `${server.connectString}/deployd` });
    const path = `${timelinesPath("api")}/${bare}`;
    await zk.create(path, '{"started":"yesterday"}');
    const run = await ctl(["history", "api", bare, "--timeline"], { env });
    expect(run.code).toBe(1);
    expect(run.stderr).toContain(path);
    await zk.delete(path);
  });
});

test("it plays on a terminal: keys are heard, and q gives the terminal back", async () => {
  const screen = new FakeScreen();
  const running = startCtl(["monitor", "--replay", id, "--speed", "1000"], { env, stdoutIsTerminal: true, screen });
  await eventually(async () => (running.stdout().includes("2m 05s of 2m 05s") ? true : null));
  expect(running.stdout()).toContain("\u001b[?1049h");
  const from = running.stdout().length;
  screen.events?.typed("0");
  await eventually(async () => (running.stdout().slice(from).includes("Nobody has looked yet.") ? true : null));
  screen.events?.typed("q");
  const { code, stdout, stderr } = await running.finished;
  expect([code, stderr, screen.isClosed]).toEqual([0, "", true]);
  expect(stdout.endsWith("\u001b[?1049l")).toBe(true);
});

test("a mistake of ours ends it with the terminal as it was, and is told after that", async () => {
  const screen = new FakeScreen();
  const running = startCtl(["monitor", "--replay", id], { env, stdoutIsTerminal: true, screen });
  await eventually(async () => (screen.events === null ? null : true));
  screen.size = () => {
    throw new Error("no size");
  };
  screen.events?.resized();
  const { code, stdout, stderr } = await running.finished;
  expect([code, screen.isClosed]).toEqual([1, true]);
  expect(stdout.trimEnd().endsWith("\u001b[?1049l")).toBe(true);
  expect(stderr).toContain("no size");
});
