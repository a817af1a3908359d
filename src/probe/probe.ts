import type { ProbeSpec } from "../core/resolved_recipe.ts";
import type { Clock } from "../support/clock.ts";
import type { RunCommand } from "../support/command.ts";
import { throwIfAborted } from "../support/abort.ts";
import { probeCommand } from "./command.ts";
import type { ProbeFailure, ProbeResult } from "./result.ts";

export interface ProbeEffects {
  readonly run: RunCommand;
  /** The probes that the host allows this build to make. */
  readonly probes: {
    http(spec: Extract<ProbeSpec, { kind: "http" }>, signal: AbortSignal): Promise<ProbeFailure | null>;
    tcp(spec: Extract<ProbeSpec, { kind: "tcp" }>, signal: AbortSignal): Promise<ProbeFailure | null>;
  };
  readonly clock: Pick<Clock, "monotonicMs" | "sleep">;
}

/**
 * Probes once. A failure is returned as a result, not thrown.
 *
 * @throws DeployError `aborted`
 */
export async function probeOnce(spec: ProbeSpec, effects: ProbeEffects, signal: AbortSignal): Promise<ProbeResult> {
  throwIfAborted(signal, "check the service");
  const startedAt = effects.clock.monotonicMs();
  const failure = await ask(spec, effects, signal);
  throwIfAborted(signal, "check the service");
  return failure ?? { ok: true, tookMs: Math.round(effects.clock.monotonicMs() - startedAt) };
}

async function ask(spec: ProbeSpec, effects: ProbeEffects, signal: AbortSignal): Promise<ProbeResult | null> {
  switch (spec.kind) {
    case "http":
      return await effects.probes.http(spec, signal);
    case "tcp":
      return await effects.probes.tcp(spec, signal);
    case "command":
      return await probeCommand(spec, effects.run, signal);
  }
}

export interface HealthRequest {
  readonly spec: ProbeSpec;
  /** Pause between two attempts, in milliseconds. */
  readonly intervalMs: number;
  /** How many attempts in a row must succeed. */
  readonly successes: number;
  /** How long that streak must have lasted, in milliseconds. */
  readonly minHealthyMs: number;
  /** No attempt begins after this, in milliseconds; the running one may last as long as its own timeout beyond it. */
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
  /** Called after every attempt; `streak` is the number of successes in a row so far. */
  readonly onAttempt?: (result: ProbeResult, streak: number) => void;
}

export type Health =
  | { readonly kind: "healthy"; readonly attempts: number }
  | { readonly kind: "unhealthy"; readonly last: ProbeResult; readonly attempts: number };

/**
 * Probes until the service has succeeded `successes` times in a row, for `minHealthyMs` without a failure, or the time is
 * over; at least once.
 *
 * The time is added up from pauses and attempts and not read from the clock, because freshly booted machines set their
 * clocks, and a jump of an hour must not fail a check.
 *
 * @returns `last` is the newest failure if there was one, otherwise the newest success of a streak that was too short
 * @throws DeployError `aborted`
 */
export async function probeUntilHealthy(request: HealthRequest, effects: ProbeEffects): Promise<Health> {
  // The timeout is not cut to the remaining time: the last attempt would fail with a timeout of its own, and hide the
  // real reason.
  const timeoutMs = Math.min(request.spec.timeoutMs, request.deadlineMs);
  let leftMs = request.deadlineMs;
  let streak = 0;
  let streakMs = 0;
  let lastFailure: ProbeResult | null = null;
  for (let attempts = 1; ; attempts++) {
    const startedAt = effects.clock.monotonicMs();
    const result = await probeOnce({ ...request.spec, timeoutMs }, effects, request.signal);
    const tookMs = effects.clock.monotonicMs() - startedAt;
    // A streak begins with the answer of its first success, not with its request.
    streakMs = result.ok && streak > 0 ? streakMs + tookMs : 0;
    streak = result.ok ? streak + 1 : 0;
    if (!result.ok) lastFailure = result;
    request.onAttempt?.(result, streak);
    if (streak >= request.successes && streakMs >= request.minHealthyMs) return { kind: "healthy", attempts };
    leftMs -= tookMs + request.intervalMs;
    streakMs += request.intervalMs;
    if (leftMs <= 0) return { kind: "unhealthy", last: lastFailure ?? result, attempts };
    await effects.clock.sleep(request.intervalMs, request.signal);
  }
}
