import { Registry } from "prom-client";
import type { NoticeResult } from "../core/notices.ts";
import type { ServiceReport } from "../core/service_report.ts";
import type { Clock } from "../support/clock.ts";
import { conductorGauges } from "./conductor_gauges.ts";
import { hostGauges } from "./host_gauges.ts";
import { noticeCounter } from "./notice_counter.ts";
import { serviceCounters, type ServiceCounters } from "./service_counters.ts";
import type { AgentStatus } from "./agent_status.ts";

export interface MetricsOptions {
  readonly view: () => AgentStatus;
  /** How the services stand, as this agent sees them as the conductor; null while it is not. */
  readonly conducted: () => readonly ServiceReport[] | null;
  /** The services of this host. */
  readonly services: readonly string[];
  /** Whom this host can tell what becomes of deploys. */
  readonly targets: readonly string[];
  readonly clock: Pick<Clock, "now">;
}

/** The agent's metrics; docs/metrics.md explains each, and lists the alerts that use them. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #counters: ReadonlyMap<string, ServiceCounters>;
  /** Called with what came of telling a target something. */
  readonly noticed: (target: string, result: NoticeResult) => void;

  constructor({ view, conducted, services, targets, clock }: MetricsOptions) {
    const countersOf = serviceCounters(this.#registry);
    this.#counters = new Map(services.map((service) => [service, countersOf(service)]));
    this.noticed = noticeCounter(this.#registry, targets);
    hostGauges(this.#registry, view, clock);
    conductorGauges(this.#registry, conducted);
  }

  of(service: string): ServiceCounters {
    const counters = this.#counters.get(service);
    if (counters === undefined) throw new Error(`this host has no service "${service}"`);
    return counters;
  }

  /** The Prometheus text format, version 0.0.4. */
  async text(): Promise<string> {
    return this.#registry.metrics();
  }
}
