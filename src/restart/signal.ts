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

const POLL_MS = 50;

/** A service that is restarted by a signal. With `retire` that signal makes a successor, and `retire` ends the old one. */
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
      // Between the old one's moving its file aside and the new one's writing it, the old one serves.
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

/** An unhandled HUP ends a process within this time; what lives on has taken it. */
async function outlive(
  spec: SignalSpec,
  effects: SupervisorEffects,
  target: SignalTarget,
  signal: AbortSignal,
): Promise<void> {
  await effects.clock.sleep(SETTLE_MS, signal);
  if (await isLive(target, effects)) return;
  // It may have handed over; the successor is then in the file.
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
