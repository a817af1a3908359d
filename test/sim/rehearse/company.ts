import { join } from "node:path";
import { KEPT_MEMORY } from "../../harness/runtime_settings.ts";
import type { Job } from "./job.ts";
import type { Performance } from "./performance.ts";

const WORKER = join(import.meta.dir, "worker.ts");

/** Processes that play, as many as there are processors. */
export class Company implements AsyncDisposable {
  readonly #players: readonly Player[];

  /** @param worker the program; that of a copy of this tree where its code is to be played */
  constructor(size: number, worker: string = WORKER) {
    this.#players = Array.from({ length: size }, () => new Player(worker));
  }

  /**
   * Has jobs played, the next one whenever somebody is free, in no order.
   *
   * @param next the next job; null when there is no more
   */
  async *perform(next: () => Job | null): AsyncGenerator<{ readonly job: Job; readonly result: Performance }> {
    const busy = new Map<Player, Promise<{ player: Player; job: Job; result: Performance }>>();
    const give = (player: Player): void => {
      const job = next();
      if (job === null) return;
      const playing = player.play(job).then((result) => ({ player, job, result }));
      // Whoever has seen enough sends the company home in the middle of it, and waits for nothing more.
      playing.catch(() => {});
      busy.set(player, playing);
    };
    for (const player of this.#players) give(player);
    while (busy.size > 0) {
      const { player, job, result } = await Promise.race(busy.values());
      busy.delete(player);
      give(player);
      yield { job, result };
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#players.map((player) => player.end()));
  }
}

/**
 * After so many plays another process goes on: each world leaves a few megabytes behind. Not much sooner, since the runtime
 * needs some twenty worlds until it plays them at its full speed.
 */
const MOST_PLAYS = 400;

class Player {
  readonly #worker: string;
  #stage: Stage;
  #plays = 0;

  constructor(worker: string) {
    this.#worker = worker;
    this.#stage = new Stage(worker);
  }

  async play(job: Job): Promise<Performance> {
    if (this.#plays >= MOST_PLAYS) {
      await this.#stage.end();
      this.#stage = new Stage(this.#worker);
      this.#plays = 0;
    }
    this.#plays += 1;
    return this.#stage.play(job);
  }

  async end(): Promise<void> {
    await this.#stage.end();
  }
}

/** How far a player's heap grows before it is looked through for what nobody needs: a world makes much, and keeps little. */
const HEAP_BYTES = 512 * 1024 ** 2;

/**
 * What its runtime is told: to collect garbage rarely, and to leave out its slowest compiler, which pays for itself only in a
 * process of many hundred worlds.
 */
const SETTINGS = { BUN_JSC_largeHeapSize: String(HEAP_BYTES), BUN_JSC_useFTLJIT: "0", ...KEPT_MEMORY };

/** One process. */
class Stage {
  readonly #process: Bun.Subprocess<"pipe", "pipe", "inherit">;
  readonly #lines: AsyncIterator<string>;

  constructor(worker: string) {
    const env = { ...process.env, ...SETTINGS };
    this.#process = Bun.spawn([process.execPath, worker], { stdin: "pipe", stdout: "pipe", stderr: "inherit", env });
    this.#lines = linesOf(this.#process.stdout)[Symbol.asyncIterator]();
  }

  async play(job: Job): Promise<Performance> {
    void this.#process.stdin.write(`${JSON.stringify(job)}\n`);
    await this.#process.stdin.flush();
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error(`the process that played ${JSON.stringify(job)} has ended`);
    return JSON.parse(value) as Performance;
  }

  async end(): Promise<void> {
    this.#process.kill();
    await this.#process.exited;
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}
