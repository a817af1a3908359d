import { readFileSync } from "node:fs";
import { systemClock } from "../../../src/support/clock.ts";
import { ZooKeeper } from "../../../src/zookeeper/client.ts";
import { eventually } from "../../harness/eventually.ts";
import type { Figure } from "../figure.ts";
import { rounded } from "../statistics.ts";
import { Peer } from "../zookeeper/peer.ts";
import { leaderOf, startEnsemble, type Member } from "./ensemble.ts";
import { added, hostPath, hostsReport, hostsRoot, peak, type HostsReport } from "./hosts_report.ts";

/** As agents have it, in milliseconds. */
const usualTimeoutMs = 10_000;
/** More in one process would measure that process: how late its one thread comes to each socket. */
const hostsPerProcess = 1_250;
const openDeadlineMs = 180_000;
const peakWidthMs = 100;
/** What a process needs open beside its sessions. */
const spareFiles = 500;

export interface SessionsOptions {
  readonly hosts: number;
  /** Default: as agents have it. The servers grant no less than 4,000. */
  readonly sessionTimeoutMs?: number;
  readonly note: (text: string) => void;
}

/**
 * How a fleet's sessions outlive a server: three real servers, and hosts by the production client, each with a session
 * and an ephemeral node. The server that most of them are connected to is killed; it is the leader, so that the others drop
 * theirs as well, take nobody until they have elected another, and then have everybody. `sessions-lost` counts the hosts
 * whose session ended or whose node went, `sessions-back` is the time until the last was connected again by the session's
 * timeout, `sessions-peak` how many were connected within the busiest 100 ms.
 * @throws an error when the machine cannot hold so many, or not all come back
 */
export async function measureSessions(options: SessionsOptions): Promise<Figure[]> {
  const { hosts, note, sessionTimeoutMs = usualTimeoutMs } = options;
  requireFiles(hosts);
  await using resources = new AsyncDisposableStack();
  const { members } = resources.use(await startEnsemble());
  const servers = members.map(({ connectString }) => connectString).join(",");
  const observer = resources.use(new ZooKeeper({ clock: systemClock, servers, sessionTimeoutMs: 40_000 }));
  await observer.create(hostsRoot);
  const victim = await leaderOf(members);
  const processes: Peer[] = [];
  for (let first = 0; first < hosts; first += hostsPerProcess) {
    const peer = resources.use(await Peer.start({ name: "ours", command: [process.execPath, program] }));
    processes.push(peer);
    const count = Math.min(hostsPerProcess, hosts - first);
    await peer.ask(`open ${servers} ${first} ${count} ${sessionTimeoutMs} ${victim.port}`, "opened", openDeadlineMs);
    note(`sessions: ${first + count} hosts have a session and a node`);
  }
  const look = (): Promise<HostsReport> => reportOf(processes);
  // Only a connection that has lasted a while counts as a good one with the client.
  await Bun.sleep(1_000);
  const before = await ownersOf(observer, hosts);
  const { servers: shares } = await look();
  if ((await leaderOf(members)) !== victim)
    throw new Error("another server leads than at first: the machine is too busy");
  const killedAtMs = killNow(victim);
  note(`sessions: killed the server of ${shares[victim.connectString] ?? 0} hosts, the leader`);
  const all = async (): Promise<boolean> => {
    const now = (await look()).servers;
    return (now[victim.connectString] ?? 0) === 0 && Object.values(now).reduce((sum, each) => sum + each, 0) === hosts;
  };
  await eventually(all, 6 * sessionTimeoutMs);
  // The servers end a session that nobody came back for only when its timeout is over.
  await Bun.sleep(Math.max(0, killedAtMs + 2 * sessionTimeoutMs - moment()));
  await observer.sync(hostsRoot);
  const after = await ownersOf(observer, hosts);
  const { lost, triesAtMs, connectedAtMs } = await look();
  const nodesLost = before.filter((owner, host) => after[host] !== owner).length;
  const backMs = Math.max(...connectedAtMs) - killedAtMs;
  const detail = {
    hosts,
    processes: processes.length,
    sessionTimeoutMs,
    onKilledServer: shares[victim.connectString] ?? 0,
    cameBack: connectedAtMs.length,
  };
  return [
    {
      name: "sessions-lost",
      value: Math.max(lost, nodesLost),
      unit: "count",
      limit: 0,
      goal: "at most",
      detail: { ...detail, sessionsEnded: lost, nodesGone: nodesLost },
    },
    {
      name: "sessions-back",
      value: backMs / sessionTimeoutMs,
      unit: "ratio",
      limit: 2,
      goal: "at most",
      detail: { lastBackMs: rounded(backMs), quantilesMs: quantiles(connectedAtMs.map((at) => at - killedAtMs)) },
    },
    {
      name: "sessions-peak",
      value: peak(connectedAtMs, peakWidthMs),
      unit: "count",
      limit: null,
      goal: "at most",
      detail: {
        widthMs: peakWidthMs,
        cameBack: connectedAtMs.length,
        tries: triesAtMs.length,
        peakOfTries: peak(triesAtMs, peakWidthMs),
        peakOfTriesIn10Ms: peak(triesAtMs, 10),
        triesPer100Ms: perStretch(triesAtMs, killedAtMs, peakWidthMs),
        backPer100Ms: perStretch(connectedAtMs, killedAtMs, peakWidthMs),
      },
    },
  ];
}

const program = Bun.fileURLToPath(import.meta.resolve("./sessions_program.ts"));

/** As the hosts' processes tell moments. */
function moment(): number {
  return performance.timeOrigin + performance.now();
}

function killNow({ pid }: Member): number {
  const atMs = moment();
  process.kill(pid, "SIGKILL");
  return atMs;
}

/** After a kill it may be all connections that are made again, and one server that has all of them. */
function requireFiles(hosts: number): void {
  const line = readFileSync("/proc/self/limits", "utf8").match(/^Max open files +\S+ +(\S+)/m);
  const most = line?.[1] === "unlimited" ? Infinity : Number(line?.[1]);
  if (most < hosts + spareFiles) {
    throw new Error(`A server needs ${hosts + spareFiles} open files and may have ${most}: raise the hard limit.`);
  }
}

async function reportOf(processes: readonly Peer[]): Promise<HostsReport> {
  const heard = await Promise.all(processes.map((peer) => peer.ask("report", "report")));
  return added(heard.map(({ words }) => hostsReport.parse(JSON.parse(words.slice(1).join(" ")))));
}

/** The session that owns each host's node; null where there is no node. */
async function ownersOf(observer: ZooKeeper, hosts: number): Promise<(bigint | null)[]> {
  const stats = await Promise.all(Array.from({ length: hosts }, (_, host) => observer.exists(hostPath(host))));
  return stats.map((stat) => stat?.ephemeralOwner ?? null);
}

function quantiles(values: readonly number[]): Record<string, number> {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number => rounded(sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN);
  return { first: at(0), half: at(0.5), nineTenths: at(0.9), last: at(1) };
}

/** How many of the moments lie in each stretch of `widthMs` from `fromMs` on, up to the last that has any. */
function perStretch(momentsMs: readonly number[], fromMs: number, widthMs: number): number[] {
  const counts: number[] = [];
  for (const momentMs of momentsMs) {
    const stretch = Math.max(0, Math.floor((momentMs - fromMs) / widthMs));
    while (counts.length <= stretch) counts.push(0);
    counts[stretch] = (counts[stretch] ?? 0) + 1;
  }
  return counts;
}
