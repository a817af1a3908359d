import { DeployError } from "../core/errors.ts";
import type { SupervisorEffects } from "./effects.ts";

/**
 * How long a process must live to count as up, in milliseconds. Supervisors report "up" as soon as they have forked, and
 * restart a process that ends at once.
 */
export const SETTLE_MS = 500;
const POLL_MS = 100;

export interface Steady {
  /** Follows "Cannot": `restart /etc/service/web`. */
  readonly what: string;
  readonly hint: string;
  /** The main process as the supervisor reports it now; null if there is none. */
  readonly pid: (signal: AbortSignal) => Promise<number | null>;
}

/**
 * Waits until the main process has been the same for SETTLE_MS, and returns it.
 *
 * @throws DeployError `restart-failed` if it ended or was restarted meanwhile; `aborted`
 */
export async function untilSteady(wanted: Steady, effects: SupervisorEffects, signal: AbortSignal): Promise<number> {
  const pid = await wanted.pid(signal);
  const first = pid === null ? null : await effects.processFact(pid);
  if (pid === null || first === null) throw failure(wanted, "it ended as soon as it was started");
  for (let waitedMs = 0; waitedMs < SETTLE_MS; waitedMs += POLL_MS) {
    await effects.clock.sleep(POLL_MS, signal);
    if ((await effects.processFact(pid))?.startTicks !== first.startTicks) {
      throw failure(wanted, `process ${pid} ended within ${SETTLE_MS} ms of its start`);
    }
  }
  const now = await wanted.pid(signal);
  if (now !== pid) throw failure(wanted, `process ${pid} gave way to ${now ?? "none"} within ${SETTLE_MS} ms`);
  return pid;
}

function failure({ what, hint }: Steady, why: string): DeployError {
  return new DeployError(`Cannot ${what}: ${why}.`, { code: "restart-failed", hint });
}
