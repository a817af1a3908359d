import type { Clock } from "../clock.ts";
import { errorNumber } from "../errors.ts";
import { FrameReader } from "../wire/framing.ts";
import { JuteReader, type JuteWriter } from "../wire/jute.ts";
import { maxRequestBytes, OpCode, Xid } from "../wire/opcodes.ts";
import { noPassword, readConnectRequest, writeConnectResponse } from "../wire/handshake_records.ts";
import { Perms, type Acl } from "../znode.ts";
import { digestId, hasPermission, type ProvedId } from "./access.ts";
import type { Caller, Database } from "./database.ts";
import type { Faults } from "./faults.ts";
import { OutgoingPackets, type ServerWire } from "./outgoing_packets.ts";
import { readRequest } from "./read_requests.ts";
import { Refusal, type ReplyRecord, type Reply } from "./reply.ts";
import { RequestLine } from "./request_line.ts";
import type { ServerSession } from "./session_table.ts";
import type { WriteRequest } from "./transaction.ts";
import { watchRequest } from "./watch_requests.ts";
import { readWrite } from "./writes.ts";

/**
 * What a connection needs of its server. A change is answered through `done`, at once or later: a standalone server
 * carries it out itself, a member of an ensemble first has the leader order it.
 */
export interface OwningServer {
  readonly clock: Clock;
  /** The state that this server has applied so far; reads are answered from it. */
  readonly database: Database;
  readonly faults: Faults;
  /** Encoding is synchronous, so all connections can share one buffer. */
  readonly writer: JuteWriter;
  openSession(askedTimeoutMs: number, done: (session: ServerSession | undefined) => void): void;
  /** Resumes the session if it is alive and the password is right. */
  resumeSession(id: bigint, password: Uint8Array, done: (session: ServerSession | undefined) => void): void;
  /** The session was heard from, so its expiry is postponed. */
  touch(session: ServerSession): void;
  /** Requests a change. The changes of one connection are carried out in the order of its calls. */
  commit(request: WriteRequest, done: (reply: Reply) => void): void;
  /** Calls `done` once this server has applied everything that was answered to anybody before. */
  sync(done: () => void): void;
  /** A connection now has its session: an older connection with the same session must be closed. */
  attached(connection: ServerConnection): void;
  /** A connection has ended. */
  detached(connection: ServerConnection): void;
  fourLetterWord(word: string): string | undefined;
}

const wordBytes = 4;
const noRecord: ReplyRecord = () => undefined;

/** One client's connection: four-letter word, or handshake and then requests in order. */
export class ServerConnection {
  readonly #server: OwningServer;
  readonly #out: OutgoingPackets;
  readonly #frames = new FrameReader(
    { frame: (bytes, start, end) => this.#onRecord(bytes, start, end) },
    maxRequestBytes,
  );
  readonly #line: RequestLine;
  /** Replaced and never modified: a request that is under way keeps the ids it was sent with. */
  #ids: readonly ProvedId[];
  #stage: "new" | "opening" | "open" | "ending" | "over" = "new";
  #session: ServerSession | undefined;
  #beginning: Buffer | undefined = Buffer.alloc(0);
  #received = 0;

