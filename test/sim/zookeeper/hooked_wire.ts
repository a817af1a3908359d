import type { LinkEvents, Wire } from "../../../src/zookeeper/dial.ts";
import { intAt, JuteReader, prefixBytes } from "../../../src/zookeeper/wire/jute.ts";
import { OpCode } from "../../../src/zookeeper/wire/opcodes.ts";
import type { Sockets } from "../sockets.ts";
import type { End } from "../stream.ts";

/** A request as it leaves a process. */
export interface SentRequest {
  /** As in `OpCode`: `create2`, `setData`, `multi` ... */
  readonly name: string;
  /** The server's; of a multi the first. Undefined where the request has none. */
  readonly path: string | undefined;
  readonly isWrite: boolean;
}

/**
 * What becomes of a request on its way out. `cut before`: it does not leave, and the connection is over. `cut after`: it
 * leaves and may well be carried out, and the connection is over before its answer comes.
 */
export type Verdict = "pass" | "cut before" | "cut after";

/** Whoever ends the process in one of these has ended it right before the request left, or right after it. */
export interface RequestHooks {
  /** Called for each request before it leaves. */
  onRequest?(request: SentRequest): Verdict;
  /** Called when it has left. */
  onSent?(request: SentRequest): void;
}

const names = new Map<number, string>(Object.entries(OpCode).map(([name, opcode]) => [opcode, name]));
const writes: readonly number[] = [
  OpCode.create,
  OpCode.create2,
  OpCode.createContainer,
  OpCode.createTtl,
  OpCode.delete,
  OpCode.setData,
  OpCode.setAcl,
  OpCode.multi,
  OpCode.closeSession,
];
const pathless: readonly number[] = [
  OpCode.ping,
  OpCode.auth,
  OpCode.setWatches,
  OpCode.setWatches2,
  OpCode.whoAmI,
  OpCode.closeSession,
  OpCode.multiRead,
];

/** A client's connection that asks about every request before it leaves. */
export class HookedWire implements Wire {
  readonly #sockets: Sockets;
  readonly #hooks: RequestHooks;
  readonly #events: LinkEvents;
  #end: End | null = null;
  #greeted = false;
  #over = false;
  /** What the connection has no room for. */
  #waiting: Uint8Array[] = [];

  constructor(sockets: Sockets, hooks: RequestHooks, events: LinkEvents) {
    this.#sockets = sockets;
    this.#hooks = hooks;
    this.#events = events;
  }

  use(end: End): void {
    this.#end = end;
  }

  /** The bytes are whole frames, since nothing is ever left over. */
  write(bytes: Uint8Array): number {
    if (this.#over || this.#end === null || this.#end.closed) return -1;
    for (let at = 0; at < bytes.length && !this.#over;) {
      const end = at + prefixBytes + intAt(bytes, at);
      this.#frame(bytes.subarray(at, end));
      at = end;
    }
    return bytes.length;
  }

  terminate(): void {
    this.#over = true;
    this.#end?.terminate();
  }

  drained(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const bytes of waiting) this.#send(bytes);
  }

  #frame(frame: Uint8Array): void {
    // What comes first on a connection asks for a session.
    const request = this.#greeted ? requestOf(frame) : undefined;
    this.#greeted = true;
    if (request === undefined) {
      this.#send(frame);
      return;
    }
    const verdict = this.#hooks.onRequest?.(request) ?? "pass";
    if (verdict !== "cut before") {
      this.#send(frame);
      this.#hooks.onSent?.(request);
    }
    if (verdict !== "pass") this.#cut();
  }

  #cut(): void {
    this.terminate();
    queueMicrotask(() =>
      this.#sockets.deliver(() => this.#events.ended({ kind: "lost", reason: "the connection was reset" })),
    );
  }

  #send(bytes: Uint8Array): void {
    if (this.#waiting.length > 0) {
      this.#waiting.push(bytes);
      return;
    }
    const written = this.#end?.write(bytes) ?? -1;
    if (written >= 0 && written < bytes.length) this.#waiting.push(bytes.subarray(written));
  }
}

function requestOf(frame: Uint8Array): SentRequest {
  const reader = new JuteReader(Buffer.from(frame.buffer, frame.byteOffset, frame.length), prefixBytes);
  reader.int();
  const opcode = reader.int();
  const isWrite = writes.includes(opcode);
  const name = names.get(opcode) ?? String(opcode);
  if (pathless.includes(opcode)) return { name, path: undefined, isWrite };
  if (opcode === OpCode.multi) {
    reader.int();
    // A multi of nothing begins with its end.
    if (reader.bool()) return { name, path: undefined, isWrite };
    reader.int();
  }
  return { name, path: reader.string(), isWrite };
}
