import { MAX_RESTARTS } from "../../../src/core/restart_progress.ts";
import type { Journal } from "../../../src/schema/journal.ts";
import type { Effect } from "../host/life.ts";

/** What a build of the rehearsal says of its install steps. */
const MAX_INSTALLS = 3;

/** An agent that is told to end calls off what it has begun, and that does not count as a try. */
const CALLED_OFF = 3;

/** How often a host has tried what may fail, to see that it gives up in the end. */
export class TryCounts {
  readonly #tries = new Map<string, number>();

  /** Whatever was started may be started again: after a boot, which has taken it away, and in another activation. */
  begin(): void {
    for (const key of this.#tries.keys()) if (key.startsWith("start")) this.#tries.delete(key);
  }

  /** Counts an effect. @returns what was tried once too often; null where nothing was */
  tooMany({ what, kind }: Effect, journal: Pick<Journal, "attempt" | "activation" | "installs">): string | null {
    const { attempt, activation, installs } = journal;
    const [, verb, step = ""] = (kind === "command" ? /svc (install|start)(?: (\d+))?"$/.exec(what) : null) ?? [];
    if (verb === "install" && installs !== null) {
      // It may be a build that the host only has to have ready; and whoever has it tried again begins to count anew.
      const { build, deploy } = installs;
      const again = attempt?.deploy === deploy ? (attempt.again ?? 0) : 0;
      return this.#count(`install step ${step} of ${build} for ${deploy}`, again, MAX_INSTALLS);
    }
    const phase = activation?.phase;
    if (verb === "start" && activation !== null && phase !== undefined && "restart" in phase) {
      const { batch } = phase.restart;
      const most = MAX_RESTARTS * batch.length + CALLED_OFF;
      return this.#count(`start of ${batch.join(", ")} ${phase.kind}`, activation.attempt, most);
    }
    return null;
  }

  #count(what: string, attempt: number, most: number): string | null {
    const key = `${what} in try ${attempt}`;
    const count = (this.#tries.get(key) ?? 0) + 1;
    this.#tries.set(key, count);
    return count > most ? `${key}, for the ${count}. time` : null;
  }
}
