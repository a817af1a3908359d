import { DeployError, isDeployError } from "../core/errors.ts";
import type { RestartSpec } from "../core/resolved_recipe.ts";
import { untilByPauses } from "../support/wait.ts";
import type { SupervisorEffects } from "./effects.ts";

export type SignalSpec = Extract<RestartSpec, { by: "signal" }>;

/** Identifies a process for good: pids are reused, pids with start ticks are not. */
export interface SignalTarget {
  readonly pid: number;
  readonly startTicks: number;
}

export type Named = ({ kind: "live" } & SignalTarget) | { kind: "none"; why: string; hint: string };

/** Slack between the clock of the file system and that of the process table, in milliseconds. */
const CLOCK_SLACK_MS = 2000;
const POLL_MS = 50;

/** The process that a pid file names, if it is the one that wrote it. */
export async function readPidFile(path: string, effects: SupervisorEffects): Promise<Named> {
  const hint = "Is the service running, and does it write its pid there?";
  const file = await effects.readWithTime(path);
  if (file === null) return { kind: "none", why: `there is no pid file ${path}`, hint };
  const text = file.text.trim();
  const pid = Number(text);
  if (!/^[1-9]\d{0,9}$/.test(text)) {
    return { kind: "none", why: `${path} does not hold one pid`, hint };
  }
  if (pid === 1 || pid === effects.ownPid) {
    return { kind: "none", why: `${path} names process ${pid}, which cannot be the service`, hint };
  }
  const fact = await effects.processFact(pid);
  if (fact === null) return { kind: "none", why: `process ${pid} of ${path} does not run`, hint };
  // A service writes the file after it has started, so a process younger than the file merely got the same pid. The start
  // time of a process is computed from the clock as it is now: if the clock was set forward since, all processes seem
  // younger.
  if (fact.startedAtMs > file.changedAtMs + CLOCK_SLACK_MS && !(await effects.isOfService(pid))) {
    return {
      kind: "none",
      why: `${path} is older than process ${pid}, so another process wrote it`,
      hint: "The service ended without removing its pid file. Start it, or remove the file.",
    };
  }
  return { kind: "live", pid, startTicks: fact.startTicks };
}

/**
 * Like `readPidFile`, but waits for as long as a restart may take: after a boot the file is a leftover until the service
 * has been started, and by then another process may have the pid in it.
 *
 * @throws DeployError `policy-refused` if it still names somebody else's process then
 */
export async function untilNamed(spec: SignalSpec, effects: SupervisorEffects, signal: AbortSignal): Promise<Named> {
  const named = await untilByPauses(
    () => readUnlessRefused(spec.pidFile, effects),
    (seen) => seen?.kind === "live",
    { everyMs: POLL_MS, withinMs: spec.timeoutMs },
    effects.clock,
    signal,
  );
  return named?.kind === "live" ? named : readPidFile(spec.pidFile, effects);
}

/** Null if the file names a process that must not be signalled on the file's word. */
export async function readUnlessRefused(path: string, effects: SupervisorEffects): Promise<Named | null> {
  try {
    return await readPidFile(path, effects);
  } catch (error) {
    if (isDeployError(error) && error.code === "policy-refused") return null;
    throw error;
  }
}

export async function isLive(target: SignalTarget, effects: SupervisorEffects): Promise<boolean> {
  return (await effects.processFact(target.pid))?.startTicks === target.startTicks;
}

/** @throws DeployError `restart-failed` if the process may not be signalled or has ended */
export function send(spec: SignalSpec, effects: SupervisorEffects, target: SignalTarget, name: NodeJS.Signals): void {
  try {
    effects.kill(target.pid, name);
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    const hint = "The agent must run as root or as the service's user.";
    throw signalFailure(spec, `process ${target.pid} could not be signalled: ${text}`, hint, error);
  }
}

export function signalFailure(spec: SignalSpec, why: string, hint: string, cause?: unknown): DeployError {
  return new DeployError(`Cannot send ${spec.signal} to the service: ${why}.`, {
    code: "restart-failed",
    hint,
    ...(cause === undefined ? {} : { cause }),
  });
}
