import { join } from "node:path";
import { conductWhenElected } from "../conductor/conducting.ts";
import { FleetReport } from "../conductor/fleet_report.ts";
import { SPEAKS } from "../core/format.ts";
import type { Machine } from "../machine/machine.ts";
import type { AgentConfig } from "../schema/agent_config.ts";
import { statusApp } from "../status/app.ts";
import { Metrics } from "../status/metrics.ts";
import type { AgentStatus } from "../status/agent_status.ts";
import { Files } from "../steps/files.ts";
import { requireTrustedWay } from "../steps/trusted_place.ts";
import { followWish } from "../store/follow.ts";
import { TreeFormat } from "../store/format.ts";
import { Troubles } from "../store/troubles.ts";
import type { StopSignals } from "../support/abort.ts";
import { every } from "../support/clock.ts";
import { Session } from "../zookeeper/session.ts";
import { fleetPage } from "./fleet_page.ts";
import { keptLogs } from "./kept_logs.ts";
import { notifyTarget } from "./notify_target.ts";
import { openService, serviceShown, type AgentLog, type RunningService } from "./open_service.ts";
import { announce } from "./presence.ts";
import { zookeeperDetail, zookeeperProblem } from "./zookeeper_problem.ts";

export interface AgentOptions {
  readonly config: AgentConfig & { host: string };
  readonly version: string;
  readonly machine: Machine;
  readonly log: AgentLog;
  readonly stop: StopSignals;
}

/** The whole agent: it runs until it is told to stop, and throws only when it cannot start. */
export async function runAgent(options: AgentOptions): Promise<void> {
  const { config, log, machine, stop, version } = options;
  const { clock, manager } = machine;
  const files = new Files(machine.disk, clock);
  if (machine.isRoot) await requireTrustedWay(config.root, config.root, files);
  await files.makeDirectory(config.root, 0o755);
  const lockPath = join(config.root, ".agent.lock");
  await using _lock = await machine.lock.acquire(lockPath);

  const zookeeper = {
    clock,
    dial: machine.network.dial,
    servers: `${config.zookeeper.servers}${config.zookeeper.chroot === "/" ? "" : config.zookeeper.chroot}`,
    sessionTimeoutMs: config.zookeeper.session_timeout_s * 1000,
    auth: config.zookeeper.digest === undefined ? [] : [{ scheme: "digest", credentials: config.zookeeper.digest }],
    onError: (error: unknown) => log("error", "a ZooKeeper listener failed", { error: String(error) }),
  };
  await using session = new Session(zookeeper);
  const troubles = new Troubles(log);
  await using format = new TreeFormat(
    session,
    version,
    clock,
    (problem) => {
      if (problem === null) log("info", "the format of the tree in ZooKeeper is known again", {});
      else log("error", problem.explained, { code: problem.code });
    },
    (error) => troubles.note("read the format of the tree in ZooKeeper", error),
  );
  const startedAt = new Date(clock.now()).toISOString();
  const told = { sessionLosses: 0, problem: "" };
  session.onEpoch((_epoch, reason) => {
    told.sessionLosses += 1;
    log("warn", "the ZooKeeper session expired; a new one begins", { reason });
  });
  session.onState((state) => log("info", `zookeeper: ${state.kind}`, { detail: zookeeperDetail(state) }));

  const running: RunningService[] = [];
  const view = (): AgentStatus => ({
    host: config.host,
    version,
    startedAt,
    zookeeper: {
      state: session.state.kind,
      detail: zookeeperDetail(session.state),
      sessionLosses: told.sessionLosses,
    },
    problem:
      zookeeperProblem(session, config.zookeeper.servers) ||
      problemOf(format, told.problem, [troubles, ...running.map(({ state }) => state.troubles)]),
    services: running.map(({ state }) => serviceShown(state)),
  });
  const report = new FleetReport(clock);
  const services = Object.keys(config.services);
  const metrics = new Metrics({
    view,
    conducted: () => report.services,
    services,
    targets: Object.keys(config.notify),
    clock,
  });
  const heavy = oneAtATime();
  for (const [service, section] of Object.entries(config.services)) {
    running.push(await openService(service, section, { options, files, session, format, metrics, heavy }));
  }
  const logs = keptLogs(new Map(running.map(({ service, layout }) => [service, layout])), files);
  await using page = fleetPage({ config, version, machine, zookeeper });
  const app = statusApp(view, metrics, logs, page.app, config.page.names);
  await using port = machine.network.serve((request, from) => app.fetch(request, from), config.status.listen);
  log("info", "the agent has started", { version, status: port.address, root: config.root });
  manager.ready();
  using _watchdog = keepAlive(machine);

  const record = {
    version,
    bootId: machine.bootId,
    statusAddress: port.address,
    pid: machine.pid,
    since: startedAt,
    speaks: SPEAKS,
    lock: lockPath,
    services,
  };
  // What the agent before this one left half done is completed, and its traffic set, whether or not ZooKeeper can be
  // reached.
  const serving = running.map(({ agent }) => agent.run(stop));
  for (const each of serving) each.catch(() => {});
  const ousted = Promise.withResolvers<never>();
  ousted.promise.catch(() => {});
  await announce({
    session,
    format,
    host: config.host,
    record,
    onWaiting: (problem, isTaken) => {
      for (const { state } of running) state.isNameTaken = isTaken;
      if (problem !== told.problem)
        log(problem === "" ? "info" : "error", problem || "the agent has its name in ZooKeeper", {});
      told.problem = problem;
    },
    onOusted: (error) => ousted.reject(error),
    clock,
    signal: stop.soon,
  });

  const publishing = new AbortController();
  const published = running.map(({ publisher }) => publisher.run(AbortSignal.any([publishing.signal, stop.now])));
  const following = running.map(({ agent, former, state, service, publisher }) =>
    followWish(
      {
        session,
        format,
        service,
        host: config.host,
        zone: config.zone,
        clock,
        remembered: () => state.journal.now,
        onStatus: async (text) => {
          publisher.found(text);
          await former.heard(text);
        },
        onSnapshot: (snapshot) => {
          state.troubles.note(readWish(service), null);
          agent.onSnapshot(snapshot);
        },
        onProblem: (error) => state.troubles.note(readWish(service), error),
      },
      stop.soon,
    ),
  );
  try {
    await Promise.race([
      Promise.all([
        ...serving,
        ...following,
        conductWhenElected({
          session,
          format,
          troubles,
          report,
          config,
          log,
          clock,
          stop: stop.soon,
          target: (name) => notifyTarget(name, config.notify, files, machine.isRoot),
          post: (request, signal) => machine.network.post(request, signal),
          onNoticed: metrics.noticed,
        }),
      ]),
      ousted.promise,
    ]);
  } finally {
    manager.stopping();
    publishing.abort();
    await Promise.all(published);
  }
}

const readWish = (service: string): string => `read what is wished of "${service}"`;

function problemOf(format: TreeFormat, presence: string, troubles: readonly Troubles[]): string {
  const failing = troubles.map(({ text }) => text).filter((text) => text !== "");
  return format.problem?.explained ?? (presence || failing.join(" "));
}

function oneAtATime(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const mine = last.then(work, work);
    last = mine.catch(() => {});
    return mine;
  };
}

function keepAlive({ clock, manager }: Machine): Disposable {
  if (manager.watchdogMs === null) return { [Symbol.dispose]: () => {} };
  const stop = every(clock, manager.watchdogMs / 3, () => manager.watchdog());
  return { [Symbol.dispose]: stop };
}
