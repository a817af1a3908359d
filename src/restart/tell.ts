import { DeployError } from "../core/errors.ts";
import type { DrainSpec } from "../core/resolved_recipe.ts";
import { abortedError } from "../support/abort.ts";

/**
 * Asks an app, by signal, by URL or by both, to let go of its clients (drain), or to go on. If no process runs or
 * listens, there is nobody to ask.
 *
 * @param pids the processes that get the signal
 * @throws DeployError `restart-failed` if a process cannot be signalled or the URL does not answer with 2xx; `aborted`
 */
export async function tellApp(
  word: DrainSpec["tell"],
  pids: readonly number[],
  effects: {
    kill(pid: number, signal: NodeJS.Signals): void;
    /** @returns "" if it succeeded, otherwise the reason why not */
    post(url: string, signal: AbortSignal): Promise<string>;
  },
  signal: AbortSignal,
): Promise<void> {
  if (word.signal !== null) {
    const name = `SIG${word.signal}` as NodeJS.Signals;
    for (const pid of pids) {
      try {
        effects.kill(pid, name);
      } catch (error) {
        throw failure(`send ${name} to process ${pid}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  }
  if (word.url === null) return;
  const problem = await effects.post(word.url, signal);
  if (signal.aborted) throw abortedError(`tell the app by ${word.url}`, signal);
  if (problem !== "") throw failure(`tell the app by POST ${word.url}: ${problem}`);
}

function failure(attempted: string): DeployError {
  return new DeployError(`Cannot ${attempted}.`, {
    code: "restart-failed",
    hint: 'Look at [drain] of the build; with force = ["tell"] the restart goes on all the same.',
  });
}
