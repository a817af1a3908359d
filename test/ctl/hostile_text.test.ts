import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { colourPaint, plainPaint } from "../../src/cli/paint.ts";
import { statusLines } from "../../src/ctl/status_text.ts";
import { clip, wrap } from "../../src/cli/text.ts";
import { agentPath, buildPath, deployPath, hostPath, servicePath, statusPath } from "../../src/store/paths.ts";
import { systemClock } from "../../src/support/clock.ts";
import { ZooKeeper } from "../../src/zookeeper/client.ts";
import { startDevServer, type DevServer } from "../../src/zookeeper/server/dev_server.ts";
import { eventually } from "../harness/eventually.ts";
import { scenes } from "../view/scenes.ts";
import { PuppetFleet } from "./fleet.ts";
import { ctl, noon, startCtl, type Terminal } from "./terminal.ts";

/* Whoever can write to ZooKeeper writes on an operator's terminal, wherever a record has room for text. */

const MARKS = "\u202e\u2066\u200b";
const EVIL = `\u001b[31mred\u001b[2J\u001b]0;owned\u0007\u009b2J\r\nforged ✓ ${MARKS}`;
/** ZooKeeper itself refuses controls in a name. */
const NAME = `x${MARKS}y`;
const time = noon.toISOString();

let server: DevServer;
let env: Readonly<Record<string, string>>;

beforeAll(async () => {
  server = await startDevServer({ clock: systemClock });
  env = { DEPLOYD_ZOOKEEPER: server.connectString };
  const digest = `sha256:${"ab".repeat(32)}`;
  const added = ["https://x/1", "--digest", digest, "--size", "1", "--commit", EVIL, "--author", EVIL];
  for (const argv of [
    ["services", "set", "web"],
    ["builds", "add", "web", ...added, "--build", "v1"],
    ["builds", "add", "web", ...added, "--build", "v2"],
    ["builds", "bar", "web", "v2", "--why", EVIL],
  ])
    expect(await ctl(argv, { env, user: EVIL })).toMatchObject({ code: 0 });
  await using fleet = new PuppetFleet(`${server.connectString}/deployd`, "web");
  await fleet.join("web-01");
  expect((await ctl(["deploy", "web", "v1", "--detach", "--why", EVIL], { env, user: EVIL })).code).toBe(0);
  await fleet.say("web-01", "failed", {
    error: { code: EVIL, message: EVIL, hint: EVIL, build: "v1", step: "check" },
    log: EVIL,
  });

  await using zk = new ZooKeeper({ clock: systemClock, servers: `${server.connectString}/deployd` });
  const agent = { version: EVIL, bootId: EVIL, statusAddress: EVIL, pid: 1, since: time, note: EVIL };
  await zk
    .set(agentPath("web-01"), JSON.stringify(agent))
    .catch(() => zk.create(agentPath("web-01"), JSON.stringify(agent)));
  for (const path of [servicePath(NAME), hostPath("web", NAME), statusPath("web", NAME), agentPath(NAME)])
    await zk.create(path, "{}", { mode: path === agentPath(NAME) ? "ephemeral" : "persistent" });
  const build = { url: `https://x/${EVIL}`, digest, size: 1, time, commit: EVIL, author: EVIL, [EVIL]: EVIL };
  await zk.create(buildPath("web", NAME), JSON.stringify(build));
  await zk.create(buildPath("web", `damaged${MARKS}`), EVIL);
  await zk.create(deployPath("web", NAME), EVIL);
});
afterAll(() => server.close());

const verbs = [
  ["status"],
  ["status", "web"],
  ["status", NAME],
  ["monitor", "--once"],
  ["monitor", "web", "--once"],
  ["hosts", "list", "web"],
  ["builds", "list", "web"],
  ["history", "web"],
  ["history", "web", "--timeline"],
  ["monitor", "web", "--once", "--replay", NAME],
  ["plan", "web", "v1"],
  ["plan", "web", "v2"],
  ["logs", "web", "web-01"],
  ["services", "list"],
  ["services", "show", "web"],
  ["deploy", "web", "v2"],
  ["wait", "web", "--timeout-s", "0.1"],
  ["wait", "web", "--deploy", NAME],
];

/** What no terminal may be sent by a stranger. Line ends are those of the lines that a verb prints. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

/** The colours, and how a block of lines is drawn anew. */
function withoutOurs(text: string): string {
  return text
    .replaceAll(/\u001b\[\?2026h(?:\u001b\[\d+A\r)?\u001b\[J|\u001b\[\?2026l/g, "")
    .replaceAll("\n", "")
    .replaceAll(/\u001b\[(?:1|2|22|31|32|33|36|39)m/g, "");
}

describe("what strangers wrote into ZooKeeper", () => {
  for (const [name, terminal] of Object.entries({
    "a pipe": {},
    "a terminal": { stdoutIsTerminal: true, columns: 100 },
    "a terminal without colours": { stdoutIsTerminal: true, columns: 100, env: { NO_COLOR: "1" } },
  } satisfies Record<string, Terminal>))
    test(`moves, hides and forges nothing on ${name}, whatever the verb`, async () => {
      for (const argv of verbs) {
        for (const json of [[], ["--json"]]) {
          const run = await ctl([...argv, ...json], {
            ...terminal,
            env: { ...env, ...("env" in terminal ? terminal.env : {}) },
          });
          const said = run.stdout + run.stderr;
          expect(said.length).toBeGreaterThan(0);
          expect({ argv, unsafe: UNSAFE.exec(withoutOurs(said)) }).toEqual({ argv, unsafe: null });
          // The lines of a log are what was asked for; nothing of ours stands between them.
          const ours = argv[0] === "logs" ? run.stderr : said;
          expect({ argv, forged: /^ *forged/m.test(ours) }).toEqual({ argv, forged: false });
          // The one colour that it asks for.
          expect({ argv, red: said.includes("\u001b[31mred") }).toEqual({ argv, red: false });
          if (json.length > 0) for (const line of run.stdout.trim().split("\n")) JSON.parse(line);
        }
      }
    });

  test("is the same in --json as in ZooKeeper", async () => {
    const { stdout } = await ctl(["builds", "list", "web", "--json"], { env });
    const { builds } = JSON.parse(stdout) as { builds: { build: string; commit: string }[] };
    expect(builds.find(({ build }) => build === NAME)).toMatchObject({ commit: EVIL });
  });

  test("does nothing to a screen that is drawn on", async () => {
    const running = startCtl(["status", "web", "--watch"], { env, stdoutIsTerminal: true, columns: 100, rows: 40 });
    await eventually(() => running.stdout().includes("web-01"));
    running.signal("SIGINT");
    const { stdout } = await running.finished;
    const frames = stdout.replaceAll(/\u001b\[(?:\?25[lh]|\?2026[lh]|2J|H|K|J)/g, "");
    expect(UNSAFE.exec(withoutOurs(frames))).toBeNull();
  });
});

describe("a terminal that does not know its width", () => {
  test("is shown whole lines", async () => {
    const text = "what to do: deployd ctl services accept web";
    expect(clip(text, 0)).toBe(text);
    expect(wrap(text, 0, "  ")).toEqual([text]);
    expect(clip(text, Number.NaN)).toBe(text);
    for (const make of Object.values(scenes))
      for (const paint of [plainPaint, colourPaint])
        expect(statusLines(make(), { paint, now: noon, columns: 0 })).toEqual(
          statusLines(make(), { paint, now: noon }),
        );
  });
});
