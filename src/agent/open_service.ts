import { join } from "node:path";
import type { Machine } from "../machine/machine.ts";
import type { AgentConfig, ServiceConfig } from "../schema/agent_config.ts";
import { FormerLife } from "../service/former_life.ts";
import { HoldSlot } from "../service/hold_slot.ts";
import { HostSlot } from "../service/host_slot.ts";
import { formerSpec, trafficSpec } from "../service/instances.ts";
import { JournalFile } from "../service/journal_file.ts";
import { ServiceAgent } from "../service/service_agent.ts";
import { ServiceHost } from "../service/service_host.ts";
import { ServiceState } from "../service/service_state.ts";
import { TrafficControl } from "../service/traffic_control.ts";
import type { Metrics } from "../status/metrics.ts";
import type { AgentStatus } from "../status/agent_status.ts";
import type { Files } from "../steps/files.ts";
import { layoutOf, type Layout } from "../steps/layout.ts";
import type { TreeFormat } from "../store/format.ts";
import { StatusPublisher } from "../store/publish.ts";
import { Troubles } from "../store/troubles.ts";
import type { Session } from "../zookeeper/session.ts";

export type AgentLog = (
  level: "debug" | "info" | "warn" | "error",
  message: string,
  facts: Record<string, unknown>,
) => void;

export interface RunningService {
  readonly service: string;
  readonly state: ServiceState;
  readonly agent: ServiceAgent;
  readonly former: FormerLife;
  readonly publisher: StatusPublisher;
  readonly layout: Layout;
}

/** Creates everything that looks after one service of this host, without starting it. */
export async function openService(
  service: string,
  section: ServiceConfig,
  shared: {
    options: { readonly config: AgentConfig & { host: string }; readonly machine: Machine; readonly log: AgentLog };
    files: Files;
    session: Session;
    format: TreeFormat;
    metrics: Metrics;
    heavy: <T>(work: () => Promise<T>) => Promise<T>;
  },
): Promise<RunningService> {
  const { options, files, session, format, metrics } = shared;
  const { config, log, machine } = options;
  const { clock } = machine;
  const root = section.root ?? join(config.root, service);
  const layout = layoutOf(root);
  const journal = await JournalFile.open(files, layout.state, (aside, problems) =>
    log("error", "the journal was damaged and was put aside; the host goes on from what it observes", {
      service,
      aside,
      problems,
    }),
  );
  const troubles = new Troubles((level, message, facts) => log(level, message, { service, ...facts }));
  const publisher = new StatusPublisher(session, service, config.host, format, clock, (error) =>
    troubles.note(`write the status of "${service}" to ZooKeeper`, error),
  );
  const state = new ServiceState({
    service,
    journal,
    troubles,
    nowMs: () => clock.now(),
    say: (level, message, facts) => log(level, message, { service, ...facts }),
    onChange: (status) => (status === null ? publisher.withdraw() : publisher.publish(status)),
  });
  const counters = metrics.of(service);
  state.onRestarted = (cost) => counters.restarted(cost);
  const trafficControl = trafficControlOf(service, section, journal, machine);
  const former = new FormerLife({
    session,
    service,
    host: config.host,
    journal,
    nowMs: () => clock.now(),
    say: (level, message, facts) => log(level, message, { service, ...facts }),
  });
  const agent = new ServiceAgent({
    host: new ServiceHost({ machine, files, config, section, root, state, trafficControl }),
    state,
    slot: new HostSlot(session, service, config.host, publisher, format, clock),
    former,
    hold: new HoldSlot({ session, service, host: config.host, publisher, format }),
    heavy: shared.heavy,
    log,
    onStep: (step, outcome) =>
      "seconds" in outcome ? counters.stepDone(step, outcome.seconds) : counters.stepFailed(step, outcome.failure),
    onEnd: (result) => counters.deployEnded(result),
  });
  return { service, state, agent, former, publisher, layout };
}

function trafficControlOf(
  service: string,
  section: ServiceConfig,
  journal: JournalFile,
  machine: Machine,
): TrafficControl {
  const { spec, instances } = trafficSpec(section);
  const timeoutMs = section.traffic.timeout_s * 1000;
  return new TrafficControl({
    by: spec.by,
    traffic: machine.traffic.backend(spec, service, instances, timeoutMs),
    instances: instances.map(({ name }) => name),
    journal,
    bootId: machine.bootId,
    timeoutMs,
    former: (by) => {
      const left = formerSpec(by);
      return left === null ? null : machine.traffic.backend(left, service, [], timeoutMs);
    },
  });
}

/** What the status port shows for a service. */
export function serviceShown(state: ServiceState): AgentStatus["services"][number] {
  return {
    service: state.service,
    status: state.status(),
    problem:
      state.journal.problem?.explained ??
      state.unopened?.explained ??
      (state.troubles.text || state.snapshot.problem || state.unstarted || state.disowned || state.warning),
    readAtMs: state.snapshot.readAtMs,
    download: state.downloaded,
    instances: instancesShown(state),
    restart: state.restartPhase,
    leftovers: state.leftovers,
    servedAtMs: state.journal.now.served?.atMs ?? 0,
  };
}

function instancesShown({ actual, journal }: ServiceState): AgentStatus["services"][number]["instances"] {
  const off = journal.now.traffic?.off ?? [];
  return (actual?.instances ?? []).map(({ name, served }) => ({
    name,
    build: served.kind === "build" ? served.build : null,
    inTraffic: !off.includes(name),
  }));
}
