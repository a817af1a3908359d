import { DeployError } from "../core/errors.ts";
import type { RestartSpec } from "../core/recipe.ts";
import type { SupervisorPorts } from "./ports.ts";

export type SignalSpec = Extract<RestartSpec, { by: "signal" }>;

/** A process, for good: pids are used again, pids with start ticks are not. */
export interface Target {
  readonly pid: number;
  readonly startTicks: number;
}

export type Named = ({ kind: "live" } & Target) | { kind: "none"; why: string; hint: string };

/** Slack between the clock of the file system and that of the process table, in milliseconds. */
const CLOCK_SLACK_MS = 2000;

/** The process that a pid file names, when it is the one that wrote it. */
export async function readPidFile(path: string, ports: SupervisorPorts): Promise<Named> {
  const hint = "Is the service running, and does it write its pid there?";
  const file = await ports.readWithTime(path);
  if (file === null) return { kind: "none", why: `there is no pid file ${path}`, hint };
  const text = file.text.trim();
  const pid = Number(text);
  if (!/^[1-9]\d{0,9}$/.test(text)) {
    return { kind: "none", why: `${path} does not hold one pid`, hint };
  }
  if (pid === 1 || pid === ports.ownPid) {
    return { kind: "none", why: `${path} names process ${pid}, which is no service`, hint };
  }
  const fact = await ports.processFact(pid);
  if (fact === null) return { kind: "none", why: `process ${pid} of ${path} does not run`, hint };
  // A service writes the file after it has started; a process younger than the file has merely got the same number.
  if (fact.startedAtMs > file.changedAtMs + CLOCK_SLACK_MS) {
    return {
      kind: "none",
      why: `${path} is older than process ${pid}, which is thus another one`,
      hint: "The service ended without removing its pid file. Start it, or remove the file.",
    };
  }
  return { kind: "live", pid, startTicks: fact.startTicks };
}

export async function isLive(target: Target, ports: SupervisorPorts): Promise<boolean> {
  return (await ports.processFact(target.pid))?.startTicks === target.startTicks;
}

/** @throws DeployError `restart-failed` when the process may not be signalled or has ended */
export function send(spec: SignalSpec, ports: SupervisorPorts, target: Target, name: NodeJS.Signals): void {
  try {
    ports.kill(target.pid, name);
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
