import { DeployError } from "../core/errors.ts";
import { signalHandover } from "./handover_signal.ts";
import {
  isLive,
  type Named,
  readPidFile,
  send,
  signalFailure,
  untilNamed,
  type SignalSpec,
  type SignalTarget,
} from "./pid_file.ts";
import type { Supervisor, SupervisorEffects } from "./effects.ts";
import { SETTLE_MS } from "./steady.ts";

/**
 * The effect of each signal. "reload": the process reads its configuration again and lives on, or puts a successor in its
 * pid file (USR2 of nginx and unicorn). "replace": it ends, and its supervisor starts it again.
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

const POLL_MS = 50;

/**
 * A service that is restarted by a signal. With `retire`, the signal makes a successor, and `retire` ends the old
 * process.
 */
export function signalSupervisor(spec: SignalSpec, effects: SupervisorEffects): Supervisor {
  const { retire } = spec;
  if (retire === undefined) {
    return {
      restart: (signal) => restartBySignal(spec, effects, signal),
      parts: null,
      handover: null,
      revival: null,
      mainPids: async () => pidsOf(await readPidFile(spec.pidFile, effects)),
    };
  }
  const handover = signalHandover(spec, { make: signalName(spec.signal), end: signalName(retire) }, effects);
  return {
    restart: async (signal) => {
      await handover.begin(signal);
      await handover.finish(signal);
    },
    parts: null,
    handover,
    revival: null,
    mainPids: async () => {
      const named = await readPidFile(spec.pidFile, effects);
      // After the old process has renamed its file and before the new one has written its own, the old process serves.
      return pidsOf(named.kind === "live" ? named : await readPidFile(`${spec.pidFile}.oldbin`, effects));
    },
  };
}

function pidsOf(named: Named): number[] {
  return named.kind === "live" ? [named.pid] : [];
}

async function restartBySignal(spec: SignalSpec, effects: SupervisorEffects, signal: AbortSignal): Promise<void> {
  const name = signalName(spec.signal);
  const found = await untilNamed(spec, effects, signal);
  if (found.kind === "none") throw signalFailure(spec, found.why, found.hint);
  send(spec, effects, found, name);
  switch (EFFECTS[name]) {
    case "reload":
      return await outlive(spec, effects, found, signal);
    case "replace":
      return await beReplaced(spec, effects, found, signal);
  }
}

function signalName(wanted: string): keyof typeof EFFECTS {
  const upper = wanted.toUpperCase();
  const name = upper.startsWith("SIG") ? upper : `SIG${upper}`;
  for (const known of Object.keys(EFFECTS) as (keyof typeof EFFECTS)[]) if (known === name) return known;
  throw new DeployError(`Cannot restart the service with signal "${wanted}": that signal restarts nothing.`, {
    code: "restart-failed",
    hint: `Use one of ${Object.keys(EFFECTS).join(", ")}.`,
  });
}

/** Waits for as long as an unhandled HUP takes to end a process; a process that survives has handled the signal. */
async function outlive(
  spec: SignalSpec,
  effects: SupervisorEffects,
  target: SignalTarget,
  signal: AbortSignal,
): Promise<void> {
  await effects.clock.sleep(SETTLE_MS, signal);
  if (await isLive(target, effects)) return;
  // It may have handed over; the file then names the successor.
  const successor = await readPidFile(spec.pidFile, effects);
  if (successor.kind === "live") return;
  throw signalFailure(spec, `process ${target.pid} ended at the signal`, "Does the service handle this signal?");
}

async function beReplaced(
  spec: SignalSpec,
  effects: SupervisorEffects,
  old: SignalTarget,
  signal: AbortSignal,
): Promise<void> {
  for (let waitedMs = 0; waitedMs < spec.timeoutMs; waitedMs += POLL_MS) {
    await effects.clock.sleep(POLL_MS, signal);
    if (await isLive(old, effects)) continue;
    const successor = await readPidFile(spec.pidFile, effects);
    if (successor.kind === "live") return;
  }
  const ended = !(await isLive(old, effects));
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