  constructor(server: OwningServer, wire: ServerWire, remoteAddress: string) {
    this.#server = server;
    this.#out = new OutgoingPackets(server.clock, wire, server.faults);
    this.#ids = [{ scheme: "ip", id: remoteAddress }];
    this.#line = new RequestLine(
      (xid, reply) => this.#answer(xid, reply),
      (xid, opcode, reader) => this.#read(xid, opcode, reader),
    );
  }

  get sessionId(): bigint | undefined {
    return this.#session?.id;
  }

  /** How many packets were received, and sent. */
  get packets(): { readonly received: number; readonly sent: number } {
    return { received: this.#received, sent: this.#out.sent };
  }

  received(chunk: Buffer): void {
    try {
      this.#frames.push(this.#beginning === undefined ? chunk : this.#firstWord(chunk));
    } catch {
      // A client that does not speak the protocol gets no answer.
      this.drop();
    }
  }

  drained(): void {
    this.#out.drained();
  }

  /** Closes the connection, or marks it as closed; the session goes on. */
  drop(): void {
    if (this.#stage === "over") return;
    this.#stage = "over";
    this.#line.clear();
    this.#out.drop();
    this.#server.database.watches.forget(this.#caller);
    this.#server.detached(this);
  }

  /** Before a handshake the same port accepts the four-letter words of administrators. */
  #firstWord(chunk: Buffer): Buffer {
    const start = Buffer.concat([this.#beginning ?? Buffer.alloc(0), chunk]);
    if (start.length < wordBytes) {
      this.#beginning = start;
      return Buffer.alloc(0);
    }
    this.#beginning = undefined;
    const word = start.toString("latin1", 0, wordBytes);
    if (!/^[a-z]{4}$/.test(word)) return start;
    this.#out.send(Buffer.from(this.#server.fourLetterWord(word) ?? `${word} is not known here.\n`));
    this.#out.end();
    return Buffer.alloc(0);
  }

  readonly #caller: Caller = ((connection: ServerConnection): Caller => ({
    get session(): ServerSession {
      if (connection.#session === undefined) throw new Refusal("UNKNOWN_SESSION");
      return connection.#session;
    },
    get ids(): readonly ProvedId[] {
      return connection.#ids;
    },
    notify(eventType: number, path: string, acl?: readonly Acl[]): void {
      if (acl !== undefined && !hasPermission(acl, Perms.read, connection.#ids)) return;
      const syncConnected = 3;
      const writer = connection.#server.writer.reset().int(Xid.notification).long(-1n).int(0);
      connection.#out.send(writer.int(eventType).int(syncConnected).string(path).frame());
    },
  }))(this);

  #onRecord(bytes: Buffer, start: number, end: number): void {
    const reader = new JuteReader(bytes, start, end);
    this.#received += 1;
    switch (this.#stage) {
      case "new":
        this.#handshake(reader);
        return;
      case "opening":
        // The client sent a request before its session was established.
        this.drop();
        return;
      case "open":
        if (this.#session !== undefined) this.#server.touch(this.#session);
        this.#request(reader.int(), reader.int(), reader);
        return;
      case "ending":
      case "over":
        return;
    }
  }

  #handshake(reader: JuteReader): void {
    const asked = readConnectRequest(reader);
    if (asked.lastZxidSeen > this.#server.database.zxid) {
      // The client has seen a newer state than this server has (from another server, or from before a restart).
      this.drop();
      return;
    }
    this.#stage = "opening";
    const done = (session: ServerSession | undefined): void => this.#opened(session, asked.knowsReadOnly);
    if (asked.sessionId === 0n) this.#server.openSession(asked.timeoutMs, done);
    else this.#server.resumeSession(asked.sessionId, asked.password, done);
  }

  #opened(session: ServerSession | undefined, withReadOnly: boolean): void {
    if (this.#stage === "over") return;
    this.#stage = session === undefined ? "ending" : "open";
    this.#session = session;
    if (session !== undefined) this.#server.attached(this);
    const writer = this.#server.writer.reset();
    const given = session ?? { timeoutMs: 0, id: 0n, password: noPassword };
    const { timeoutMs, id: sessionId, password } = given;
    writeConnectResponse(writer, { timeoutMs, sessionId, password, readOnly: false }, withReadOnly);
    this.#out.send(writer.frame());
    if (session === undefined) this.#out.end();
  }

  #request(xid: number, opcode: number, reader: JuteReader): void {
    switch (opcode) {
      case OpCode.ping:
        this.#line.read(Xid.ping, opcode, reader);
        return;
      case OpCode.auth:
        // Handled out of order, as Apache does: a change that follows may start before earlier requests are answered.
        this.#authenticate(xid, reader);
        return;
      case OpCode.closeSession:
        this.#close(xid);
        return;
      default:
        this.#operation(xid, opcode, reader);
    }
  }

  #close(xid: number): void {
    this.#stage = "ending";
    const settle = this.#line.promise(xid);
    this.#server.commit({ kind: "close-session", sessionId: this.#caller.session.id }, (reply) => {
      settle(reply);
      this.#out.end();
    });
  }

  #operation(xid: number, opcode: number, reader: JuteReader): void {
    const { id: sessionId } = this.#caller.session;
    try {
      const path = this.#server.faults.failOperation === undefined ? undefined : pathOf(opcode, reader);
      const planned = this.#server.faults.failOperation?.({ opcode, path, sessionId });
      if (planned !== undefined) throw new Refusal(planned);
      if (opcode === OpCode.sync) {
        const asked = reader.string();
        const settle = this.#line.promise(xid);
        this.#server.sync(() => settle((writer) => writer.string(asked)));
        return;
      }
      const write = readWrite(opcode, reader);
      if (write === undefined) this.#line.read(xid, opcode, reader);
      else this.#server.commit({ kind: "write", sessionId, ids: this.#ids, write }, this.#line.promise(xid));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.#line.promise(xid)(error);
    }
  }

  /** Answers a read request from what this server has applied. */
  #read(xid: number, opcode: number, reader: JuteReader): void {
    if (opcode === OpCode.ping) {
      this.#answer(xid, noRecord);
      return;
    }
    const { database } = this.#server;
    try {
      const answer =
        readRequest(opcode, reader, database, this.#caller) ?? watchRequest(opcode, reader, database, this.#caller);
      this.#answer(xid, answer ?? new Refusal("UNIMPLEMENTED"));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.#answer(xid, error);
    }
  }

  /** The reply has the request's xid: most clients send -4, some a number like that of any other request. */
  #authenticate(xid: number, reader: JuteReader): void {
    reader.int();
    const scheme = reader.string();
    const credentials = reader.buffer()?.toString() ?? "";
    if (scheme === "digest") {
      const id = digestId(credentials);
      if (!this.#ids.some((each) => each.scheme === scheme && each.id === id))
        this.#ids = [...this.#ids, { scheme, id }];
    } else if (scheme !== "ip") {
      this.#answer(xid, new Refusal("AUTH_FAILED"));
      this.#out.end();
      return;
    }
    this.#answer(xid, noRecord);
  }

  #answer(xid: number, reply: Reply): void {
    const refused = reply instanceof Refusal;
    const error = refused ? errorNumber(reply.code) : 0;
    const writer = this.#server.writer.reset().int(xid).long(this.#server.database.zxid).int(error);
    if (!refused) reply(writer);
    this.#out.send(writer.frame());
  }
}

/** The path of a request, for fault hooks, without moving the reader. */
function pathOf(opcode: number, reader: JuteReader): string | undefined {
  const pathless: readonly number[] = [
    OpCode.multi,
    OpCode.multiRead,
    OpCode.setWatches,
    OpCode.setWatches2,
    OpCode.whoAmI,
  ];
  return pathless.includes(opcode) ? undefined : reader.fork().string();
}
