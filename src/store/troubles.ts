import { isZooKeeperError } from "../zookeeper/errors.ts";

type Say = (level: "info" | "warn", message: string, facts: Record<string, unknown>) => void;

/**
 * What this agent tries again and again in ZooKeeper and fails: of each thing its last error. It is said when it comes, when it is another one
 * than before, and when it is over, and not with every try: one a second fills a disk.
 */
export class Troubles {
  readonly #say: Say;
  readonly #last = new Map<string, string>();

  constructor(say: Say) {
    this.#say = say;
  }

  /**
   * @param what is tried, as in "read the wish"
   * @param error of the last try; null when it went well
   */
  note(what: string, error: unknown): void {
    if (error === null) {
      if (this.#last.delete(what)) this.#say("info", `can ${what} again`, {});
      return;
    }
    // The connection has a state of its own, which says this for all that fails with it.
    if (isZooKeeperError(error, "CONNECTION_LOSS", "SESSION_EXPIRED", "CLOSED")) return;
    const text = error instanceof Error ? error.message : JSON.stringify(error);
    if (this.#last.get(what) === text) return;
    this.#last.set(what, text);
    this.#say("warn", `cannot ${what}; it is tried again`, { error: text });
  }

  /** For people; empty when nothing fails. */
  get text(): string {
    return [...this.#last].map(([what, error]) => `Cannot ${what}: ${error}`).join(" ");
  }
}
