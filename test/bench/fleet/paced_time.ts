import type { Dial } from "../../../src/zookeeper/dial.ts";
import { VirtualTime } from "../../sim/time.ts";

const PACE_MS = 5;
/** For how long what is due may happen in one go, in milliseconds: what comes over the connections must not wait for all of it. */
const SLICE_MS = 20;

/**
 * The time of the rehearsal's hosts, which passes as the real one does: their ports are simulated, and what they talk to
 * ZooKeeper over is a real connection.
 */
export class PacedTime {
  readonly time = new VirtualTime();
  readonly #startedAt = performance.now();
  #isRunning = false;

  start(): void {
    setInterval(() => this.advance(), PACE_MS);
  }

  /** Lets happen what is due by now; where that takes long, the rest of it comes after what connections have to say. */
  advance(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    try {
      const now = performance.now();
      this.time.run(now - this.#startedAt, () => performance.now() - now > SLICE_MS);
    } finally {
      this.#isRunning = false;
    }
  }

  /** What comes over these connections comes at the time that it is. */
  paced(dial: Dial): Dial {
    return (address, options, events) =>
      dial(address, options, {
        data: (chunk) => {
          this.advance();
          events.data(chunk);
        },
        drain: () => events.drain(),
        ended: (failure) => {
          this.advance();
          events.ended(failure);
        },
      });
  }
}
