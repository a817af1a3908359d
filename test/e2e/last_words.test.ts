import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { withFleet, type Fleet } from "../harness/fleet.ts";
import { HOOK_MS, TEST_MS } from "../harness/fleet_patience.ts";
import { answerOf, STOP_SITE, type Site } from "../harness/site.ts";
import { sharedZooKeeper, type SharedZooKeeper } from "../harness/shared_zookeeper.ts";

let zookeeper: SharedZooKeeper;
beforeAll(async () => void (zookeeper = await sharedZooKeeper()), HOOK_MS);
afterAll(() => zookeeper.stop(), HOOK_MS);

/** Says it before anything else has to start. */
const dying = (words: string): string => `echo "${words}" >&2; exit 1`;

const HTTP = 'http = "http://127.0.0.1:${PORT}/health"';
const TCP = 'tcp = "127.0.0.1:${PORT}"';

interface Case {
  readonly what: string;
  /** Lines of JavaScript: what the service does. */
  readonly program: string;
  /** Instead of the start of that. */
  readonly start?: string;
  /** Of [check]; null for a build without one. */
  readonly check: string | null;
  /** How long the check waits, in seconds: for one that never passes, time enough to say its words; 20 for what passes. */
  readonly deadlineS?: number;
  /** What the service has printed last. */
  readonly words: string;
}

const PID = 'echo $! > "$DEPLOYD_SHARED/run/pid"';
const START = 'cd "$DEPLOYD_CURRENT" && "$NODE" "$DEPLOYD_CURRENT/server.cjs" & ' + PID;

const listen = (answer: string): string =>
  `require("node:http").createServer((request, response) => { ${answer} }).listen(Number(process.env.PORT), "127.0.0.1");`;

const cases: readonly Case[] = [
  // First, as it takes longest: nobody notices before the soak is over.
  {
    what: "a service that dies while it soaks, asked by nobody",
    program: "",
    start: `(sleep 0.8; ${dying("fatal: told to")}) & ${PID}`,
    check: null,
    words: "fatal: told to",
  },
  {
    what: "a service that dies at once, asked by http",
    program: "",
    start: `(${dying("fatal: no database")}) & ${PID}`,
    check: HTTP,
    words: "fatal: no database",
  },
  {
    what: "a service that dies at once, asked by tcp",
    program: "",
    start: `(${dying("fatal: no queue")}) & ${PID}`,
    check: TCP,
    words: "fatal: no queue",
  },
  {
    what: "a service that dies at once, asked by a command that says nothing",
    program: "",
    start: `(${dying("fatal: no cache")}) & ${PID}`,
    check: 'command = "exit 1"',
    words: "fatal: no cache",
  },
  {
    what: "a service that dies at once, asked by nobody",
    program: "",
    start: `(${dying("fatal: no config")}) & ${PID}`,
    check: null,
    words: "fatal: no config",
  },
  {
    what: "a service that answers 500 with nothing",
    program: `console.log("cannot migrate"); ${listen("response.statusCode = 500; response.end();")}`,
    check: HTTP,
    deadlineS: 4,
    words: "cannot migrate",
  },
  {
    what: "a service that never answers",
    program: `console.log("waiting for a lock"); ${listen("")}`,
    check: `${HTTP}\ntimeout_s = 0.2`,
    deadlineS: 4,
    words: "waiting for a lock",
  },
  {
    what: "a service that closes its connections",
    program: `console.log("out of memory"); ${listen("request.socket.destroy();")}`,
    check: HTTP,
    deadlineS: 4,
    words: "out of memory",
  },
  {
    what: "a service that falls ill while it soaks",
    program: `let asked = 0; ${listen('asked += 1; if (asked > 2) { console.log("lost the database"); response.statusCode = 503; } response.end();')}`,
    check: HTTP,
    deadlineS: 20,
    words: "lost the database",
  },
  {
    what: "a service that dies while it soaks",
    program: `let asked = 0; ${listen('asked += 1; if (asked > 2) { console.log("a bug"); process.exit(1); } response.end();')}`,
    check: HTTP,
    deadlineS: 20,
    words: "a bug",
  },
  {
    what: "a start command that fails",
    program: "",
    start: 'echo "no such library" >&2; exit 7',
    check: HTTP,
    words: "no such library",
  },
];

async function addCase(
  fleet: Fleet,
  id: string,
  { program, check, start = START, deadlineS = 1 }: Case,
): Promise<void> {
  const tree = join(fleet.dir, "trees", id);
  await mkdir(tree, { recursive: true });
  await writeFile(join(tree, "server.cjs"), program);
  const recipe = `[install]
shared = ["run"]
[restart]
by = "command"
stop = '''${STOP_SITE}'''
start = '${start}'
timeout_s = 20
${check === null ? "" : `[check]\n${check}\ninterval_s = 0.05\ndeadline_s = ${deadlineS}\nsuccesses = 2\n`}`;
  await writeFile(join(tree, "deployd.toml"), recipe);
  await fleet.addBuild(await fleet.pack(tree, id));
}

interface Shown {
  readonly hosts: readonly { readonly error: { readonly message: string } | null; readonly log: string }[];
}

const good: Site = { id: "good" };

/** Fleets side by side, since a deploy mostly waits here. */
const FLEETS = 3;

/** Plays what is still waiting, and notes what it finds for each case by its place. */
async function play(waiting: [number, Case][], found: unknown[]): Promise<void> {
  await withFleet({ hosts: 1, zookeeper: zookeeper.connectString }, async (fleet) => {
    await fleet.addSite(good);
    await fleet.ok("deploy", "web", "good");
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [at, each] = next;
      await addCase(fleet, `bad${at}`, each);
      // Each of these fails in this soak or before.
      const told = await fleet.exits(3, "deploy", "web", `bad${at}`, "--soak-s", "5");
      const text = `${told.stdout}${told.stderr}${(await fleet.ctl("status", "web")).stdout}`;
      const { hosts } = await fleet.json<Shown>("status", "web");
      const log = hosts[0]?.log ?? "";
      found[at] = { what: each.what, words: log.includes(each.words), undefined: /undefined/.test(text + log) };
    }
    await fleet.serves(good);
    expect(await fleet.answers()).toEqual([answerOf(good)]);
  });
}

test(
  "whatever a build fails its check by, its log has the service's last words",
  async () => {
    const found: unknown[] = [];
    const waiting = [...cases.entries()];
    await Promise.all(Array.from({ length: FLEETS }, () => play(waiting, found)));
    expect(found).toEqual(cases.map(({ what }) => ({ what, words: true, undefined: false })));
  },
  TEST_MS,
);
