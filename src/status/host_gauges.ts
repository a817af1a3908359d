import type { Registry } from "prom-client";
import type { HostStep } from "../schema/znodes.ts";
import type { Clock } from "../support/clock.ts";
import { processFacts } from "./process_facts.ts";
import { gauge, total } from "./series.ts";
import { isReady, type ServiceOnHost, type AgentStatus } from "./agent_status.ts";

const OUT_OF_SERVICE: readonly HostStep[] = ["flip", "restart", "check", "soak"];

/** The gauges for the current state of this agent and its host's services. */
export function hostGauges(registry: Registry, view: () => AgentStatus, clock: Pick<Clock, "now">): void {
  agentGauges(registry, view);
  serviceGauges(registry, view, clock);
  processGauges(registry, view);
}

function agentGauges(registry: Registry, view: () => AgentStatus): void {
  gauge(registry, "deployd_build_info", "Version of this agent.", ["version"], (set) =>
    set({ version: view().version }, 1),
  );
  gauge(registry, "deployd_agent_ready", "1 while the agent can do its work, as /readyz says.", [], (set) =>
    set({}, isReady(view()) ? 1 : 0),
  );
  gauge(registry, "deployd_zk_connected", "1 while ZooKeeper is connected.", [], (set) =>
    set({}, view().zookeeper.state === "connected" ? 1 : 0),
  );
  total(
    registry,
    "deployd_zk_session_losses_total",
    "ZooKeeper sessions that expired.",
    () => view().zookeeper.sessionLosses,
  );
}

function serviceGauges(registry: Registry, view: () => AgentStatus, clock: Pick<Clock, "now">): void {
  const each = (name: string, help: string, read: (service: ServiceOnHost) => number): void =>
    gauge(registry, name, help, ["service"], (set) => {
      for (const shown of view().services) set({ service: shown.service }, read(shown));
    });
  const flag = (name: string, help: string, holds: (service: ServiceOnHost) => boolean): void =>
    each(name, help, (shown) => (holds(shown) ? 1 : 0));

  gauge(registry, "deployd_service_build_info", "The build a service runs.", ["service", "build"], (set) => {
    for (const { service, status } of view().services)
      if (status.build !== null) set({ service, build: status.build }, 1);
  });
  flag(
    "deployd_service_healthy",
    "1 while the service runs and passes its check.",
    ({ status }) => status.health === "healthy",
  );
  flag(
    "deployd_service_unhealthy",
    "1 while the service has a build and is down, or fails its check.",
    ({ status }) => status.health === "unhealthy",
  );
  flag(
    "deployd_service_converged",
    "1 while the service runs the build that is wished.",
    ({ status }) => status.wish?.build === status.build,
  );
  flag(
    "deployd_service_failed",
    "1 while the wished build has failed here and is not tried again.",
    ({ status }) => status.step === "failed",
  );
  flag(
    "deployd_service_held",
    "1 while the wish is held because it is older than what this host has followed.",
    ({ status }) => status.held !== undefined,
  );
  flag(
    "deployd_service_problem",
    "1 while something keeps the host from following its wish; /status says what.",
    ({ problem }) => problem !== "",
  );
  flag("deployd_restart_in_progress", "1 while the host is out of service for a deploy.", ({ status }) =>
    OUT_OF_SERVICE.includes(status.step),
  );
  gauge(registry, "deployd_instances", "Instances of a service on this host.", ["service", "traffic"], (set) => {
    for (const { service, instances } of view().services) {
      const on = instances.filter(({ inTraffic }) => inTraffic).length;
      set({ service, traffic: "on" }, on);
      set({ service, traffic: "off" }, instances.length - on);
    }
  });
  each(
    "deployd_desired_state_age_seconds",
    "Seconds since the wish was last read, or, before the first time, since the agent started.",
    ({ readAtMs }) => (clock.now() - (readAtMs || Date.parse(view().startedAt))) / 1000,
  );
  each(
    "deployd_last_deploy_timestamp_seconds",
    "When a deploy last succeeded on this host; 0 where none did.",
    ({ servedAtMs }) => servedAtMs / 1000,
  );
}

function processGauges(registry: Registry, view: () => AgentStatus): void {
  total(
    registry,
    "process_cpu_seconds_total",
    "CPU time of this process, user and system.",
    () => processFacts()?.cpuSeconds ?? null,
  );
  const plain = (name: string, help: string, read: () => number): void =>
    gauge(registry, name, help, [], (set) => set({}, read()));
  plain(
    "process_resident_memory_bytes",
    "Resident memory of this process.",
    () => processFacts()?.residentBytes ?? Number.NaN,
  );
  plain("process_open_fds", "Open file descriptors of this process.", () => processFacts()?.openFds ?? Number.NaN);
  plain(
    "process_start_time_seconds",
    "When this process started, in seconds since the epoch.",
    () => Date.parse(view().startedAt) / 1000,
  );
}
