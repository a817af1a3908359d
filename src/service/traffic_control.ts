import { hasLeft } from "../core/leaving.ts";
import type { TrafficSpec } from "../core/traffic.ts";
import type { Traffic } from "../traffic/effects.ts";
import type { JournalFile } from "./journal_file.ts";

export interface TrafficControlOptions {
  readonly by: TrafficSpec["by"];
  readonly traffic: Traffic;
  readonly instances: readonly string[];
  readonly journal: JournalFile;
  readonly bootId: string;
  /** How long a back end may take to send traffic to an instance again, in milliseconds. */
  readonly timeoutMs: number;
  /** The back end that an earlier configuration used, for cleaning up after it. */
  readonly former: (by: TrafficSpec["by"]) => Traffic | null;
}

/**
 * Controls what stands between the clients of a service and its instances on this host. The journal says that an instance
 * is off before it is, and that it is on only after it is: an agent that is killed in between knows which instances it
 * may have left without traffic.
 */
export class TrafficControl {
  readonly #options: TrafficControlOptions;

  constructor(options: TrafficControlOptions) {
    this.#options = options;
  }

  /** Instances that have no traffic, or may have none. */
  get off(): readonly string[] {
    return this.#options.journal.now.traffic?.off ?? [];
  }

  get traffic(): Traffic {
    return this.#options.traffic;
  }

  /**
   * Sets the back end to what the journal says, when an agent starts and when somebody may have changed it. Where they
   * agree already, nothing is changed.
   *
   * @throws DeployError `traffic-failed`
   */
  async assert(signal: AbortSignal): Promise<void> {
    const { by, former, bootId, traffic, instances, journal } = this.#options;
    const known = journal.now.traffic;
    const left = known !== null && known.by !== by ? former(known.by) : null;
    // On a host that has left nothing runs that could get any.
    const off = hasLeft(journal.now) ? this.off : [];
    if (known !== null && known.by !== by) {
      // Steered before the former back end is removed: with the last redirecting rule, the kernel would forget the
      // connections that it redirected.
      await traffic.steer(this.#others(off), signal);
      await left?.remove(signal);
      await this.#record(off);
    } else if (known !== null && known.bootId !== bootId) {
      // The rules were lost with the boot, and the services came up with it. Steered before it is recorded: a full disk
      // must not keep clients away.
      await traffic.steer(this.#others(off), signal);
      await this.#record(off);
    }
    const unknown = this.off.filter((name) => !instances.includes(name));
    const isNew = by !== "none" && journal.now.traffic === null;
    const recording =
      unknown.length > 0 || isNew ? this.#record(this.off.filter((name) => instances.includes(name))) : null;
    try {
      await recording;
    } finally {
      // This turns off nothing that was on before: a full disk must not keep clients away here either.
      await traffic.steer(this.#others(this.off), signal);
    }
  }

  async turnOff(batch: readonly string[], signal: AbortSignal): Promise<void> {
    const off = [...new Set([...this.off, ...batch])];
    await this.#record(off);
    await this.#options.traffic.steer(this.#others(off), signal);
  }

  /** @throws DeployError `traffic-failed` also when the back end does not send traffic to the batch in time */
  async turnOn(batch: readonly string[], signal: AbortSignal): Promise<void> {
    const off = this.off.filter((name) => !batch.includes(name));
    await this.#options.traffic.steer(this.#others(off), signal);
    await this.#record(off);
    await this.#options.traffic.taken(batch, this.#options.timeoutMs, signal);
  }

  /**
   * After a restart that failed: gives traffic back to the instances that are healthy. Gives it to all where no instance
   * would have any: an instance that may answer is better than a port where nobody does.
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
