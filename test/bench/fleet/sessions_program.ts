// Many hosts in one process, each with a session of its own and an ephemeral node, told what to do over stdin:
// `open SERVERS FIRST COUNT TIMEOUT_MS CROWDED_PORT`, answered by `opened`; then `report` as often as one likes, answered
// by `report JSON`, a `HostsReport`.
import { createInterface } from "node:readline";
import { systemClock } from "../../../src/support/clock.ts";
import { LinkError, tcpDial, type Dial } from "../../../src/zookeeper/dial.ts";
import { Session } from "../../../src/zookeeper/session.ts";
import { hostPath, type HostsReport } from "./hosts_report.ts";

const sessions: Session[] = [];
const triesAtMs: number[] = [];
const connectedAtMs: number[] = [];
let lost = 0;
let isOpen = false;

/** A moment that other processes of this machine understand. */
function momentMs(): number {
  return performance.timeOrigin + performance.now();
}

const tcp = tcpDial(systemClock);

/** @param port the only server that is found until all hosts are open; null for any */
function dialling(port: number | null): Dial {
  return (address, options, events) => {
    if (isOpen) triesAtMs.push(momentMs());
    else if (port !== null && address.server.port !== port) {
      return Promise.reject(new LinkError({ kind: "lost", reason: "not the crowded server" }));
    }
    return tcp(address, options, events);
  };
}

/** So many begin at once: the servers are to be loaded by coming back, not by coming. */
const openingAtOnce = 100;
/** Of so many hosts in a row, as many are crowded on one server. */
const crowd = { of: 10, crowded: 5 } as const;

interface Opening {
  readonly servers: string;
  readonly firstHost: number;
  readonly count: number;
  readonly sessionTimeoutMs: number;
  readonly crowdedPort: number;
}

async function open({ servers, firstHost, count, sessionTimeoutMs, crowdedPort }: Opening): Promise<void> {
  const hosts = Array.from({ length: count }, (_, index) => firstHost + index).values();
  const openNext = async (): Promise<void> => {
    for (const host of hosts) {
      const dial = dialling(host % crowd.of < crowd.crowded ? crowdedPort : null);
      const session = new Session({ clock: systemClock, servers, sessionTimeoutMs, dial });
      sessions.push(session);
      await session.ephemeral(hostPath(host), "");
      session.onEpoch(() => void (lost += 1));
      session.onState((state) => {
        if (state.kind === "connected") connectedAtMs.push(momentMs());
      });
    }
  };
  await Promise.all(Array.from({ length: openingAtOnce }, openNext));
  isOpen = true;
}

function report(): HostsReport {
  const servers: Record<string, number> = {};
  for (const { state } of sessions) {
    if (state.kind === "connected") servers[state.server] = (servers[state.server] ?? 0) + 1;
  }
  return { servers, lost, triesAtMs, connectedAtMs };
}

async function obey(line: string): Promise<string> {
  const [word, servers = "", ...numbers] = line.split(" ");
  if (word === "report") return `report ${JSON.stringify(report())}`;
  if (word !== "open") throw new Error(`unknown command: ${line}`);
  const [firstHost = 0, count = 0, sessionTimeoutMs = 0, crowdedPort = 0] = numbers.map(Number);
  await open({ servers, firstHost, count, sessionTimeoutMs, crowdedPort });
  return "opened";
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

say("ready");
for await (const line of createInterface({ input: process.stdin })) {
  obey(line).then(say, (error: unknown) => say(`failed ${String(error).replaceAll("\n", " ")}`));
}
process.exit(0);
