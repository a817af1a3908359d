import { agentConfig } from "../../../src/agent/config.ts";
import { openService } from "../../../src/agent/open_service.ts";
import { announce } from "../../../src/agent/presence.ts";
import { SPEAKS } from "../../../src/core/format.ts";
import type { JournalEvent } from "../../../src/core/journal.ts";
import type { Machine } from "../../../src/machine/machine.ts";
import { Metrics } from "../../../src/status/metrics.ts";
import { Files } from "../../../src/steps/files.ts";
import { followWish } from "../../../src/store/follow.ts";
import { TreeFormat } from "../../../src/store/format.ts";
import { systemClock } from "../../../src/support/clock.ts";
import { tcpDial } from "../../../src/zookeeper/dial.ts";
import { Session } from "../../../src/zookeeper/session.ts";
import { chanceOf } from "../../sim/chance.ts";
import type { ArtefactServer } from "../../sim/host/artefacts.ts";
import { agentFile, hostService } from "../../sim/host/host_file.ts";
import { SimHost } from "../../sim/host/sim_host.ts";
import { BEGINNING_MS } from "../../sim/time.ts";
import { countedDial } from "./counted_dial.ts";
import type { PacedTime } from "./paced_time.ts";
import { wallMs } from "./program.ts";
import { RequestCounts } from "./request_counts.ts";

export const SERVICE = "web";
const SESSION_TIMEOUT_S = 60;
/**
 * How long a build takes to come. All hosts share a few processors here: what they do with a build would otherwise be in
 * the time that the others take to decide.
 */
const DOWNLOAD_MS = 5_000;

/** When things of the last deploy happened on a host, on the clock of `wallMs`; 0 where they did not. */
export interface HostMoments {
  /** It took the wish up. */
  takenUp: number;
  /** It began to restart, and was through with it. */
  begun: number;
  finished: number;
  /** It found that the build fails. */
  failed: number;
}

export interface Site {
  /** With the chroot. */
  readonly servers: string;
  readonly time: PacedTime;
  readonly artefacts: ArtefactServer;
  readonly onProblem: (problem: string) => void;
  readonly onTakenUp: () => void;
}

const service = hostService({ name: SERVICE });
/** Of all hosts of a process: nobody scrapes them. */
const metrics = new Metrics({
  view: () => {
    throw new Error("nobody scrapes the hosts of this bench");
  },
  conducted: () => null,
  services: [SERVICE],
  targets: [],
  clock: systemClock,
});

/**
 * One host: what the production agent is made of, but for its status port and its candidacy, on a machine of the
 * rehearsal and with a session of its own.
 */
export class BenchHost {
  counts = new RequestCounts();
  moments: HostMoments = { takenUp: 0, begun: 0, finished: 0, failed: 0 };

  /** Begins with zero. */
  mark(): void {
    this.counts = new RequestCounts();
    this.moments = { takenUp: 0, begun: 0, finished: 0, failed: 0 };
  }

  /** Resolves when the host has its name in ZooKeeper. */
  static async open(name: string, { servers, time, artefacts, onProblem, onTakenUp }: Site): Promise<BenchHost> {
    const host = new BenchHost();
    // One of its own: what listens to a signal is looked through whenever something no longer does.
    const never = new AbortController().signal;
    const dial = countedDial(time.paced(tcpDial(systemClock)), (request) => host.counts.take(request));
    const machineRoom = new SimHost({
      name,
      time: time.time,
      chance: chanceOf(name),
      services: [service],
      server: artefacts,
      wall: { offsetMs: Math.round(wallMs() - BEGINNING_MS - time.time.nowMs), drift: 0 },
      dial: () => dial,
    });
    machineRoom.slowness = 0;
    const machine = slowlyLoading(machineRoom.newLife().machine);
    const { clock } = machine;
    const config = agentConfig(agentFile(name, servers, [service], SESSION_TIMEOUT_S), "agent.toml", {}, name);
    const log = (level: string, message: string, facts: Record<string, unknown>): void => {
      if (level === "error") onProblem(`${name}: ${message} ${JSON.stringify(facts)}`);
    };
    const over = (error: unknown): void => onProblem(`${name}: ${String(error)}`);
    const files = new Files(machine.disk, clock);
    const session = new Session({
      clock,
      servers,
      dial: machine.network.dial,
      sessionTimeoutMs: SESSION_TIMEOUT_S * 1000,
      onError: (error) => onProblem(`${name}: ${String(error)}`),
    });
    session.onEpoch((_epoch, reason) => onProblem(`${name} has lost its session: ${reason}`));
    const format = new TreeFormat(
      session,
      "0",
      clock,
      () => {},
      (error) => {
        if (error !== null) over(error);
      },
    );
    const section = config.services[SERVICE];
    if (section === undefined) throw new Error(`there is no service "${SERVICE}" in agent.toml`);
    const heavy = <T>(work: () => Promise<T>): Promise<T> => work();
    const options = { config, machine, log };
    const { agent, state, publisher } = await openService(SERVICE, section, {
      options,
      files,
      session,
      format,
      metrics,
      heavy,
    });
    const record = state.journal.record.bind(state.journal);
    state.journal.record = async (event) => {
      await record(event);
      host.#saw(event);
      if (event.kind === "taken-up") onTakenUp();
    };
    agent.run({ soon: never, now: never }).catch(over);
    await announce({
      session,
      format,
      host: name,
      record: {
        version: "0",
        bootId: machine.bootId,
        statusAddress: null,
        pid: machine.pid,
        since: new Date(clock.now()).toISOString(),
        speaks: SPEAKS,
        lock: `${config.root}/.agent.lock`,
        services: [SERVICE],
      },
      onWaiting: () => {},
      onOusted: over,
      clock,
      signal: never,
    });
    publisher.run(never).catch(over);
    const following = {
      session,
      format,
      service: SERVICE,
      host: name,
      clock,
      remembered: () => state.journal.now,
      onStatus: (text: string) => publisher.found(text),
      onSnapshot: agent.onSnapshot.bind(agent),
      onProblem: over,
    };
    followWish(following, never).catch(over);
    return host;
  }

  #saw({ kind }: JournalEvent): void {
    const at = wallMs();
    if (kind === "taken-up") this.moments.takenUp = at;
    if (kind === "begun") this.moments.begun = at;
    if (kind === "finished") this.moments.finished = at;
    if (kind === "turned-back") this.moments.failed = at;
  }
}

function slowlyLoading(machine: Machine): Machine {
  const { network, clock } = machine;
  const download: typeof network.download = async (request) => {
    await clock.sleep(DOWNLOAD_MS, request.signal);
    await network.download(request);
  };
  return { ...machine, network: { ...network, download } };
}
