import { hostStatusSchema } from "../../../src/schema/znodes.ts";
import { statusesPath } from "../../../src/store/paths.ts";
import { readRecord } from "../../../src/store/records.ts";
import { systemClock } from "../../../src/support/clock.ts";
import { ZooKeeper } from "../../../src/zookeeper/client.ts";
import { median } from "../statistics.ts";

/** Where a deploy's time went, in milliseconds. */
export interface Timeline {
  /** From the command's start to the moment from which the last host was ready, by that host's own status. */
  readonly readyMs: number;
  /** From there to the command's end. */
  readonly activationMs: number;
  /** Median over the hosts of how long each step took, and, as `granted`, of the wait between ready and the flip. */
  readonly stepsMs: Readonly<Record<string, number>>;
}

/** The steps as an agent's log names them, in their order; each ends where the next one begins. */
const STEPS = ["fetch", "verify", "extract", "install", "flip", "restart", "check", "serving"] as const;

/** Since when each host has been ready, as its status says, by the deploy that it was ready for. */
export class ReadyWatch implements AsyncDisposable {
  readonly #client: ZooKeeper;
  readonly #since = new Map<string, number>();
  #reads: Promise<unknown> = Promise.resolve();

  private constructor(client: ZooKeeper) {
    this.#client = client;
  }

  /** @param servers with the chroot */
  static async open(servers: string, service: string): Promise<ReadyWatch> {
    const watch = new ReadyWatch(new ZooKeeper({ clock: systemClock, servers }));
    await watch.#client.addWatch(statusesPath(service), "persistent-recursive", ({ path }) => watch.#read(path));
    return watch;
  }

  /** When the last of so many hosts was ready, in milliseconds since the epoch, after this moment. */
  async last(count: number, afterMs: number): Promise<number> {
    await this.#reads;
    const all = [...this.#since.values()].filter((at) => at >= afterMs);
    if (all.length !== count) throw new Error(`${all.length} of ${count} hosts were seen to be ready`);
    return Math.max(...all);
  }

  #read(path: string): void {
    const read = readRecord(this.#client, path, hostStatusSchema).then(
      (said) => {
        if (said?.value.step === "ready") this.#since.set(path, Date.parse(said.value.since));
      },
      // The client was closed meanwhile. What is missing is counted.
      () => {},
    );
    this.#reads = Promise.all([this.#reads, read]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client[Symbol.asyncDispose]();
  }
}

/** @param logs what each agent printed during the deploy */
export function timelineOf(
  logs: readonly string[],
  { startedAtMs, readyAtMs, endedAtMs }: { startedAtMs: number; readyAtMs: number; endedAtMs: number },
): Timeline {
  const took = new Map<string, number[]>();
  for (const log of logs) {
    const at = new Map<string, number>();
    for (const line of log.split("\n")) {
      if (!line.startsWith("{")) continue;
      const { time, msg } = JSON.parse(line) as { time: number; msg: string };
      if (STEPS.some((step) => step === msg)) at.set(msg, time);
    }
    const begunAt = at.get(STEPS[0]);
    if (begunAt !== undefined) took.set("until fetch", [...(took.get("until fetch") ?? []), begunAt - startedAtMs]);
    for (const [index, step] of STEPS.entries()) {
      const next = STEPS[index + 1];
      const from = at.get(step);
      const to = next === undefined ? undefined : at.get(next);
      if (from === undefined || to === undefined) continue;
      const name = step === "install" ? "install and granted" : step;
      took.set(name, [...(took.get(name) ?? []), to - from]);
    }
  }
  return {
    readyMs: readyAtMs - startedAtMs,
    activationMs: endedAtMs - readyAtMs,
    stepsMs: Object.fromEntries([...took].map(([step, all]) => [step, Math.round(median(all))])),
  };
}
