import { JuteReader } from "../wire/jute.ts";
import type { Outcome } from "./transaction.ts";

type Place =
  | { readonly kind: "promised"; readonly xid: number; outcome: Outcome | undefined }
  | { readonly kind: "read"; readonly xid: number; readonly opcode: number; readonly record: Buffer };

/**
 * The requests of one connection that cannot be answered yet. They are answered in the order in which they came: what
 * is asked behind a change that is under way must be answered from a state that has it.
 */
export class RequestLine {
  readonly #answer: (xid: number, outcome: Outcome) => void;
  readonly #read: (xid: number, opcode: number, reader: JuteReader) => void;
  #places: Place[] = [];

  constructor(
    answer: (xid: number, outcome: Outcome) => void,
    read: (xid: number, opcode: number, reader: JuteReader) => void,
  ) {
    this.#answer = answer;
    this.#read = read;
  }

  /** Takes a place for a request that is under way; the result is to be called with its outcome, once. */
  promise(xid: number): (outcome: Outcome) => void {
    const place: Place = { kind: "promised", xid, outcome: undefined };
    this.#places.push(place);
    return (outcome) => {
      place.outcome = outcome;
      this.#advance();
    };
  }

  /** Has a request answered that changes nothing, now or when it is its turn. */
  read(xid: number, opcode: number, reader: JuteReader): void {
    if (this.#places.length === 0) this.#read(xid, opcode, reader);
    else this.#places.push({ kind: "read", xid, opcode, record: reader.rest() });
  }

  /** Nobody waits for these answers any more. */
  clear(): void {
    this.#places = [];
  }

  #advance(): void {
    for (;;) {
      const [first] = this.#places;
      if (first === undefined || (first.kind === "promised" && first.outcome === undefined)) return;
      this.#places.shift();
      if (first.kind === "read") this.#read(first.xid, first.opcode, new JuteReader(first.record));
      else if (first.outcome !== undefined) this.#answer(first.xid, first.outcome);
    }
  }
}
