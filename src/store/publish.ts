import type { HostStatus } from "../schema/znodes.ts";
import { Bell, pause } from "../support/bell.ts";
import type { Clock } from "../support/clock.ts";
import { isZooKeeperError } from "../zookeeper/errors.ts";
import type { Session } from "../zookeeper/session.ts";
import type { FormatGate } from "./format.ts";
import { statusPath } from "./paths.ts";
import { encode } from "./records.ts";

/** Steps that pass faster than this are not published one by one: a host makes at most a handful of writes per deploy. */
const COALESCE_MS = 250;
const RETRY_MS = 1_000;

/** ZooKeeper is not for logs: a status stays below this many bytes. */
const MAX_STATUS_BYTES = 4_000;

/**
 * Keeps `status/<host>` at what was published last. Writes are coalesced; while ZooKeeper is away only the newest status
 * is kept, and it is written when ZooKeeper is back.
 */
export class StatusPublisher {
  readonly #session: Session;
  readonly #service: string;
  readonly #host: string;
  readonly #format: FormatGate;
  readonly #clock: Clock;
  readonly #bell: Bell;
  readonly #onProblem: (error: unknown) => void;
  #wanted: string | null = null;
  #written: string | null = null;
  #holds = 0;

  /** @param onProblem called with the reason why a status cannot be written, and with null once one is */
  constructor(
    session: Session,
    service: string,
    host: string,
    format: FormatGate,
    clock: Clock,
    onProblem: (error: unknown) => void = () => {},
  ) {
    this.#onProblem = onProblem;
    this.#clock = clock;
    this.#bell = new Bell(clock);
    this.#session = session;
    this.#service = service;
    this.#host = host;
    this.#format = format;
  }

  publish(status: HostStatus): void {
    this.#wanted = encode(fit(status));
    if (this.#wanted !== this.#written) this.#bell.ring();
  }

  /**
   * Compares with what is in ZooKeeper now: where it is not what was written, somebody else wrote it, and the status is
   * written again.
   */
  found(text: string): void {
    if (this.#holds > 0 || this.#written === null || text === this.#written || text === this.#wanted) return;
    this.#written = null;
    this.#bell.ring();
  }

  /** Records that `status` has just been written together with something else. */
  wasWritten(status: HostStatus): void {
    this.#wanted = encode(fit(status));
    this.#written = this.#wanted;
  }

  /**
   * Starts no write until it is disposed of. To be held while a status is written together with something else: a status
   * published before could otherwise be written after it, and stay.
   */
  hold(): Disposable {
    this.#holds += 1;
    return {
      [Symbol.dispose]: () => {
        this.#holds -= 1;
        this.#bell.ring();
      },
    };
  }

  async run(signal: AbortSignal): Promise<void> {
    // What an earlier session wrote may have been lost with a server, so a new session writes it again.
    const stop = this.#session.onEpoch(() => {
      this.#written = null;
      this.#bell.ring();
    });
    try {
      while (!signal.aborted) {
        const failed = this.#wanted !== null && this.#wanted !== this.#written;
        await this.#bell.wait(failed ? RETRY_MS : 2 ** 30, signal);
        const wanted = this.#wanted;
        if (signal.aborted || this.#holds > 0 || wanted === null || wanted === this.#written) continue;
        if (await this.#write(wanted, signal)) await pause(this.#clock, COALESCE_MS, signal);
      }
    } finally {
      stop();
    }
  }

  async #write(wanted: string, signal: AbortSignal): Promise<boolean> {
    if (!this.#format.isKnown) return false;
    const path = statusPath(this.#service, this.#host);
    try {
      await this.#session.client.set(path, wanted, -1, { signal });
      this.#written = wanted;
      this.#onProblem(null);
      return true;
    } catch (error) {
      // Whoever follows the wish makes the node once an operator has made the service, and reports what prevents that.
      if (!signal.aborted && !isZooKeeperError(error, "NO_NODE")) this.#onProblem(error);
      return false;
    }
  }
}

/**
 * The status, cut to its size limit: first the log is shortened, from its beginning, then the error's message, from its
 * end.
 */
export function fit(status: HostStatus): HostStatus {
  let { log, error } = status;
  for (;;) {
    const fitting = { ...status, log, error };
    const excess = Buffer.byteLength(encode(fitting)) - MAX_STATUS_BYTES;
    if (excess <= 0) return fitting;
    // A character takes at least one byte, so cutting this many characters never cuts too much.
    if (log !== "") log = log.slice(excess);
    else if (error !== null && error.message.length + error.hint.length > 2) {
      error = { ...error, message: halved(error.message), hint: halved(error.hint) };
    } else return fitting;
  }
}

function halved(text: string): string {
  return text.length < 2 ? text : `${text.slice(0, Math.floor(text.length / 2) - 1)}…`;
}
