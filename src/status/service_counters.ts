import { Counter, Histogram, type Registry } from "prom-client";
import { rungs, type Rung } from "../core/step.ts";
import type { RestartCost } from "../schema/journal.ts";
import { restartPhases } from "../schema/restart_phases.ts";
import { reasonOfStep, stepReasons } from "./step_reasons.ts";

const RESULTS = ["served", "failed"] as const;

/** The events of one service on this host that are counted. */
export interface ServiceCounters {
  stepDone(step: Rung, seconds: number): void;
  stepFailed(step: Rung, code: string): void;
  deployEnded(result: (typeof RESULTS)[number]): void;
  /** Called when the restart of a batch has ended, successfully or not, with its cost. */
  restarted(cost: RestartCost): void;
}

/**
 * The counters of all services of this host. Host and build are never labels: the series would grow without bound. All
 * series that a service can have exist, with 0, from the start.
 */
export function serviceCounters(registry: Registry): (service: string) => ServiceCounters {
  const registers = [registry];
  const counter = <L extends string = never>(name: string, help: string, more: readonly L[] = []) =>
    new Counter<"service" | L>({ name, help, labelNames: ["service", ...more], registers });
  const stepSeconds = new Histogram({
    name: "deployd_step_duration_seconds",
    help: "How long the successful steps of the ladder took.",
    labelNames: ["service", "step"],
    buckets: [0.05, 0.2, 1, 5, 15, 60, 300, 1800],
    registers,
  });
  const stepFailures = counter("deployd_step_failures_total", "Steps of the ladder that failed, by step and reason.", [
    "step",
    "reason",
  ]);
  const deploys = counter("deployd_deploys_total", "Builds that this host activated or gave up, by result.", [
    "result",
  ]);
  const phaseSeconds = new Histogram({
    name: "deployd_restart_phase_duration_seconds",
    help: "How long the phases of restarts took, by batch of instances.",
    labelNames: ["service", "phase"],
    buckets: [0.05, 0.2, 1, 5, 15, 60, 300],
    registers,
  });
  const instances = counter("deployd_instance_restarts_total", "Restarts of instances.");
  const closed = counter(
    "deployd_restart_closed_connections_total",
    "Connections that were open when their instance was stopped.",
  );
  const refused = counter(
    "deployd_restart_refused_connections_total",
    "Connections refused while traffic was off, as far as the traffic back end can tell.",
  );
  return (service) => {
    for (const step of rungs) {
      stepSeconds.zero({ service, step });
      for (const reason of stepReasons[step]) stepFailures.inc({ service, step, reason }, 0);
    }
    for (const result of RESULTS) deploys.inc({ service, result }, 0);
    for (const phase of restartPhases) phaseSeconds.zero({ service, phase });
    for (const plain of [instances, closed, refused]) plain.inc({ service }, 0);
    return {
      stepDone: (step, seconds) => stepSeconds.observe({ service, step }, seconds),
      stepFailed: (step, code) => stepFailures.inc({ service, step, reason: reasonOfStep(step, code) }),
      deployEnded: (result) => deploys.inc({ service, result }),
      restarted: (cost) => {
        instances.inc({ service }, cost.instances);
        closed.inc({ service }, cost.closed ?? 0);
        refused.inc({ service }, cost.refused ?? 0);
        for (const phase of restartPhases) {
          const ms = cost.phaseMs[phase];
          if (ms !== undefined) phaseSeconds.observe({ service, phase }, ms / 1000);
        }
      },
    };
  };
}
