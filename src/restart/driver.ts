import { isDeployError } from "../core/errors.ts";
import { noCounts } from "../core/restart_progress.ts";
import type { RestartPhase } from "../schema/restart_phases.ts";
import type { RestartCost } from "../schema/journal.ts";
import type { Clock } from "../support/clock.ts";
import { untilOthersSuffice } from "./availability.ts";
import { openIn, untilIdle, type CountOpen } from "./idle.ts";
import type { Handover, Supervisor } from "./effects.ts";

/** One instance, as the driver needs it. */
export interface InstanceEffects {
  readonly supervisor: Supervisor;
  /** Waits until the instance is healthy. @throws DeployError `check-failed` */
  untilHealthy(signal: AbortSignal): Promise<void>;
  /** Asks the app to let go of its clients (drain); `resume` takes that back. `pids` are the processes that get the signal. */
  tell(pids: readonly number[], signal: AbortSignal): Promise<void>;
  resume(pids: readonly number[], signal: AbortSignal): Promise<void>;
  /** How many connections it serves, or only these processes if given. Null if nothing can count them. */
  busy(pids: readonly number[] | null, signal: AbortSignal): Promise<number | null>;
}

export interface RestartEffects {
  /** One instance of the batch; always the same object for the same name. */
  instance(name: string): InstanceEffects;
  /** Whether an instance, of the batch or not, answers its check right now. */
  isHealthy(name: string, signal: AbortSignal): Promise<boolean>;
  /**
   * Null if nothing stands between clients and instances. Which instances may be off is recorded on disk before it
   * happens.
   */
  readonly traffic: {
    off(batch: readonly string[], signal: AbortSignal): Promise<void>;
    on(batch: readonly string[], signal: AbortSignal): Promise<void>;
    refused(signal: AbortSignal): Promise<number | null>;
  } | null;
  /** Makes one request through the front; null if there is no front to ask. */
  readonly probe: ((signal: AbortSignal) => Promise<void>) | null;
  readonly clock: Pick<Clock, "monotonicMs" | "sleep">;
  /** Called when a phase begins. */
  readonly onPhase: (phase: RestartPhase) => void;
  /** Called before the first step that changes an instance for good; until then everything can be undone. */
  readonly onTouch: () => void;
  /** Called with the cost of the restart so far whenever it changes, so that it is known also if the restart fails. */
  readonly onCounts: (counts: RestartCost) => void;
}

export interface RestartPlan {
  readonly batch: readonly string[];
  /** Every instance of the service. */
  readonly all: readonly string[];
  readonly minAvailable: number;
  /** How long to wait for other instances to become healthy enough, in milliseconds. */
  readonly availableMs: number;
  /**
   * How long to wait for idle connections, in milliseconds. Null: nobody makes clients leave, so there is nothing to wait
   * for.
   */
  readonly idleMs: number | null;
  /** Whether the driver checks the health of each instance; if not, the caller does. */
  readonly provesHealth: boolean;
  /** A rollback to the previous build is not called off for too few healthy instances. */
  readonly isWayBack: boolean;
  /** Phases whose failure does not call off the restart. */
  readonly force: ReadonlySet<RestartPhase>;
}

/**
 * Restarts one batch of instances: traffic off → tell the app → wait until it is idle → stop → start → healthy → traffic
 * on → one request through the front. All strategies follow this order and leave out the phases they do not have (design,
 * section 7).
 *
 * If a phase before the stop fails, it is undone: the app is told to go on and gets its traffic back. If a later phase
 * fails, traffic stays off, because nothing serves behind it.
 *
 * @throws DeployError `instances-unavailable`, `traffic-failed`, `drain-timeout`, `restart-failed`, `restart-timeout`,
 *   `check-failed`, `aborted`
 */
export async function driveRestart(plan: RestartPlan, effects: RestartEffects, signal: AbortSignal): Promise<void> {
  const restart = new BatchRestart(plan, effects, signal);
  const handovers = plan.batch.flatMap((name) => {
    const { handover } = effects.instance(name).supervisor;
    return handover === null ? [] : [{ name, handover }];
  });
  if (handovers.length === 0) return restart.replace();
  for (const { name, handover } of handovers) await restart.handOver(name, handover);
}

