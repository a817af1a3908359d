import type { DeployRecord } from "../schema/deploy_record.ts";
import type { OutHosts } from "../core/gate.ts";
import { hostStepSchema, type HostStatus } from "../schema/znodes.ts";

/** The facts about a deploy whose change shows that it has moved. */
interface Moving {
  readonly id: string;
  readonly record: DeployRecord;
  readonly recordVersion: number;
  readonly out: OutHosts;
}

/** The rungs that a host has reached in one of its attempts, one bit for each. */
interface Climbed {
  readonly attempt: number;
  rungs: number;
}

const STEPS = hostStepSchema.options;

/**
 * Since when nothing has moved in the newest deploy of a service. It has moved when its record was written, when one more
 * host has failed, or when a host has reached a rung for the first time: a host that retries the same step, or whose
 * health comes and goes, moves nothing.
 */
export class ProgressWatch {
  #seen: string | null = null;
  #id = "";
  #sinceMs = 0;
  readonly #climbed = new Map<string, Climbed>();
  readonly #last = new Map<string, HostStatus>();

  /**
   * @param nowMs by a monotonic clock
   * @param stillForMs how long nothing had moved before this watch began
   */
  look(
    deploy: Moving | null,
    statuses: ReadonlyMap<string, HostStatus>,
    nowMs: number,
    stillForMs: (deploy: Moving) => number,
  ): void {
    const isFirst = this.#seen === null;
    const now = deploy === null ? "" : `${deploy.id} ${deploy.recordVersion} ${Object.keys(deploy.out.failed).length}`;
    let moved = now !== this.#seen;
    this.#seen = now;
    if ((deploy?.id ?? "") !== this.#id) {
      this.#id = deploy?.id ?? "";
      this.#climbed.clear();
      this.#last.clear();
    }
    for (const [host, status] of statuses) {
      // A status that was read again is a new object, so the same object has not changed.
      if (this.#last.get(host) === status) continue;
      this.#last.set(host, status);
      if (deploy !== null && status.wish?.deploy === deploy.id && this.#climbs(host, status)) moved = true;
    }
    if (isFirst) this.#sinceMs = nowMs - (deploy === null ? 0 : stillForMs(deploy));
    else if (moved) this.#sinceMs = nowMs;
  }

  stillForMs(nowMs: number): number {
    return Math.max(0, nowMs - this.#sinceMs);
  }

  #climbs(host: string, { attempt, step, rollingBack }: HostStatus): boolean {
    const rung = 1 << (STEPS.indexOf(step) + (rollingBack ? STEPS.length : 0));
    const climbed = this.#climbed.get(host);
    if (climbed?.attempt !== attempt) {
      this.#climbed.set(host, { attempt, rungs: rung });
      return true;
    }
    const isNew = (climbed.rungs & rung) === 0;
    climbed.rungs |= rung;
    return isNew;
  }
}
