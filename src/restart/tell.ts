import { request } from "node:http";
import { request as httpsRequest } from "node:https";
import { DeployError } from "../core/errors.ts";
import type { DrainSpec } from "../core/recipe.ts";
import { abortedError } from "../support/wait.ts";

/** An app that is told something says yes at once, or does not hear it. In milliseconds. */
const TELL_TIMEOUT_MS = 5_000;

/**
 * Asks an app, by signal, by URL or by both, to let go of its clients, or to go on. Where nobody runs or listens, there is
 * nobody to ask.
 *
 * @param pids the processes that get the signal
 * @throws DeployError `restart-failed` when a process cannot be signalled or the URL does not answer with 2xx; `aborted`
 */
export async function tellApp(
  word: DrainSpec["tell"],
  pids: readonly number[],
  kill: (pid: number, signal: NodeJS.Signals) => void,
  signal: AbortSignal,
): Promise<void> {
  if (word.signal !== null) {
    const name = `SIG${word.signal}` as NodeJS.Signals;
    for (const pid of pids) {
      try {
        kill(pid, name);
      } catch (error) {
        throw failure(`send ${name} to process ${pid}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  }
  if (word.url !== null) await post(word.url, signal);
}

async function post(url: string, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const send = url.startsWith("https:") ? httpsRequest : request;
  // node:http and a connection of its own, as the check has it: no proxy, and nothing that is kept open.
  const asked = send(url, { method: "POST", agent: false, headers: { connection: "close", "content-length": "0" } });
  const timeout = setTimeout(() => resolve(`no answer within ${TELL_TIMEOUT_MS} ms`), TELL_TIMEOUT_MS);
  const onAbort = (): void => resolve("called off");
  signal.addEventListener("abort", onAbort, { once: true });
  asked.on("error", (error) => resolve("code" in error && error.code === "ECONNREFUSED" ? "" : error.message));
  asked.once("response", (response) => {
    response.resume();
    const status = response.statusCode ?? 0;
    resolve(status >= 200 && status < 300 ? "" : `it answered ${status}`);
  });
  asked.end();
  try {
    const problem = await promise;
    if (signal.aborted) throw abortedError(`tell the app by ${url}`, signal);
    if (problem !== "") throw failure(`tell the app by POST ${url}: ${problem}`);
  } finally {
    clearTimeout(timeout);
    signal.removeEventListener("abort", onAbort);
    asked.destroy();
  }
}

function failure(attempted: string): DeployError {
  return new DeployError(`Cannot ${attempted}.`, {
    code: "restart-failed",
    hint: 'Look at [drain] of the build; with force = ["tell"] the restart goes on all the same.',
  });
}