class BatchRestart {
  #counts: RestartCost;
  readonly #plan: RestartPlan;
  readonly #effects: RestartEffects;
  readonly #signal: AbortSignal;

  constructor(plan: RestartPlan, effects: RestartEffects, signal: AbortSignal) {
    this.#plan = plan;
    this.#effects = effects;
    this.#signal = signal;
    this.#counts = { ...noCounts, instances: plan.batch.length };
  }

  /** Stops the old process before the new one is started. */
  async replace(): Promise<void> {
    const { batch, idleMs } = this.#plan;
    const { traffic } = this.#effects;
    const signal = this.#signal;
    await this.#untilOthersSuffice();
    const refusedBefore = await this.#refused();
    if (traffic !== null) await this.#calledOffOnFailure("off", () => traffic.off(batch, signal));
    if (idleMs !== null) {
      await this.#calledOffOnFailure("tell", () => this.#each((name) => this.#tell(name)));
      await this.#calledOffOnFailure("idle", () => this.#untilIdle(idleMs, null));
    }
    this.#effects.onTouch();
    await this.#stopAndStart();
    if (this.#plan.provesHealth) await this.#phase("healthy", () => this.#each((name) => this.#untilHealthy(name)));
    if (traffic !== null) await this.#phase("on", () => traffic.on(batch, signal));
    await this.#probe();
    this.#countRefused(refusedBefore, await this.#refused());
  }

  /** Starts the new process beside the old one before the old one is told to go. */
  async handOver(name: string, handover: Handover): Promise<void> {
    const { idleMs } = this.#plan;
    const signal = this.#signal;
    await this.#phase("start", () => handover.begin(signal));
    const old = await handover.oldPids(signal);
    if (this.#plan.provesHealth) {
      await this.#phase("healthy", () => this.#untilHealthy(name)).catch(async (error: unknown) => {
        if (!signal.aborted) await handover.abandon(signal);
        throw error;
      });
    }
    this.#effects.onTouch();
    if (idleMs !== null && old.length > 0) {
      // The new process serves already, so there is nothing to call off any more: a failure here only costs connections.
      await this.#forced("tell", () => this.#effects.instance(name).tell(old.slice(0, 1), signal));
      await this.#forced("idle", () => this.#untilIdle(idleMs, old));
    }
    if (old.length > 0) await this.#countOpen(old);
    await this.#phase("stop", () => handover.finish(signal));
    await this.#probe();
  }

  async #stopAndStart(): Promise<void> {
    const signal = this.#signal;
    const supervisors = this.#plan.batch.map((name) => this.#effects.instance(name).supervisor);
    const parts = supervisors.flatMap((supervisor) => supervisor.parts ?? []);
    // A reload closes no connections, and it has no separate stop and start.
    if (parts.length < supervisors.length) {
      return this.#phase("start", () => this.#all(supervisors.map((supervisor) => supervisor.restart(signal))));
    }
    await this.#countOpen(null);
    if (this.#effects.traffic === null && !this.#plan.force.has("stop")) {
      return this.#phase("start", () => this.#all(supervisors.map((supervisor) => supervisor.restart(signal))));
    }
    await this.#phase("stop", () => this.#all(parts.map((part) => part.stop(signal))));
    await this.#phase("start", () => this.#all(parts.map((part) => part.start(signal))));
  }

  async #untilOthersSuffice(): Promise<void> {
    const { batch, all, minAvailable: minimum, availableMs: deadlineMs } = this.#plan;
    const isHealthy = (name: string) => this.#effects.isHealthy(name, this.#signal);
    try {
      await untilOthersSuffice({ batch, all, minimum, deadlineMs, isHealthy }, this.#effects.clock, this.#signal);
    } catch (error) {
      // The rollback goes on: too few instances are better than two builds.
      if (!this.#plan.isWayBack || !isDeployError(error) || error.code !== "instances-unavailable") throw error;
    }
  }

  async #tell(name: string): Promise<void> {
    const instance = this.#effects.instance(name);
    const pids = await instance.supervisor.mainPids(this.#signal).catch((error: unknown) => {
      // The pid file is from before a boot, so the process it names must not be signalled. The restart waits until it
      // changes.
      if (isDeployError(error) && error.code === "policy-refused") return [];
      throw error;
    });
    await instance.tell(pids, this.#signal);
  }

  async #untilHealthy(name: string): Promise<void> {
    await this.#effects.instance(name).untilHealthy(this.#signal);
  }

  /** Counters for the connections of the batch, or of these processes only. */
  #open(pids: readonly number[] | null): CountOpen[] {
    const names = pids === null ? this.#plan.batch : this.#plan.batch.slice(0, 1);
    return names.map((name) => () => this.#effects.instance(name).busy(pids, this.#signal));
  }

  async #untilIdle(idleMs: number, pids: readonly number[] | null): Promise<void> {
    await untilIdle(this.#plan.batch.join(", "), this.#open(pids), idleMs, this.#effects.clock, this.#signal);
  }

  /** The connections that are open when an instance is stopped are closed by the stop. */
  async #countOpen(pids: readonly number[] | null): Promise<void> {
    const open = await openIn(this.#open(pids)).catch(() => null);
    if (open !== null) this.#count({ closed: (this.#counts.closed ?? 0) + open });
  }

  /** Null on failure: the restart must not fail for a statistic. */
  async #refused(): Promise<number | null> {
    return (this.#effects.traffic?.refused(this.#signal) ?? Promise.resolve(null)).catch(() => null);
  }

  #countRefused(before: number | null, after: number | null): void {
    if (before === null || after === null) return;
    // A smaller number means that the back end has started counting again.
    this.#count({ refused: after >= before ? after - before : after });
  }

  #count(changes: Partial<RestartCost>): void {
    this.#counts = { ...this.#counts, ...changes };
    this.#effects.onCounts(this.#counts);
  }

  async #probe(): Promise<void> {
    const { probe } = this.#effects;
    if (probe !== null) await this.#phase("probe", () => probe(this.#signal));
  }

  /** Runs a phase before the stop: if it fails, the app is told to go on and gets its traffic back. */
  async #calledOffOnFailure(phase: RestartPhase, work: () => Promise<void>): Promise<void> {
    try {
      await this.#phase(phase, work);
    } catch (error) {
      if (!this.#signal.aborted) await this.#callOff();
      throw error;
    }
  }

  async #callOff(): Promise<void> {
    const { batch, idleMs } = this.#plan;
    const { traffic } = this.#effects;
    const quietly = async (work: () => Promise<void>): Promise<void> => {
      // Report the failure that led here. Traffic that stays off is still on record, and is put on later.
      await work().catch(() => {});
    };
    if (idleMs !== null) {
      for (const name of batch) {
        const instance = this.#effects.instance(name);
        await quietly(async () => instance.resume(await instance.supervisor.mainPids(this.#signal), this.#signal));
      }
    }
    if (traffic !== null) await quietly(() => traffic.on(batch, this.#signal));
  }

  async #phase(phase: RestartPhase, work: () => Promise<void>): Promise<void> {
    if (this.#plan.force.has(phase)) return this.#forced(phase, work);
    await this.#timed(phase, work);
  }

  async #forced(phase: RestartPhase, work: () => Promise<void>): Promise<void> {
    try {
      await this.#timed(phase, work);
    } catch (error) {
      if (!isDeployError(error) || error.code === "aborted") throw error;
      if (!this.#counts.forced.includes(phase)) this.#count({ forced: [...this.#counts.forced, phase] });
    }
  }

  async #timed(phase: RestartPhase, work: () => Promise<void>): Promise<void> {
    this.#effects.onPhase(phase);
    const startedAt = this.#effects.clock.monotonicMs();
    try {
      await work();
    } finally {
      // Instances with a handover pass through their phases one after another.
      const ms = (this.#counts.phaseMs[phase] ?? 0) + Math.round(this.#effects.clock.monotonicMs() - startedAt);
      this.#count({ phaseMs: { ...this.#counts.phaseMs, [phase]: ms } });
    }
  }

  async #each(work: (name: string) => Promise<void>): Promise<void> {
    await this.#all(this.#plan.batch.map(work));
  }

  /** Waits for all before passing on the first failure: none may still be at work when the batch is undone. */
  async #all(works: readonly Promise<unknown>[]): Promise<void> {
    const outcomes = await Promise.allSettled(works);
    for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
  }
}
