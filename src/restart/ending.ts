import { DeployError } from "../core/errors.ts";
import { untilByPauses } from "../support/wait.ts";
import { isLive, send, type SignalSpec, type SignalTarget } from "./pid_file.ts";
import type { SupervisorEffects } from "./effects.ts";

const POLL_MS = 50;
/** How long a process may take to end after TERM, and then after KILL. In milliseconds. */
const TERM_MS = 5_000;
const KILL_MS = 2_000;

/** A process and everything it started, except the tree of `except`: the successor is a child of the old process. */
export async function treeOf(
  target: SignalTarget,
  except: SignalTarget | null,
  effects: SupervisorEffects,
): Promise<number[]> {
  if (!(await isLive(target, effects))) return [];
  const below = async ({ pid }: SignalTarget): Promise<number[]> =>
    (await effects.descendants(pid)).map((child) => child.pid);
  const spared = new Set(except === null ? [] : [except.pid, ...(await below(except))]);
  return [target.pid, ...(await below(target))].filter((pid) => !spared.has(pid));
}

/**
 * Tells a process to go and waits until it is gone: first by the signal `name`, after `timeoutMs` by TERM, and finally by
 * KILL for it and its tree, because the workers of a killed master keep serving.
 *
 * @param except the root of a tree below it that must live on
 * @throws DeployError `restart-failed` if it may not be signalled, `restart-timeout` if not even KILL ends it, `aborted`
 */
export async function endProcess(
  spec: SignalSpec,
  target: SignalTarget,
  { name, timeoutMs, except }: { name: NodeJS.Signals; timeoutMs: number; except: SignalTarget | null },
  effects: SupervisorEffects,
  signal: AbortSignal,
): Promise<void> {
  for (const [next, waitMs] of [
    [name, timeoutMs],
    ["SIGTERM", TERM_MS],
  ] as const) {
    if (!(await isLive(target, effects))) return;
    send(spec, effects, target, next);
    if (await untilGone(target, waitMs, effects, signal)) return;
  }
  for (const pid of await treeOf(target, except, effects)) {
    try {
      effects.kill(pid, "SIGKILL");
    } catch {
      // It ended at this moment, or its master ended it.
    }
  }
  if (await untilGone(target, KILL_MS, effects, signal)) return;
  throw new DeployError(
    `Cannot end process ${target.pid} of the service: ${KILL_MS} ms after KILL it was still there.`,
    {
      code: "restart-timeout",
      hint: `It is stuck in the kernel: see "cat /proc/${target.pid}/stack" and the kernel's log.`,
    },
  );
}

async function untilGone(
  target: SignalTarget,
  timeoutMs: number,
  effects: SupervisorEffects,
  signal: AbortSignal,
): Promise<boolean> {
  const isGone = async (): Promise<boolean> => !(await isLive(target, effects));
  return untilByPauses(isGone, (gone) => gone, { everyMs: POLL_MS, withinMs: timeoutMs }, effects.clock, signal);
}
