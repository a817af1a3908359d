import type { ServiceReport } from "../../src/core/service_report.ts";
import { Metrics } from "../../src/status/metrics.ts";
import type { ServiceOnHost, AgentStatus } from "../../src/status/agent_status.ts";
import { systemClock } from "../../src/support/clock.ts";
import { statusOf } from "../store/site.ts";

export function serviceView(changes: Partial<ServiceOnHost> = {}): ServiceOnHost {
  return {
    service: "web",
    status: statusOf({ build: "v1", health: "healthy", step: "serving", wish: { build: "v1", deploy: "d1" } }),
    problem: "",
    readAtMs: 1,
    servedAtMs: 0,
    download: null,
    instances: [{ name: "1", build: "v2", inTraffic: true }],
    restart: null,
    leftovers: [],
    ...changes,
  };
}

export function viewOf(changes: Partial<AgentStatus> = {}): AgentStatus {
  return {
    host: "web-1",
    version: "1.2.3",
    startedAt: "2026-01-01T00:00:00.000Z",
    zookeeper: { state: "connected", detail: "127.0.0.1:2181", sessionLosses: 2 },
    problem: "",
    services: [serviceView()],
    ...changes,
  };
}

export function reportOf(changes: Partial<ServiceReport> = {}): ServiceReport {
  return {
    service: "web",
    deploy: null,
    hosts: { serving: 0, failed: 0, away: 0, restarting: 0, waiting: 0 },
    agents: { connected: 0, away: 0 },
    unreadable: 0,
    stillForMs: 0,
    ...changes,
  };
}

export function metricsOf(
  view: () => AgentStatus = viewOf,
  conducted: () => readonly ServiceReport[] | null = () => null,
): Metrics {
  const services = view().services.map(({ service }) => service);
  return new Metrics({ view, conducted, services, targets: ["ops"], clock: systemClock });
}
