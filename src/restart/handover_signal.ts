import { DeployError } from "../core/errors.ts";
import { endProcess, treeOf } from "./ending.ts";
import {
  isLive,
  type Named,
  readPidFile,
  readUnlessRefused,
  send,
  signalFailure,
  untilNamed,
  type SignalSpec,
  type SignalTarget,
} from "./pid_file.ts";
import type { Handover, SupervisorEffects } from "./effects.ts";
import { untilByPauses } from "../support/wait.ts";
import { SETTLE_MS } from "./steady.ts";

const POLL_MS = 50;
/** How long a process may take to react to the signal at all, in milliseconds. */
const ANSWER_MS = 5_000;
/**
 * How long a successor that is being ended may serve its last clients, and then the old process take to restore its pid
 * file. In milliseconds.
 */
const TAKE_BACK_MS = 10_000;

/**
 * The handover of nginx and unicorn. At the signal the old process renames its pid file to `<pidFile>.oldbin` and starts
 * its program again with the listening sockets; the successor writes the pid file. If the successor ends, the old process
 * renames the file back.
 *
 * The old process is told to go only once the successor is known to live: an nginx started by a relative path cannot
 * start itself again, says so only in its log, and would otherwise be ended although nothing else serves.
 *
 * @param names the signals for starting a successor and for ending the old process
 */
export function signalHandover(
  spec: SignalSpec,
  names: { make: NodeJS.Signals; end: NodeJS.Signals },
  effects: SupervisorEffects,
): Handover {
  let parties: { readonly old: SignalTarget; readonly successor: SignalTarget } | null = null;

  /** The serving process, once no other one is beside it. */
  const alone = async (signal: AbortSignal): Promise<SignalTarget> => {
    // If the file names somebody else's process, it was left there before a boot.
    const aside = await readUnlessRefused(`${spec.pidFile}.oldbin`, effects);
    // The file may be missing because an earlier signal is just starting a successor.
    const named = await untilNamed(spec, effects, signal);
    if (named.kind === "none") {
      const stuck = aside?.kind === "live" ? `, while process ${aside.pid} is still in ${spec.pidFile}.oldbin` : "";
      throw signalFailure(spec, `${named.why}${stuck}`, named.hint);
    }
    if (aside?.kind !== "live" || aside.pid === named.pid) return named;
    const serves = await effects.listens(aside.pid);
    if (serves === null) {
      const why = `${spec.pidFile}.oldbin names process ${aside.pid}, and it cannot be told whether that still listens`;
      throw signalFailure(spec, why, "Run the agent as root, or end one of the two by hand.");
    }
    if (serves) {
      await takeBack(spec, { old: aside, successor: named }, effects, signal);
      return aside;
    }
    // It was told to go before the interruption and accepts no more clients: only the other one serves.
    const { timeoutMs } = spec;
    await endProcess(spec, aside, { name: names.end, timeoutMs, except: named }, effects, signal);
    return named;
  };

  return {
    begin: async (signal) => {
      parties = null;
      const old = await alone(signal);
      const before = new Set((await childrenOf(old, effects)).map(({ pid }) => pid));
      send(spec, effects, old, names.make);
      try {
        parties = { old, successor: await untilSuccessor(spec, old, before, effects, signal) };
      } catch (error) {
        await takeBackAll(spec, old, before, effects);
        throw error;
      }
    },
    abandon: async (signal) => {
      if (parties === null) return;
      if (!(await isLive(parties.old, effects))) {
        const why = `process ${parties.old.pid}, which was to serve on, has ended`;
        throw signalFailure(spec, why, `Process ${parties.successor.pid} is left as it is; see its log.`);
      }
      await takeBack(spec, parties, effects, signal);
      parties = null;
    },
    oldPids: async () => (parties === null ? [] : await treeOf(parties.old, parties.successor, effects)),
    finish: async (signal) => {
      if (parties === null) return;
      const { old, successor } = parties;
      if (!(await isLive(successor, effects))) {
        const why = `its successor ${successor.pid} has ended, so process ${old.pid} is not told to go`;
        throw signalFailure(spec, why, LOG_HINT);
      }
      const { timeoutMs } = spec;
      await endProcess(spec, old, { name: names.end, timeoutMs, except: successor }, effects, signal);
      parties = null;
    },
  };
}

const LOG_HINT = "The service's own log says why, as nginx's error log does.";

/**
 * Waits until the pid file names another process and that one has lived for a while.
 *
 * @param before the children that the old process had before the signal
 */
