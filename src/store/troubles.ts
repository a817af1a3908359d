import { isZooKeeperError } from "../zookeeper/errors.ts";

type Say = (level: "info" | "warn", message: string, facts: Record<string, unknown>) => void;

/**
 * What this agent retries in ZooKeeper without success, each with its last error. A failure is logged when it begins,
 * when its error changes and when it is over, but not at every retry: one line a second fills a disk.
 */
export class Troubles {
  readonly #say: Say;
  readonly #last = new Map<string, string>();

  constructor(say: Say) {
    this.#say = say;
  }

  /**
   * @param what the thing that is tried, as in "read the wish"
   * @param error the last error; null when it succeeded
   */
  note(what: string, error: unknown): void {
    if (error === null) {
      if (this.#last.delete(what)) this.#say("info", `can ${what} again`, {});
      return;
    }
    // The connection has a state of its own, which reports this for everything that fails with it.
    if (isZooKeeperError(error, "CONNECTION_LOSS", "SESSION_EXPIRED", "CLOSED")) return;
    const text = error instanceof Error ? error.message : JSON.stringify(error);
    if (this.#last.get(what) === text) return;
    this.#last.set(what, text);
    this.#say("warn", `cannot ${what}; it is tried again`, { error: text });
  }

  /** The failures, for people; empty when nothing fails. */
  get text(): string {
    return [...this.#last].map(([what, error]) => `Cannot ${what}: ${error}`).join(" ");
  }
}
