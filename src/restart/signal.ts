import { DeployError } from "../core/errors.ts";
import type { RestartSpec } from "../core/recipe.ts";
import type { Supervisor, SupervisorPorts } from "./ports.ts";

type SignalSpec = Extract<RestartSpec, { by: "signal" }>;

/**
 * What a signal is sent for. "reload": the process reads everything anew and lives on, or puts a successor in its pid
 * file (USR2 of nginx and unicorn). "replace": it ends, and whoever watches over it starts it again.
 */
const EFFECTS = {
  SIGHUP: "reload",
  SIGUSR1: "reload",
  SIGUSR2: "reload",
  SIGWINCH: "reload",
  SIGTERM: "replace",
  SIGINT: "replace",
  SIGQUIT: "replace",
} as const satisfies Partial<Record<NodeJS.Signals, "reload" | "replace">>;

/** How long a process must outlive a reload: an unhandled HUP ends it within this time. In milliseconds. */
const SETTLE_MS = 500;
const POLL_MS = 50;
/** Slack between the clock of the file system and that of the process table, in milliseconds. */
const CLOCK_SLACK_MS = 2000;

/** A process, for good: pids are used again, pids with start ticks are not. */
interface Target {
  readonly pid: number;
  readonly startTicks: number;
}

export function signalSupervisor(spec: SignalSpec, ports: SupervisorPorts): Supervisor {
  return {
    restart: (signal) => restartBySignal(spec, ports, signal),
    parts: null,
    handover: null,
    mainPids: async () => {
      const found = await readPidFile(spec, ports);
      return found.kind === "live" ? [found.pid] : [];
    },
  };
}

async function restartBySignal(spec: SignalSpec, ports: SupervisorPorts, signal: AbortSignal): Promise<void> {
  const name = signalName(spec);
  const found = await readPidFile(spec, ports);
  if (found.kind === "none") throw failure(spec, found.why, found.hint);
  send(spec, ports, found, name);
  switch (EFFECTS[name]) {
    case "reload":
      return await outlive(spec, ports, found, signal);
    case "replace":
      return await beReplaced(spec, ports, found, signal);
  }
}

function signalName(spec: SignalSpec): keyof typeof EFFECTS {
  const wanted = spec.signal.toUpperCase();
  const name = wanted.startsWith("SIG") ? wanted : `SIG${wanted}`;
  for (const known of Object.keys(EFFECTS) as (keyof typeof EFFECTS)[]) if (known === name) return known;
  throw new DeployError(`Cannot restart the service with signal "${spec.signal}": that signal restarts nothing.`, {
    code: "restart-failed",
    hint: `Use one of ${Object.keys(EFFECTS).join(", ")}.`,
  });
}

type PidFile = ({ kind: "live" } & Target) | { kind: "none"; why: string; hint: string };

async function readPidFile(spec: SignalSpec, ports: SupervisorPorts): Promise<PidFile> {
  const hint = "Is the service running, and does it write its pid there?";
  const file = await ports.readWithTime(spec.pidFile);
  if (file === null) return { kind: "none", why: `there is no pid file ${spec.pidFile}`, hint };
  const text = file.text.trim();
  const pid = Number(text);
  if (!/^[1-9]\d{0,9}$/.test(text)) {
    return { kind: "none", why: `${spec.pidFile} holds "${text.slice(0, 40)}" and not one pid`, hint };
  }
  if (pid === 1 || pid === process.pid) {
    return { kind: "none", why: `${spec.pidFile} names process ${pid}, which is no service`, hint };
  }
  const fact = await ports.processFact(pid);
  if (fact === null) return { kind: "none", why: `process ${pid} of ${spec.pidFile} does not run`, hint };
  // A service writes the file after it has started; a process younger than the file has merely got the same number.
  if (fact.startedAtMs > file.changedAtMs + CLOCK_SLACK_MS) {
    return {
      kind: "none",
      why: `${spec.pidFile} is older than process ${pid}, which is thus another one`,
      hint: "The service ended without removing its pid file. Start it, or remove the file.",
    };
  }
  return { kind: "live", pid, startTicks: fact.startTicks };
}

function send(spec: SignalSpec, ports: SupervisorPorts, target: Target, name: NodeJS.Signals): void {
  try {
    ports.kill(target.pid, name);
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    const hint = "The agent must run as root or as the service's user.";
    throw failure(spec, `process ${target.pid} could not be signalled: ${text}`, hint, error);
  }
}

async function isLive(ports: SupervisorPorts, target: Target): Promise<boolean> {
  return (await ports.processFact(target.pid))?.startTicks === target.startTicks;
}

async function outlive(spec: SignalSpec, ports: SupervisorPorts, target: Target, signal: AbortSignal): Promise<void> {
  await ports.clock.sleep(SETTLE_MS, signal);
  if (await isLive(ports, target)) return;
  // It may have handed over; the successor is then in the file.
  const successor = await readPidFile(spec, ports);
  if (successor.kind === "live") return;
  throw failure(spec, `process ${target.pid} ended at the signal`, "Does the service handle this signal?");
}

async function beReplaced(spec: SignalSpec, ports: SupervisorPorts, old: Target, signal: AbortSignal): Promise<void> {
  for (let waitedMs = 0; waitedMs < spec.timeoutMs; waitedMs += POLL_MS) {
    await ports.clock.sleep(POLL_MS, signal);
    if (await isLive(ports, old)) continue;
    const successor = await readPidFile(spec, ports);
    if (successor.kind === "live") return;
  }
  const ended = !(await isLive(ports, old));
  throw new DeployError(
    `Cannot restart the service with ${spec.signal}: after ${spec.timeoutMs} ms process ${old.pid} ` +
      `${ended ? "had ended, but no other stood in" : "still stood in"} ${spec.pidFile}.`,
    {
      code: "restart-timeout",
      hint: ended
        ? "Is there anything that starts the service again when it ends?"
        : "Does the service end at this signal?",
    },
  );
}

function failure(spec: SignalSpec, why: string, hint: string, cause?: unknown): DeployError {
  return new DeployError(`Cannot send ${spec.signal} to the service: ${why}.`, {
    code: "restart-failed",
    hint,
    ...(cause === undefined ? {} : { cause }),
  });
}
