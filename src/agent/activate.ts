import { DeployError } from "../core/errors.ts";
import { assertRestartAllowed, type RestartPolicy } from "../core/policy.ts";
import type { CheckSpec, Recipe } from "../core/recipe.ts";
import type { Activation, ActivationPhase, Tries } from "../core/types.ts";
import { stepFiles } from "../host/step_files.ts";
import { probeOnce, probeUntilHealthy } from "../probe/probe.ts";
import { restart } from "../restart/supervisor.ts";
import { flipStep } from "../steps/flip.ts";
import { systemClock } from "../support/clock.ts";
import { runnerFor, supervisorPortsFor, type CommandContext } from "./commands.ts";
import type { Observation } from "../host/observe.ts";
import type { ServiceState } from "./service_state.ts";

export interface ActivateContext {
  readonly state: ServiceState;
  readonly activation: Activation;
  /** Of the build that is brought to life: the new one, or on the way back the previous one. */
  readonly command: CommandContext;
  readonly recipe: () => Promise<Recipe>;
  readonly policy: RestartPolicy;
  readonly observe: () => Promise<Observation>;
}

/** Probes that may fail in a row while a service soaks or runs; one may be lost to a hiccup of the machine. */
export const TOLERATED_FAILURES = 1;

export async function flip({ command, recipe, policy }: ActivateContext): Promise<void> {
  // What cannot be restarted must not be pointed at either.
  const spec = (await recipe()).restart;
  if (spec !== null) assertRestartAllowed(spec, policy);
  await flipStep(command.layout, command.build, stepFiles);
}

/** Restarts into what `current` points at; that it was begun is on the disk before it is. */
export async function restartService(context: ActivateContext, signal: AbortSignal): Promise<void> {
  const { state, activation, command, policy } = context;
  const spec = (await context.recipe()).restart;
  const begun = restartsOf(activation.phase).begun + 1;
  await state.journal.change({ activation: withRestarts(activation, { begun, done: false }) });
  state.proof = null;
  if (spec !== null) {
    assertRestartAllowed(spec, policy);
    await stepFiles.removeTree(command.layout.log(command.build, "restart"));
    await restart(spec, supervisorPortsFor(command, policy.pidFiles), signal);
  }
  await state.journal.change({ activation: withRestarts(activation, { begun, done: true }) });
}

function restartsOf(phase: ActivationPhase): Tries {
  return "restart" in phase ? phase.restart : { begun: 0, done: false };
}

function withRestarts(activation: Activation, tries: Tries): Activation {
  const { phase } = activation;
  return "restart" in phase ? { ...activation, phase: { ...phase, restart: tries } } : activation;
}

/**
 * Waits until the service is healthy, and then looks which build its processes run: a healthy answer from the old ones
 * is no proof of the new.
 *
 * @throws DeployError `check-failed`
 */
export async function checkService(context: ActivateContext, signal: AbortSignal): Promise<void> {
  const { state, activation, command } = context;
  const { build } = command;
  const { check, restart: spec } = await context.recipe();
  if (check !== null) await untilHealthy(check, command, signal);
  const { actual, processes } = await context.observe();
  const { served } = actual;
  // Where a check has passed, a process that shows no release is the service; where there is none, it must be seen.
  const absent = served.kind === "down" && check === null;
  if (spec !== null && (absent || (served.kind === "build" && served.build !== build))) {
    const runs = served.kind === "down" ? "nothing of it runs" : `its processes still run "${served.build}"`;
    throw new DeployError(`Cannot see "${build}" running after the restart: ${runs}.`, {
      code: "check-failed",
      hint: "Check that stop and start of the manifest end the old processes and start the service from $DEPLOYD_CURRENT.",
    });
  }
  await state.journal.change({ restarted: { build, processes } });
  state.proof = { build, attempt: activation.attempt, atMs: systemClock.now() };
  state.healthy = true;
}

async function untilHealthy(check: CheckSpec, command: CommandContext, signal: AbortSignal): Promise<void> {
  const health = await probeUntilHealthy(
    {
      spec: check.probe,
      intervalMs: check.intervalMs,
      successes: check.successes,
      deadlineMs: check.deadlineMs,
      clock: systemClock,
      signal,
    },
    { run: runnerFor(command) },
  );
  if (health.kind === "healthy") return;
  const last = health.last.ok ? "the last one passed, but not often enough in a row" : health.last.reason;
  throw new DeployError(
    `Cannot call "${command.build}" healthy: ${health.attempts} checks in ${check.deadlineMs / 1000} s, ${last}.`,
    {
      code: "check-failed",
      hint: `Look at the service's own log, and at ${command.layout.log(command.build, "restart")}.`,
      cause: { tail: health.last.ok ? "" : health.last.detail },
    },
  );
}

/** Watches a proven service for a while. @throws DeployError `check-failed` when it does not stay healthy */
export async function soakService(context: ActivateContext, remainingMs: number, signal: AbortSignal): Promise<void> {
  const { check } = await context.recipe();
  const endsAt = systemClock.now() + remainingMs;
  let failures = 0;
  for (;;) {
    const leftMs = endsAt - systemClock.now();
    if (leftMs <= 0) return;
    await systemClock.sleep(Math.min(leftMs, check?.intervalMs ?? leftMs), signal);
    if (check === null) continue;
    const result = await probeOnce(check.probe, { run: runnerFor(context.command) }, signal);
    failures = result.ok ? 0 : failures + 1;
    if (!result.ok && failures > TOLERATED_FAILURES) {
      throw new DeployError(
        `Cannot keep "${context.command.build}": it became unhealthy while it soaked (${result.reason}).`,
        {
          code: "check-failed",
          hint: "It passed its check at first; look at the service's own log.",
          cause: { tail: result.detail },
        },
      );
    }
  }
}
