import { DeployError } from "../core/errors.ts";
import type { RestartSpec } from "../core/resolved_recipe.ts";
import { killAll } from "../support/kill.ts";
import type { Supervisor, SupervisorEffects } from "./effects.ts";
import { runOperation } from "./run.ts";

/** A service that is started by a shell command and keeps running after that command has ended. */
export function commandSupervisor(
  spec: Extract<RestartSpec, { by: "command" }>,
  effects: SupervisorEffects,
): Supervisor {
  const { stop, start, reload, timeoutMs } = spec;

  const operate = async (
    name: string,
    run: string,
    background: "kill" | "leave",
    signal: AbortSignal,
  ): Promise<void> => {
    const hint = `See the restart log of the release; the command is restart.${name} of the build.`;
    await runOperation(
      { run, background, as: "service", timeoutMs, what: `${name} the service`, hint, signal },
      effects,
    );
  };

  if (reload !== undefined) {
    // "leave": a reload may itself start the new processes.
    return {
      restart: (signal) => operate("reload", reload, "leave", signal),
      parts: null,
      handover: null,
      revival: null,
      mainPids: async () => [],
    };
  }
  if (start === undefined) {
    throw new DeployError("Cannot restart the service by command: neither restart.start nor restart.reload is given.", {
      code: "recipe-invalid",
      hint: 'Give restart.start (and restart.stop, when there is something to stop), or "reload".',
    });
  }
  const parts = {
    stop: async (signal: AbortSignal) => {
      if (stop !== undefined) await operate("stop", stop, "kill", signal);
    },
    start: async (signal: AbortSignal) => {
      if (effects.isBegunAgain) await endStarted([], effects);
      const before = await effects.startedHere();
      try {
        await operate("start", start, "leave", signal);
      } catch (error) {
        // A half-started service would serve beside whatever is started next. An error while ending it must not hide the
        // reason.
        await endStarted(before, effects).catch(() => {});
        throw error;
      }
    },
  };
  const restart = async (signal: AbortSignal): Promise<void> => {
    await parts.stop(signal);
    await parts.start(signal);
  };
  return {
    restart,
    parts,
    // The service's own stop removes the pid file of an earlier run.
    revival: { isNeeded: async () => true, start: restart },
    handover: null,
    mainPids: async () => [],
  };
}

/** Ends what a start has started, except the processes that were there before it. */
async function endStarted(
  before: readonly { pid: number; startTicks: number }[],
  effects: SupervisorEffects,
): Promise<void> {
  const known = new Set(before.map(({ pid, startTicks }) => `${pid}/${startTicks}`));
  const begun = async () =>
    (await effects.startedHere()).filter(({ pid, startTicks }) => !known.has(`${pid}/${startTicks}`));
  await killAll(begun, ({ pid }) => effects.kill(pid, "SIGKILL"), effects.clock);
}
