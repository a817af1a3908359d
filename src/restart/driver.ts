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
  /** Waits until it is healthy. @throws DeployError `check-failed` */
  untilHealthy(signal: AbortSignal): Promise<void>;
  /** Asks the app to let go of its clients, and takes that back. `pids` are the processes that get a signal. */
  tell(pids: readonly number[], signal: AbortSignal): Promise<void>;
  resume(pids: readonly number[], signal: AbortSignal): Promise<void>;
  /** Connections that it serves; of these processes alone, where they are given. Null where nothing can count them. */
  busy(pids: readonly number[] | null, signal: AbortSignal): Promise<number | null>;
}

export interface RestartEffects {
  /** One of the batch; always the same object for the same name. */
  instance(name: string): InstanceEffects;
  /** Whether an instance, of the batch or not, answers its check right now. */
  isHealthy(name: string, signal: AbortSignal): Promise<boolean>;
  /** Null where nothing stands between clients and instances. What may be off is on disk before it is. */
  readonly traffic: {
    off(batch: readonly string[], signal: AbortSignal): Promise<void>;
    on(batch: readonly string[], signal: AbortSignal): Promise<void>;
    refused(signal: AbortSignal): Promise<number | null>;
  } | null;
  /** One request through the front; null where there is none to ask. */
  readonly probe: ((signal: AbortSignal) => Promise<void>) | null;
  readonly clock: Pick<Clock, "monotonicMs" | "sleep">;
  /** Told when a phase begins. */
  readonly onPhase: (phase: RestartPhase) => void;
  /** Told before the first step after which an instance is not any more what it was; until then all can be undone. */
  readonly onTouch: () => void;
  /** Told what the restart has cost so far, whenever that changes; so that it is known also when the restart fails. */
  readonly onCounts: (counts: RestartCost) => void;
}

export interface RestartPlan {
  readonly batch: readonly string[];
  /** Every instance of the service. */
  readonly all: readonly string[];
  readonly minAvailable: number;
  /** How long it waits for others to become healthy enough, in milliseconds. */
  readonly availableMs: number;
  /** Null: nobody makes clients leave, so nobody waits for them. In milliseconds. */
  readonly idleMs: number | null;
  /** Whether the driver proves each instance; without it whoever restarts one looks after it. */
  readonly provesHealth: boolean;
  /** On the way back to the build before nothing is called off for want of healthy instances. */
  readonly isWayBack: boolean;
  /** Phases whose failure does not call the restart off. */
  readonly force: ReadonlySet<RestartPhase>;
}

/**
 * Restarts one batch of instances: traffic off → tell the app → wait until it is idle → stop → start → healthy → traffic
 * on → one request through the front. All strategies go this way; where one has no such phase, it is left out (design, section 7).
 *
 * What fails before the stop is undone: the app is told to go on and gets its traffic back. What fails after it leaves
 * traffic off, since there is nothing behind it.
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

  /** The old process goes before the new one comes. */
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

  /** The new process stands beside the old one before that is told to go. */
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
      // The new one serves already, so there is nothing to call off any more: what fails here only costs connections.
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
    // A reload closes nothing, and there is nothing between its stop and its start.
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
      // The way back goes on: fewer instances than there should be are better than two builds.
      if (!this.#plan.isWayBack || !isDeployError(error) || error.code !== "instances-unavailable") throw error;
    }
  }

  async #tell(name: string): Promise<void> {
    const instance = this.#effects.instance(name);
    const pids = await instance.supervisor.mainPids(this.#signal).catch((error: unknown) => {
      // The pid file of before a boot, by whose word nobody is signalled. The restart waits until it is another.
      if (isDeployError(error) && error.code === "policy-refused") return [];
      throw error;
    });
    await instance.tell(pids, this.#signal);
  }

  async #untilHealthy(name: string): Promise<void> {
    await this.#effects.instance(name).untilHealthy(this.#signal);
  }

  /** Of the batch, or of these processes alone. */
  #open(pids: readonly number[] | null): CountOpen[] {
    const names = pids === null ? this.#plan.batch : this.#plan.batch.slice(0, 1);
    return names.map((name) => () => this.#effects.instance(name).busy(pids, this.#signal));
  }

  async #untilIdle(idleMs: number, pids: readonly number[] | null): Promise<void> {
    await untilIdle(this.#plan.batch.join(", "), this.#open(pids), idleMs, this.#effects.clock, this.#signal);
  }

  /** What is open when an instance is stopped is what the stop closes. */
  async #countOpen(pids: readonly number[] | null): Promise<void> {
    const open = await openIn(this.#open(pids)).catch(() => null);
    if (open !== null) this.#count({ closed: (this.#counts.closed ?? 0) + open });
  }

  /** Nobody fails for a figure. */
  async #refused(): Promise<number | null> {
    return (this.#effects.traffic?.refused(this.#signal) ?? Promise.resolve(null)).catch(() => null);
  }

  #countRefused(before: number | null, after: number | null): void {
    if (before === null || after === null) return;
    // A smaller number: the back end began to count anew.
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

  /** A phase before the stop: when it fails, the app is told to go on and gets its traffic back. */
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
      // The failure that led here is what is to be reported; traffic that stays off is still on record, and put on later.
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
      // Instances that hand over go through their phases one after the other.
      const ms = (this.#counts.phaseMs[phase] ?? 0) + Math.round(this.#effects.clock.monotonicMs() - startedAt);
      this.#count({ phaseMs: { ...this.#counts.phaseMs, [phase]: ms } });
    }
  }

  async #each(work: (name: string) => Promise<void>): Promise<void> {
    await this.#all(this.#plan.batch.map(work));
  }

  /** All are heard before the first failure is passed on: none may still be at work when the batch is undone. */
  async #all(works: readonly Promise<unknown>[]): Promise<void> {
    const outcomes = await Promise.allSettled(works);
    for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
  }
}
