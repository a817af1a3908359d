import { afterAll, beforeAll, expect, test } from "bun:test";
import { timelineText } from "../../src/core/timeline_record.ts";
import type { ZooKeeper } from "../../src/zookeeper/client.ts";
import { eventually } from "../harness/eventually.ts";
import { recordIn } from "../harness/deploy_records.ts";
import { deploydLine, Pty } from "../harness/pty.ts";
import { startFaultyLink, type FaultyLink } from "../harness/zookeeper_link.ts";
import { timelines } from "../view/timelines.ts";

let link: FaultyLink;
let zk: ZooKeeper;
let env: Record<string, string>;
let monitor: string;
let replay: string;

beforeAll(async () => {
  link = await startFaultyLink();
  zk = link.observe();
  env = { DEPLOYD_ZOOKEEPER: link.proxy.connectString };
  monitor = await deploydLine("ctl", "monitor", "web");
  await printed(await deploydLine("ctl", "services", "set", "web"));
  const digest = `sha256:${"ab".repeat(32)}`;
  const build = ["web", "https://x/1", "--digest", digest, "--size", "1", "--build", "v1"];
  await printed(await deploydLine("ctl", "builds", "add", ...build));
  await zk.create("/deployd/services/web/hosts/web-01", JSON.stringify({ role: "fleet" }));
  const told = timelines["done"]?.();
  if (told === undefined) throw new Error("there is no such timeline");
  // Below a service of its own, so that nothing is deployed to the other.
  await printed(await deploydLine("ctl", "services", "set", "past"));
  await zk.create(`/deployd/services/past/deploys/${told.deploy}`, JSON.stringify(recordIn("done")));
  await zk.create(`/deployd/services/past/timelines/${told.deploy}`, timelineText(told.timeline).text);
  replay = await deploydLine("ctl", "monitor", "--replay", told.deploy, "--speed", "1");
});

afterAll(async () => {
  await link[Symbol.asyncDispose]();
});

/** What a command prints into a pipe. @throws Error where it fails */
async function printed(line: string): Promise<string> {
  const child = Bun.spawn(line.split(" "), { env, stdin: "ignore", stderr: "pipe" });
  const text = await child.stdout.text();
  if ((await child.exited) !== 0) throw new Error(`${line}: ${await child.stderr.text()}`);
  return text;
}

async function started(pty: Pty, line = monitor): Promise<number> {
  const from = pty.mark;
  pty.type(`${line}\r`);
  await pty.until("web-01", from);
  return pty.deployd();
}

/** What is typed, or done to the process, and what its exit code is then. */
const endings: readonly (readonly [string, (pty: Pty, pid: number) => void, number])[] = [
  ["q", (pty) => pty.type("q"), 0],
  ["Ctrl-C", (pty) => pty.type("\u0003"), 0],
  ["SIGINT", (_pty, pid) => void process.kill(pid, "SIGINT"), 130],
  ["SIGTERM", (_pty, pid) => void process.kill(pid, "SIGTERM"), 143],
  ["SIGHUP", (_pty, pid) => void process.kill(pid, "SIGHUP"), 129],
];

test.each(endings)("after %s the terminal is as it was", async (_name, end, code) => {
  await using pty = await Pty.open(env);
  const before = await pty.state();
  const from = pty.mark;
  const pid = await started(pty, `${monitor}; echo "ended $?"`);
  end(pty, pid);
  expect(await pty.until(/ended \d+\r\n/, from)).toContain(`ended ${code}\r\n`);
  expect(pty.sent.slice(from)).toContain("\u001b[?1049l");
  expect(await pty.state()).toEqual(before);
});

test.each(endings)("after %s in a replay the terminal is as it was", async (_name, end, code) => {
  await using pty = await Pty.open(env);
  const before = await pty.state();
  const from = pty.mark;
  pty.type(`${replay}; echo "ended $?"\r`);
  await pty.until("of 1m 00s", from);
  end(pty, await pty.deployd());
  expect(await pty.until(/ended \d+\r\n/, from)).toContain(`ended ${code}\r\n`);
  expect(pty.sent.slice(from)).toContain("\u001b[?1049l");
  expect(await pty.state()).toEqual(before);
});

