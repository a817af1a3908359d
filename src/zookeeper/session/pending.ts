import type { Clock } from "../clock.ts";
import { ZooKeeperError, type FailureOutcome, type ZooKeeperErrorCode } from "../errors.ts";
import { putInt, RecordTooLarge, UnfitNumber, type JuteReader, type JuteWriter } from "../wire/jute.ts";
import type { Request } from "../wire/requests.ts";

/** The timeout of one call, and the signal that cancels it. */
export interface Call {
  readonly signal?: AbortSignal;
  /** Timeout of this call in milliseconds, including the time it waits for a connection. */
  readonly timeoutMs?: number;
}

/** Who has to know of an answer before its caller does, and before any later event. */
export interface AnswerListener {
  /** The server has answered: with an error's code, or undefined for success. */
  answered(refusal: ZooKeeperErrorCode | undefined): void;
  /** The operation is over, answered or not. It follows `answered` where there is an answer. */
  settled(): void;
}

/** What the operations of one session share. */
export interface Desk {
  readonly clock: Clock;
  readonly writer: JuteWriter;
  /** Called if the timeout or the signal ended an operation before its answer. */
  givenUp(pending: unknown): void;
}

const xidOffset = 4;
// The longest delay of a timer. One that is set to more fires at once.
const maxTimerMs = 2 ** 31 - 1;

/** An operation from its call to its answer. */
export class Pending<T = unknown> {
  readonly request: Request<T>;
  readonly promise: Promise<T>;
  /** The whole frame; its transaction id is set when it is sent. */
  readonly #frame: Uint8Array;
  readonly #resolve: (value: T) => void;
  readonly #reject: (error: unknown) => void;
  readonly #listener: AnswerListener | undefined;
  #stage: "queued" | "sent" | "settled" = "queued";
  #cancelDeadline: (() => void) | undefined;
  #stopListening: (() => void) | undefined;

  /** @throws ZooKeeperError TOO_LARGE, or BAD_ARGUMENTS for a number that cannot be sent or is not a valid timeout */
  constructor(request: Request<T>, call: Call, desk: Desk, listener?: AnswerListener) {
    this.request = request;
    this.#listener = listener;
    this.#frame = encode(desk.writer, request);
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.promise = promise;
    this.#resolve = resolve;
    this.#reject = reject;
    const { signal, timeoutMs } = call;
    if (timeoutMs !== undefined && !(timeoutMs >= 0)) {
      throw this.#error("BAD_ARGUMENTS", "not-sent", `a deadline of ${timeoutMs} ms`);
    }
    if (timeoutMs !== undefined && timeoutMs <= maxTimerMs) {
      this.#cancelDeadline = desk.clock.after(timeoutMs, () => {
        this.fail("OPERATION_TIMEOUT", `no answer within ${timeoutMs} ms`);
        desk.givenUp(this);
      });
    }
    if (signal !== undefined) {
      const onAbort = (): void => {
        this.fail("ABORTED", undefined, signal.reason);
        desk.givenUp(this);
      };
      signal.addEventListener("abort", onAbort, { once: true });
      this.#stopListening = () => signal.removeEventListener("abort", onAbort);
    }
  }

  get settled(): boolean {
    return this.#stage === "settled";
  }

  /** The frame to send, under this transaction id. */
  sendAs(xid: number): Uint8Array {
    if (this.#stage === "queued") this.#stage = "sent";
    putInt(this.#frame, xidOffset, xid);
    return this.#frame;
  }

  /** Takes the server's answer; the reader is positioned after the reply's header. */
  answer(refusal: ZooKeeperErrorCode | undefined, reader: JuteReader): void {
    if (this.#stage === "settled") return;
    if (refusal !== undefined) {
      this.#listener?.answered(refusal);
      this.#settle();
      this.#reject(this.#error(refusal, "refused"));
      return;
    }
    try {
      const value = this.request.decode(reader);
      this.#listener?.answered(undefined);
      this.#settle();
      this.#resolve(value);
    } catch (error) {
      this.#settle();
      if (error instanceof ZooKeeperError) {
        this.#reject(error);
        return;
      }
      const outcome = this.request.write ? "unknown" : "not-sent";
      this.#reject(this.#error("MARSHALLING_ERROR", outcome, "the answer makes no sense", error));
      // Nothing that follows on this connection can be trusted.
      throw error;
    }
  }

  /** Ends it without an answer; the outcome it reports depends on whether it was sent. */
  fail(code: ZooKeeperErrorCode, detail?: string, cause?: unknown): void {
    if (this.#stage === "settled") return;
    const outcome = this.#stage === "sent" && this.request.write ? "unknown" : "not-sent";
    this.#settle();
    this.#reject(this.#error(code, outcome, detail, cause));
  }

  #settle(): void {
    this.#stage = "settled";
    this.#listener?.settled();
    this.#cancelDeadline?.();
    this.#stopListening?.();
  }

  #error(code: ZooKeeperErrorCode, outcome: FailureOutcome, detail?: string, cause?: unknown): ZooKeeperError {
    const { operation, path } = this.request;
    return new ZooKeeperError({ code, operation, path, outcome, detail, cause });
  }
}

function encode<T>(writer: JuteWriter, request: Request<T>): Uint8Array {
  try {
    writer.reset().int(0).int(request.opcode);
    request.encode(writer);
    return writer.frame();
  } catch (error) {
    const { operation, path } = request;
    if (error instanceof UnfitNumber) {
      const facts = { code: "BAD_ARGUMENTS", operation, path, outcome: "not-sent", detail: error.message } as const;
      throw new ZooKeeperError(facts);
    }
    if (!(error instanceof RecordTooLarge)) throw error;
    const detail = `the request is over ${error.limit} bytes, the most a server takes`;
    throw new ZooKeeperError({ code: "TOO_LARGE", operation, path, outcome: "not-sent", detail });
  }
}
