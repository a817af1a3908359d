import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { RollCounts } from "../core/types.ts";
import type { HostStep } from "../schema/znodes.ts";
import type { Clock } from "../support/clock.ts";
import { processFacts } from "./process_facts.ts";
import type { StatusView } from "./view.ts";

/**
 * The agent's metrics. Host and build never label a counter: they would grow without bound. The one series that names a
 * build is an info gauge that is set anew at every scrape.
 */
export class Metrics {
  readonly #registry = new Registry();
  readonly #stepSeconds: Histogram<"step">;
  readonly #stepFailures: Counter<"step" | "reason">;
  readonly #deploys: Counter<"service" | "result">;
  readonly #phaseSeconds: Histogram<"service" | "phase">;
  readonly #instancesRestarted: Counter<"service">;
  readonly #closed: Counter<"service">;
  readonly #refused: Counter<"service">;
  readonly #view: () => StatusView;
  readonly #clock: Clock;

  constructor(view: () => StatusView, clock: Clock) {
    this.#view = view;
    this.#clock = clock;
    const registers = [this.#registry];
    this.#stepSeconds = new Histogram({
      name: "deployd_step_duration_seconds",
      help: "How long the steps of the ladder took that ended well.",
      labelNames: ["step"],
      buckets: [0.05, 0.2, 1, 5, 15, 60, 300, 1800],
      registers,
    });
    this.#stepFailures = new Counter({
      name: "deployd_step_failures_total",
      help: "Steps of the ladder that failed, by step and error code.",
      labelNames: ["step", "reason"],
      registers,
    });
    this.#deploys = new Counter({
      name: "deployd_deploys_total",
      help: "Builds that this host brought to life or gave up, by result.",
      labelNames: ["service", "result"],
      registers,
    });
    this.#phaseSeconds = new Histogram({
      name: "deployd_restart_phase_duration_seconds",
      help: "How long the phases of restarts took, by batch of instances.",
      labelNames: ["service", "phase"],
      buckets: [0.05, 0.2, 1, 5, 15, 60, 300],
      registers,
    });
    const counter = (name: string, help: string) =>
      new Counter({ name, help, labelNames: ["service"] as const, registers });
    this.#instancesRestarted = counter("deployd_instance_restarts_total", "Restarts of instances.");
    this.#closed = counter(
      "deployd_restart_closed_connections_total",
      "Connections that were open when their instance was stopped.",
    );
    this.#refused = counter(
      "deployd_restart_refused_connections_total",
      "Connections refused while traffic was off, as far as the traffic back end can tell.",
    );
    this.#defineGauges(registers);
  }

  /** What one batch of instances has cost when its restart has ended, well or not. */
  restarted(service: string, cost: RollCounts): void {
    this.#instancesRestarted.inc({ service }, cost.instances);
    this.#closed.inc({ service }, cost.closed ?? 0);
    this.#refused.inc({ service }, cost.refused ?? 0);
    for (const [phase, ms] of Object.entries(cost.phaseMs)) {
      this.#phaseSeconds.observe({ service, phase }, ms / 1000);
    }
  }

  stepDone(step: HostStep, seconds: number): void {
    this.#stepSeconds.observe({ step }, seconds);
  }

  stepFailed(step: HostStep, reason: string): void {
    this.#stepFailures.inc({ step, reason });
  }

  deployEnded(service: string, result: "served" | "failed"): void {
    this.#deploys.inc({ service, result });
  }

  /** The Prometheus text format, version 0.0.4. */
  async text(): Promise<string> {
    return this.#registry.metrics();
  }

  #defineGauges(registers: Registry[]): void {
    const view = this.#view;
    const gauge = <L extends string>(
      name: string,
      help: string,
      labelNames: readonly L[],
      fill: (set: (labels: Partial<Record<L, string>>, value: number) => void) => void,
    ): void => {
      const made: Gauge<L> = new Gauge<L>({
        name,
        help,
        labelNames,
        registers,
        collect: () => {
          made.reset();
          fill((labels, value) => made.set(labels, value));
        },
      });
    };
    gauge("deployd_build_info", "Version of this agent.", ["version"], (set) => set({ version: view().version }, 1));
    gauge("deployd_service_build_info", "The build a service runs.", ["service", "build"], (set) => {
      for (const { service, status } of view().services)
        if (status.build !== null) set({ service, build: status.build }, 1);
    });
    gauge("deployd_service_healthy", "1 while the service runs and passes its check.", ["service"], (set) => {
      for (const { service, status } of view().services) set({ service }, status.health === "healthy" ? 1 : 0);
    });
    gauge("deployd_service_converged", "1 while the service runs the build that is wished.", ["service"], (set) => {
      for (const { service, status } of view().services) set({ service }, status.wish?.build === status.build ? 1 : 0);
    });
    gauge("deployd_restart_in_progress", "1 while the host is out of service for a deploy.", ["service"], (set) => {
      const out: readonly HostStep[] = ["flip", "restart", "check", "soak"];
      for (const { service, status } of view().services) set({ service }, out.includes(status.step) ? 1 : 0);
    });
    gauge("deployd_instances", "Instances of a service on this host.", ["service", "traffic"], (set) => {
      for (const { service, instances } of view().services) {
        const on = instances.filter(({ inTraffic }) => inTraffic).length;
        set({ service, traffic: "on" }, on);
        set({ service, traffic: "off" }, instances.length - on);
      }
    });
    gauge("deployd_desired_state_age_seconds", "Seconds since the wish was last read.", ["service"], (set) => {
      for (const { service, readAtMs } of view().services)
        if (readAtMs > 0) set({ service }, (this.#clock.now() - readAtMs) / 1000);
    });
    gauge("deployd_last_deploy_timestamp_seconds", "When the service last came to its step.", ["service"], (set) => {
      for (const { service, status } of view().services) set({ service }, Date.parse(status.since) / 1000);
    });
    gauge("deployd_zk_connected", "1 while ZooKeeper is connected.", [], (set) =>
      set({}, view().zookeeper.state === "connected" ? 1 : 0),
    );
    this.#defineTotals(registers);
  }

  #defineTotals(registers: Registry[]): void {
    const view = this.#view;
    // A counter that only mirrors what is counted elsewhere is set from zero at each scrape.
    const total = (name: string, help: string, read: () => number | null): void => {
      const made: Counter = new Counter({
        name,
        help,
        registers,
        collect: () => {
          made.reset();
          made.inc(read() ?? 0);
        },
      });
    };
    const gauge = (name: string, help: string, read: () => number | null): void => {
      const made: Gauge = new Gauge({ name, help, registers, collect: () => made.set(read() ?? Number.NaN) });
    };
    total("deployd_zk_session_losses_total", "ZooKeeper sessions that expired.", () => view().zookeeper.sessionLosses);
    total(
      "process_cpu_seconds_total",
      "CPU time of this process, user and system.",
      () => processFacts()?.cpuSeconds ?? null,
    );
    gauge(
      "process_resident_memory_bytes",
      "Resident memory of this process.",
      () => processFacts()?.residentBytes ?? null,
    );
    gauge("process_open_fds", "Open file descriptors of this process.", () => processFacts()?.openFds ?? null);
    gauge(
      "process_start_time_seconds",
      "When this process started, in seconds since the epoch.",
      () => Date.parse(view().startedAt) / 1000,
    );
  }
}
