import type { TrafficSpec } from "../core/traffic.ts";
import type { Traffic } from "../traffic/effects.ts";
import type { JournalFile } from "./journal_file.ts";

export interface TrafficControlOptions {
  readonly by: TrafficSpec["by"];
  readonly traffic: Traffic;
  readonly instances: readonly string[];
  readonly journal: JournalFile;
  readonly bootId: string;
  /** How long a back end may take to use an instance again, in milliseconds. */
  readonly timeoutMs: number;
  /** The back end that another configuration used, to take away what it left. */
  readonly former: (by: TrafficSpec["by"]) => Traffic | null;
}

/**
 * What stands between the clients of a service and its instances on this host. That an instance is off is on the disk
 * before it is, and that it is on again only afterwards: an agent that is killed anywhere in between knows which
 * instances it may have left without traffic.
 */
export class TrafficControl {
  readonly #options: TrafficControlOptions;

  constructor(options: TrafficControlOptions) {
    this.#options = options;
  }

  /** Instances without traffic, or that may be. */
  get off(): readonly string[] {
    return this.#options.journal.now.traffic?.off ?? [];
  }

  get traffic(): Traffic {
    return this.#options.traffic;
  }

  /**
   * Makes the back end what the journal says; for the start of an agent, and for when somebody may have changed it. Changes
   * nothing where nothing is to be changed.
   *
   * @throws DeployError `traffic-failed`
   */
  async assert(signal: AbortSignal): Promise<void> {
    const { by, former, bootId, traffic, instances, journal } = this.#options;
    const known = journal.now.traffic;
    const left = known !== null && known.by !== by ? former(known.by) : null;
    if (known !== null && known.by !== by) {
      // Steered before the former one is gone: with the last rule that redirects, the kernel would forget what it redirected.
      await traffic.steer(instances, signal);
      await left?.remove(signal);
      await this.#record([]);
    } else if (known !== null && known.bootId !== bootId) {
      // The rules went with the boot, and the services came up with it. Steered first: a full disk must not keep clients away.
      await traffic.steer(instances, signal);
      await this.#record([]);
    }
    const unknown = this.off.filter((name) => !instances.includes(name));
    const isNew = by !== "none" && journal.now.traffic === null;
    const recording =
      unknown.length > 0 || isNew ? this.#record(this.off.filter((name) => instances.includes(name))) : null;
    try {
      await recording;
    } finally {
      // Turns nothing off that was not off before: a full disk must not keep clients away here either.
      await traffic.steer(this.#others(this.off), signal);
    }
  }

  async turnOff(batch: readonly string[], signal: AbortSignal): Promise<void> {
    const off = [...new Set([...this.off, ...batch])];
    await this.#record(off);
    await this.#options.traffic.steer(this.#others(off), signal);
  }

  /** @throws DeployError `traffic-failed` also when the back end does not use the batch in time */
  async turnOn(batch: readonly string[], signal: AbortSignal): Promise<void> {
    const off = this.off.filter((name) => !batch.includes(name));
    await this.#options.traffic.steer(this.#others(off), signal);
    await this.#record(off);
    await this.#options.traffic.taken(batch, this.#options.timeoutMs, signal);
  }

  /**
   * After a restart that came to nothing: gives traffic back to those that are healthy; to all where nothing would have any,
   * since an instance that may answer is better than a port where nobody does.
   */
  async settle(isHealthy: (name: string) => Promise<boolean>, signal: AbortSignal): Promise<void> {
    const { off } = this;
    if (off.length === 0) return;
    const answers = await Promise.all(off.map(async (name) => ({ name, healthy: await isHealthy(name) })));
    const healthy = answers.filter((answer) => answer.healthy).map(({ name }) => name);
    const back = healthy.length === 0 && this.#others(off).length === 0 ? off : healthy;
    if (back.length === 0) return;
    const still = off.filter((name) => !back.includes(name));
    await this.#options.traffic.steer(this.#others(still), signal);
    await this.#record(still);
  }

  #others(off: readonly string[]): string[] {
    return this.#options.instances.filter((name) => !off.includes(name));
  }

  async #record(off: readonly string[]): Promise<void> {
    const { journal, by, bootId } = this.#options;
    await journal.record({ kind: "traffic", by, off, bootId });
  }
}
