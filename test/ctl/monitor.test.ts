import { afterAll, beforeAll, expect, test } from "bun:test";
import { systemClock } from "../../src/support/clock.ts";
import { startDevServer, type DevServer } from "../../src/zookeeper/server/dev_server.ts";
import { eventually } from "../harness/eventually.ts";
import { FakeScreen } from "./fake_screen.ts";
import { PuppetFleet } from "./fleet.ts";
import { ctl, startCtl, type RunningCtl } from "./terminal.ts";

let server: DevServer;
let env: Readonly<Record<string, string>>;

beforeAll(async () => {
  server = await startDevServer({ clock: systemClock });
  env = { DEPLOYD_ZOOKEEPER: server.connectString };
  const digest = `sha256:${"ab".repeat(32)}`;
  for (const argv of [
    ["services", "set", "web"],
    ["builds", "add", "web", "https://x/1", "--digest", digest, "--size", "1", "--build", "v1"],
  ])
    expect(await ctl(argv, { env })).toMatchObject({ code: 0 });
  await using fleet = new PuppetFleet(`${server.connectString}/deployd`, "web");
  await fleet.join("web-01");
  expect((await ctl(["deploy", "web", "v1", "--detach"], { env })).code).toBe(0);
});
afterAll(() => server.close());

async function shows(running: RunningCtl, text: string, from = 0): Promise<void> {
  await eventually(async () => (running.stdout().slice(from).includes(text) ? true : null));
}

async function monitor(screen: FakeScreen): Promise<RunningCtl> {
  const running = startCtl(["monitor", "web"], { env, stdoutIsTerminal: true, screen, user: "eva@laptop" });
  await shows(running, "web-01");
  return running;
}

async function newestDeploy(): Promise<{ state: string; acts: readonly { who: string; act: string }[] }> {
  const { stdout } = await ctl(["history", "web", "--json"], { env });
  const { deploys } = JSON.parse(stdout) as { deploys: { state: string; acts: { who: string; act: string }[] }[] };
  const [newest] = deploys;
  if (newest === undefined) throw new Error("there is no deploy");
  return newest;
}

test("what is asked for and answered with y is done as the verb does it, and is on the record with its author", async () => {
  const screen = new FakeScreen();
  const running = await monitor(screen);
  screen.events?.typed("p");
  await shows(running, "Pause the deploy of v1 to web?");
  screen.events?.typed("n");
  expect((await newestDeploy()).state).not.toBe("paused");
  screen.events?.typed("py");
  await shows(running, "is paused.");
  const { state, acts } = await newestDeploy();
  expect(state).toBe("paused");
  expect(acts.at(-1)).toMatchObject({ act: "paused", who: "eva@laptop" });
  // What is refused is told in the words of the verb, and nothing ends.
  const from = running.stdout().length;
  await ctl(["abort", "web"], { env });
  await shows(running, "aborted", from);
  screen.events?.typed("ty");
  await eventually(async () => (/Cannot|is /.test(running.stdout().slice(from)) ? true : null));
  screen.events?.typed("q");
  expect(await running.finished).toMatchObject({ code: 0, stderr: "" });
  expect(screen.isClosed).toBe(true);
});

test("a mistake of ours ends it with the terminal as it was, and is told after that", async () => {
  const screen = new FakeScreen();
  const running = await monitor(screen);
  screen.size = () => {
    throw new Error("no size");
  };
  screen.events?.resized();
  const { code, stdout, stderr } = await running.finished;
  expect(code).toBe(1);
  expect(screen.isClosed).toBe(true);
  expect(stdout.trimEnd().endsWith("\u001b[?1049l")).toBe(true);
  expect(stderr).toContain("no size");
});

test("a service that is not there is an error, told on the terminal as it was", async () => {
  const screen = new FakeScreen();
  const { code, stderr } = await ctl(["monitor", "wbe"], { env, stdoutIsTerminal: true, screen });
  expect(code).toBe(64);
  expect(stderr).toContain("wbe");
  expect(screen.events === null || screen.isClosed).toBe(true);
});
