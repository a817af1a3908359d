import type { RestartPhase } from "../schema/restart_phases.ts";
import type { RestartEffects } from "./driver.ts";
import type { Supervisor } from "./effects.ts";
import { untilIdle } from "./idle.ts";

export interface StopPlan {
  /** All instances of the service. */
  readonly batch: readonly string[];
  /** As for a restart: null where nobody makes clients leave. */
  readonly idleMs: number | null;
  /** Phases whose failure does not call off the stop. */
  readonly force: ReadonlySet<RestartPhase>;
}

type StopEffects = Pick<RestartEffects, "instance" | "traffic" | "clock" | "onPhase">;

/**
 * Takes a whole service out of service for good: traffic off → tell the app → wait until it is idle → stop, as the first
 * half of a restart. Where a phase before the stop fails, it is undone.
 *
 * @throws DeployError `traffic-failed`, `drain-timeout`, `restart-failed`, `restart-timeout`, `aborted`
 */
export async function driveStop(
  { batch, idleMs, force }: StopPlan,
  effects: StopEffects,
  signal: AbortSignal,
): Promise<void> {
  const { traffic, clock, onPhase } = effects;
  const each = async (work: (name: string) => Promise<void>): Promise<void> =>
    void (await Promise.all(batch.map(async (name) => work(name))));
  const phase = async (name: RestartPhase, work: () => Promise<void>): Promise<void> => {
    onPhase(name);
    try {
      await work();
    } catch (error) {
      if (signal.aborted) throw error;
      if (force.has(name)) return;
      if (name !== "stop") await callOff();
      throw error;
    }
  };
  const callOff = async (): Promise<void> => {
    const { resume, pids } = told(effects, signal);
    // The failure that led here is what is told. Traffic that stays off is on record, and is put on later.
    if (idleMs !== null) await each(async (name) => resume(name, await pids(name))).catch(() => {});
    if (traffic !== null) await traffic.on(batch, signal).catch(() => {});
  };

  if (traffic !== null) await phase("off", () => traffic.off(batch, signal));
  if (idleMs !== null) {
    const { tell, pids, busy } = told(effects, signal);
    await phase("tell", () => each(async (name) => tell(name, await pids(name))));
    const open = batch.map((name) => () => busy(name));
    await phase("idle", () => untilIdle(batch.join(", "), open, idleMs, clock, signal));
  }
  await phase("stop", () => each(async (name) => effects.instance(name).supervisor.parts?.stop(signal)));
}

function told({ instance }: StopEffects, signal: AbortSignal) {
  return {
    // A pid file from before a boot names nobody who could be told.
    pids: async (name: string) =>
      instance(name)
        .supervisor.mainPids(signal)
        .catch(() => []),
    tell: (name: string, pids: readonly number[]) => instance(name).tell(pids, signal),
    resume: (name: string, pids: readonly number[]) => instance(name).resume(pids, signal),
    busy: (name: string) => instance(name).busy(null, signal),
  };
}

/** Whether it knows a stop: a build that only reloads, or hands its socket over, has none. */
export function canStop({ parts }: Pick<Supervisor, "parts">): boolean {
  return parts !== null;
}
