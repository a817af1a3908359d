import type { ServerErrorCode } from "../errors.ts";

/** Thrown by an operation that the server answers with an error. */
export class Refusal extends Error {
  readonly code: ServerErrorCode;

  constructor(code: ServerErrorCode) {
    super(code);
    this.code = code;
  }
}