test("a replay goes on by itself, hears its keys, and is drawn anew for another size", async () => {
  await using pty = await Pty.open(env, 80, 24);
  const from = pty.mark;
  pty.type(`${replay.replace("--speed 1", "--speed 8")}\r`);
  // After ten of its seconds.
  await pty.until("rolling", from);
  const end = pty.mark;
  pty.type("\u001b[F");
  await pty.until("slowest hosts", end);
  const start = pty.mark;
  pty.type("0");
  await pty.until("Nobody has looked yet.", start);
  const resized = pty.mark;
  pty.resize(120, 40);
  await pty.until("\u001b[40;1H", resized);
  pty.type("q");
  await pty.until("$ ", resized);
});

test("Ctrl-Z gives the terminal back, and fg shows everything again", async () => {
  await using pty = await Pty.open(env);
  const before = await pty.state();
  await started(pty);
  const from = pty.mark;
  pty.type("\u001a");
  await pty.until("Stopped", from);
  expect(await pty.state()).toEqual(before);
  const back = pty.mark;
  pty.type("fg\r");
  await pty.until("web-01", back);
  expect(pty.sent.slice(back)).toContain("\u001b[?1049h");
  pty.type("q");
  await pty.until("$ ", back);
  expect(await pty.state()).toEqual(before);
});

test("it is drawn anew for another size", async () => {
  await using pty = await Pty.open(env, 80, 24);
  await started(pty);
  const from = pty.mark;
  pty.resize(132, 50);
  // The last row of the new size.
  await pty.until("\u001b[50;1H", from);
  pty.type("q");
});

test("with ZooKeeper gone it says so and goes on, and what it says is gone when ZooKeeper is back", async () => {
  await using pty = await Pty.open(env);
  const before = await pty.state();
  await started(pty);
  const from = pty.mark;
  link.proxy.refuse();
  await pty.until("ZooKeeper is away", from);
  const away = pty.mark;
  link.proxy.resume();
  await eventually(async () => (/ZooKeeper\D+\ds ago/.test(pty.sent.slice(away)) ? true : null));
  pty.type("q");
  await pty.until("$ ", away);
  expect(await pty.state()).toEqual(before);
});

test("NO_COLOR sends no colour, and a dumb terminal or a pipe no code at all", async () => {
  await using plain = await Pty.open({ ...env, NO_COLOR: "1" });
  const from = plain.mark;
  await started(plain);
  expect(plain.sent.slice(from)).not.toMatch(/\u001b\[[0-9;]*3[0-7]m/);
  plain.type("q");
  await using dumb = await Pty.open({ ...env, TERM: "dumb" });
  const once = await dumb.command(`${monitor} --once`);
  expect(once).toContain("web-01");
  expect(once).not.toContain("\u001b[");
  const piped = await printed(`${monitor} --once`);
  expect(await printed(replay)).toContain("slowest hosts");
  expect(piped).toContain("web: nothing was ever deployed");
  expect(piped).not.toContain("\u001b");
});

test("m opens the monitor over a command that follows a deploy, q goes back to it, and Ctrl-C ends it as ever", async () => {
  await using pty = await Pty.open(env);
  const before = await pty.state();
  const from = pty.mark;
  pty.type(`${await deploydLine("ctl", "deploy", "web", "v1", "--urgent")}; echo "ended $?"\r`);
  await pty.until("m: monitor", from);
  const asked = pty.mark;
  pty.type("m");
  await pty.until("? help", asked);
  expect(pty.sent.slice(asked)).toContain("\u001b[?1049h");
  const left = pty.mark;
  pty.type("q");
  await pty.until("m: monitor", left);
  expect(pty.sent.slice(left)).toContain("\u001b[?1049l");
  pty.type("\u0003");
  expect(await pty.until(/ended \d+\r\n/, left)).toContain("ended 130\r\n");
  expect(await pty.state()).toEqual(before);
});

test("in the background, and after Ctrl-Z and bg, a command that follows a deploy goes on and leaves the keyboard alone", async () => {
  await using pty = await Pty.open(env);
  const wait = await deploydLine("ctl", "wait", "web");
  let from = pty.mark;
  pty.type(`${wait} &\r`);
  await pty.until("no agent is connected", from);
  pty.type("jobs; kill %1; wait %1; echo over\r");
  expect(await pty.until(/over\r\n/, from)).toContain("Running");
  from = pty.mark;
  pty.type(`${wait}\r`);
  await pty.until("m: monitor", from);
  pty.type("\u001a");
  await pty.until("Stopped", from);
  const behind = pty.mark;
  pty.type("bg\r");
  await pty.until("v1", behind);
  pty.type("jobs; kill %1; wait %1; echo $((40+2))\r");
  expect(await pty.until(/42\r\n/, behind)).toContain("Running");
});
