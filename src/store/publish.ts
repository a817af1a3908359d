import type { HostStatus, HostStep } from "../schema/znodes.ts";
import { Bell } from "../support/bell.ts";
import type { Clock } from "../support/clock.ts";
import { isZooKeeperError } from "../zookeeper/errors.ts";
import type { Session } from "../zookeeper/session.ts";
import type { FormatGate } from "./format.ts";
import { statusPath } from "./paths.ts";
import { encode } from "./records.ts";

/** Steps that pass faster than this are not published: a host makes at most a handful of writes per deploy. */
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
  #wanted: HostStatus | null = null;
  #written: string | null = null;
  /** What the status says beside the step, of the one that is wanted and the one that was written last. */
  #wantedNews = "";
  #writtenNews = "";
  #word = "";
  #isUrgent = false;
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
    this.#wanted = status;
    this.#wantedNews = newsOf(status);
    const word = wordOf(status);
    if (word !== this.#word) this.#isUrgent = word !== "";
    this.#word = word;
    if (this.#isOwed) this.#bell.ring();
  }

  /** Nobody asks any more: what is not written yet is not written, in a new session neither. */
  withdraw(): void {
    this.#wanted = null;
  }

  /** What was written is not known: the status is written again. */
  doubt(): void {
    this.#written = null;
    this.#bell.ring();
  }

  /**
   * Compares with what is in ZooKeeper now: where it is not what was written, somebody else wrote it, and the status is
   * written again.
   */
  found(text: string): void {
    if (this.#holds > 0 || this.#written === null || text === this.#written || text === this.#text) return;
    this.#written = null;
    this.#bell.ring();
  }

  /** Records that `status` has just been written together with something else. */
  wasWritten(status: HostStatus): void {
    this.#wanted = status;
    this.#written = this.#text;
    this.#wantedNews = this.#writtenNews = newsOf(status);
    this.#word = wordOf(status);
    this.#isUrgent = false;
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
        await this.#bell.wait(this.#isOwed ? RETRY_MS : 2 ** 30, signal);
        await this.#settle(signal);
        if (signal.aborted || this.#holds > 0 || this.#text === null || !this.#isOwed) continue;
        await this.#write(this.#text, this.#wantedNews, signal);
      }
    } finally {
      stop();
    }
  }

  /** Waits until a step has lasted for a while, or a word comes that others wait for. */
  async #settle(signal: AbortSignal): Promise<void> {
    const endsAtMs = this.#clock.monotonicMs() + COALESCE_MS;
    while (!this.#isUrgent && !signal.aborted) {
      const leftMs = endsAtMs - this.#clock.monotonicMs();
      if (leftMs <= 0) return;
      await this.#bell.wait(leftMs, signal);
    }
  }

  /** What is wanted, as it is written. */
  get #text(): string | null {
    return this.#wanted === null ? null : encode(fit(this.#wanted));
  }

  /** Whether there is something to tell that others do not know. */
  get #isOwed(): boolean {
    return this.#wanted !== null && (this.#written === null || this.#wantedNews !== this.#writtenNews);
  }

  async #write(wanted: string, news: string, signal: AbortSignal): Promise<void> {
    if (!this.#format.isKnown) return;
    this.#isUrgent = false;
    const path = statusPath(this.#service, this.#host);
    try {
      await this.#session.client.set(path, wanted, -1, { signal });
      this.#written = wanted;
      this.#writtenNews = news;
      this.#onProblem(null);
    } catch (error) {
      // Whoever follows the wish makes the node once an operator has made the service, and reports what prevents that.
      if (!signal.aborted && !isZooKeeperError(error, "NO_NODE")) this.#onProblem(error);
    }
  }
}

/**
 * What others wait for, and so is written at once: that the host asks for a slot, has begun, serves, or has failed. Empty
 * for anything else.
 */
function wordOf({ attempt, step, begun, failure }: HostStatus): string {
  const isWord = step === "ready" || step === "begun" || step === "serving" || step === "failed";
  const isFailing = begun && failure?.attempt === attempt;
  if (!isWord && !isFailing) return "";
  return `${attempt} ${isFailing ? "failing" : step} ${begun}`;
}

/**
 * What a status tells that is worth a write. Of each phase of a deploy the first step that lasts is told: preparing,
 * installing, asking for a slot, having begun, soaking, serving. With the steps between them a host would make ten writes
 * in a deploy, and thousands of hosts do so at once; its own port tells them all. What a restart does to its service in
 * between is nobody's news either.
 */
function newsOf(status: HostStatus): string {
  const { build, health, restart, ...rest } = status;
  const told = { ...rest, step: phaseOf(status.step), since: "", log: "" };
  const isAtWork = status.begun && status.failure?.attempt !== status.attempt;
  return encode(isAtWork ? told : { ...told, build, health, restart });
}

function phaseOf(step: HostStep): HostStep {
  switch (step) {
    case "fetch":
    case "verify":
    case "extract":
      return "fetch";
    case "begun":
    case "flip":
    case "restart":
    case "check":
      return "begun";
    default:
      return step;
  }
}

/**
 * The status, cut to its size limit: first the log is shortened, from its beginning, then the error's message and the
 * reason of the last failure, from their ends.
 */
export function fit(status: HostStatus): HostStatus {
  let { log, error, failure } = status;
  for (;;) {
    const fitting = { ...status, log, error, failure };
    const excess = Buffer.byteLength(encode(fitting)) - MAX_STATUS_BYTES;
    if (excess <= 0) return fitting;
    // A character takes at least one byte, so cutting this many characters never cuts too much.
    if (log !== "") log = log.slice(excess);
    else if (error !== null && error.message.length + error.hint.length > 2) {
      error = { ...error, message: halved(error.message), hint: halved(error.hint) };
    } else if (failure !== null && failure.reason.length > 2) failure = { ...failure, reason: halved(failure.reason) };
    else return fitting;
  }
}

function halved(text: string): string {
  return text.length < 2 ? text : `${text.slice(0, Math.floor(text.length / 2) - 1)}…`;
}