async function untilSuccessor(
  spec: SignalSpec,
  old: SignalTarget,
  before: ReadonlySet<number>,
  effects: SupervisorEffects,
  signal: AbortSignal,
): Promise<SignalTarget> {
  let moved = false;
  for (let waitedMs = 0; waitedMs < spec.timeoutMs; waitedMs += POLL_MS) {
    await effects.clock.sleep(POLL_MS, signal);
    const named = await readPidFile(spec.pidFile, effects);
    if (named.kind === "live" && named.pid !== old.pid) {
      await effects.clock.sleep(SETTLE_MS, signal);
      if (await isLive(named, effects)) return { pid: named.pid, startTicks: named.startTicks };
      throw handoverFailure(spec, old, `its successor ${named.pid} ended within ${SETTLE_MS} ms`);
    }
    if (!(await isLive(old, effects))) {
      throw signalFailure(spec, `process ${old.pid} ended at the signal`, "Does the service handle this signal?");
    }
    // The file is missing while a successor is being started, and back once the successor has ended.
    if (named.kind === "none") moved = true;
    else if (moved) throw handoverFailure(spec, old, "its successor ended as soon as it was started");
    else if (waitedMs >= ANSWER_MS && (await startedSince(old, before, effects)).length === 0) {
      throw handoverFailure(spec, old, `after ${waitedMs} ms there was no successor, and none on its way`);
    }
  }
  throw new DeployError(
    `Cannot hand over with ${spec.signal}: after ${spec.timeoutMs} ms no successor of process ${old.pid} stood in ` +
      `${spec.pidFile}. Process ${old.pid} serves on.`,
    { code: "restart-timeout", hint: `Does the successor write its pid there? Raise restart.timeout_s if it is slow.` },
  );
}

function handoverFailure(spec: SignalSpec, old: SignalTarget, why: string): DeployError {
  return new DeployError(`Cannot hand over with ${spec.signal}: ${why}. Process ${old.pid} serves on.`, {
    code: "restart-failed",
    hint: `${LOG_HINT} The program must have been started by an absolute path and read a valid configuration.`,
  });
}

/** Ends the successor, and waits until the old process has its pid file again. */
async function takeBack(
  spec: SignalSpec,
  { old, successor }: { old: SignalTarget; successor: SignalTarget },
  effects: SupervisorEffects,
  signal: AbortSignal,
): Promise<void> {
  const end = { name: "SIGQUIT", timeoutMs: Math.min(spec.timeoutMs, TAKE_BACK_MS), except: null } as const;
  await endProcess(spec, successor, end, effects, signal);
  const named = await untilByPauses(
    () => readPidFile(spec.pidFile, effects),
    (seen) => isNamed(old, seen),
    { everyMs: POLL_MS, withinMs: TAKE_BACK_MS },
    effects.clock,
    signal,
  );
  if (isNamed(old, named)) return;
  throw signalFailure(
    spec,
    `process ${old.pid} has not taken ${spec.pidFile} again since its successor was ended`,
    `Write ${old.pid} into that file if the process serves, or restart the service.`,
  );
}

function isNamed(target: SignalTarget, named: Named): boolean {
  return named.kind === "live" && named.pid === target.pid;
}

/** After a failed handover: ends everything the signal started, as far as that can be told. */
async function takeBackAll(
  spec: SignalSpec,
  old: SignalTarget,
  before: ReadonlySet<number>,
  effects: SupervisorEffects,
): Promise<void> {
  // The failure that led here is the one to report, even if the caller aborted.
  const { signal } = new AbortController();
  try {
    if (!(await isLive(old, effects))) return;
    const named = await readPidFile(spec.pidFile, effects);
    if (named.kind === "live" && named.pid !== old.pid) {
      return await takeBack(spec, { old, successor: named }, effects, signal);
    }
    // The successor may not have written its pid file yet. A worker that was restarted meanwhile is ended gracefully too,
    // and is started again by its master.
    for (const successor of await startedSince(old, before, effects)) {
      await takeBack(spec, { old, successor }, effects, signal);
    }
  } catch {
    // Ignored as above. The next handover begins by ending what it finds.
  }
}

/** The workers and the successor. Children of the workers are not included. */
async function childrenOf(target: SignalTarget, effects: SupervisorEffects): Promise<SignalTarget[]> {
  return (await effects.descendants(target.pid)).filter(({ parent }) => parent === target.pid);
}

async function startedSince(
  old: SignalTarget,
  before: ReadonlySet<number>,
  effects: SupervisorEffects,
): Promise<SignalTarget[]> {
  return (await childrenOf(old, effects)).filter(({ pid }) => !before.has(pid));
}
