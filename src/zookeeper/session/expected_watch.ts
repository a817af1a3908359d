import type { ZooKeeperErrorCode } from "../errors.ts";
import type { WatchKind } from "../wire/set_watches.ts";
import type { AnswerListener } from "./pending.ts";
import type { WatchHandler, WatchRegistry } from "./watches.ts";

/** The kinds of watch that an answer leaves on the server. */
export interface LeftWatch {
  readonly granted: WatchKind;
  /** When there is no node: only `exists` waits for one. */
  readonly absent?: WatchKind;
}

/** A watch from its request to its answer, which decides whether there is one. */
export class ExpectedWatch implements AnswerListener {
  readonly #watches: WatchRegistry;
  readonly #path: string;
  readonly #handler: WatchHandler;
  readonly #leaves: LeftWatch;

  constructor(watches: WatchRegistry, path: string, handler: WatchHandler, leaves: LeftWatch) {
    this.#watches = watches;
    this.#path = path;
    this.#handler = handler;
    this.#leaves = leaves;
  }

  answered(refusal: ZooKeeperErrorCode | undefined): void {
    const kind = refusal === undefined ? this.#leaves.granted : this.#leaves.absent;
    if (kind === undefined || (refusal !== undefined && refusal !== "NO_NODE")) return;
    this.#watches.add(kind, this.#path, this.#handler);
  }

  settled(): void {
    this.#watches.arrived(this.#path);
  }
}
