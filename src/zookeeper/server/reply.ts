import type { ServerErrorCode } from "../errors.ts";
import type { JuteWriter } from "../wire/jute.ts";

/** Writes the body of a reply, which follows its header. */
export type ReplyRecord = (writer: JuteWriter) => void;

/** Thrown by an operation to make the server answer with an error. */
export class Refusal extends Error {
  readonly code: ServerErrorCode;

  constructor(code: ServerErrorCode) {
    super(code);
    this.code = code;
  }
}

/** How a request is answered: by a record, or by an error. */
export type Reply = ReplyRecord | Refusal;
