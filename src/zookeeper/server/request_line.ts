import { JuteReader } from "../wire/jute.ts";
import type { Reply } from "./reply.ts";

type Place =
  | { readonly kind: "promised"; readonly xid: number; reply: Reply | undefined }
  | { readonly kind: "read"; readonly xid: number; readonly opcode: number; readonly record: Buffer };

/**
 * The requests of one connection that cannot be answered yet. They are answered in the order in which they came: a read
 * that was sent after a pending change must be answered from a state that includes it.
 */
export class RequestLine {
  readonly #answer: (xid: number, reply: Reply) => void;
  readonly #read: (xid: number, opcode: number, reader: JuteReader) => void;
  #places: Place[] = [];

  constructor(
    answer: (xid: number, reply: Reply) => void,
    read: (xid: number, opcode: number, reader: JuteReader) => void,
  ) {
    this.#answer = answer;
    this.#read = read;
  }

  /** Reserves the place of a request that is under way; call the returned function once, with its reply. */
  promise(xid: number): (reply: Reply) => void {
    const place: Place = { kind: "promised", xid, reply: undefined };
    this.#places.push(place);
    return (reply) => {
      place.reply = reply;
      this.#advance();
    };
  }

  /** Answers a read request, now or when it is its turn. */
  read(xid: number, opcode: number, reader: JuteReader): void {
    if (this.#places.length === 0) this.#read(xid, opcode, reader);
    else this.#places.push({ kind: "read", xid, opcode, record: reader.rest() });
  }

  /** Drops all pending requests, because nobody waits for their answers any more. */
  clear(): void {
    this.#places = [];
  }

  #advance(): void {
    for (;;) {
      const [first] = this.#places;
      if (first === undefined || (first.kind === "promised" && first.reply === undefined)) return;
      this.#places.shift();
      if (first.kind === "read") this.#read(first.xid, first.opcode, new JuteReader(first.record));
      else if (first.reply !== undefined) this.#answer(first.xid, first.reply);
    }
  }
}
