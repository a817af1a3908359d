import type { Socket } from "bun";
import { errorNumber, type ServerErrorCode } from "../errors.ts";
import { FrameReader } from "../framing.ts";
import { JuteReader, JuteWriter } from "../jute.ts";
import { maxRequestBytes, OpCode, Xid } from "../opcodes.ts";
import { noPassword, Perms, readConnectRequest, writeConnectResponse, type Acl } from "../records.ts";
import { digestId, hasPermission, type ProvedId } from "./access.ts";
import type { Caller, Database } from "./database.ts";
import type { Faults } from "./faults.ts";
import { OutgoingPackets } from "./outgoing_packets.ts";
import { readRequest } from "./read_requests.ts";
import { Refusal } from "./refusal.ts";
import type { ServerSession } from "./session_table.ts";
import { watchRequest } from "./watch_requests.ts";
import { writeRequest, type Answer } from "./write_requests.ts";

/** What a connection needs of its server. */
export interface Host {
  readonly database: Database;
  readonly faults: Faults;
  /** Another connection takes the session over: the older one must go. */
  attached(connection: ServerConnection): void;
  fourLetterWord(word: string): string | undefined;
}

// Answers may be larger than requests: a directory of 100,000 children is.
const writer = new JuteWriter(64 * 1024 * 1024);
const wordBytes = 4;

/** One client's connection: four-letter word, or handshake and then requests in order. */
export class ServerConnection {
  readonly #host: Host;
  readonly #out: OutgoingPackets;
  readonly #frames = new FrameReader(
    (bytes, start, end) => this.#onRecord(new JuteReader(bytes, start, end)),
    maxRequestBytes,
  );
  readonly #ids: ProvedId[];
  #session: ServerSession | undefined;
  #beginning: Buffer | undefined = Buffer.alloc(0);

  constructor(host: Host, socket: Socket<unknown>) {
    this.#host = host;
    this.#out = new OutgoingPackets(socket, host.faults);
    this.#ids = [{ scheme: "ip", id: socket.remoteAddress }];
  }

  get sessionId(): bigint | undefined {
    return this.#session?.id;
  }

  received(chunk: Buffer): void {
    try {
      this.#frames.push(this.#beginning === undefined ? chunk : this.#firstWord(chunk));
    } catch {
      // A client that does not speak the protocol is not answered.
      this.drop();
    }
  }

  drained(): void {
    this.#out.drained();
  }

  /** Cuts the connection; the session goes on. */
  drop(): void {
    this.#out.drop();
    this.#host.database.watches.forget(this.#caller);
  }

  /** Before a handshake the same port takes administrators' words of four letters. */
  #firstWord(chunk: Buffer): Buffer {
    const start = Buffer.concat([this.#beginning ?? Buffer.alloc(0), chunk]);
    if (start.length < wordBytes) {
      this.#beginning = start;
      return Buffer.alloc(0);
    }
    this.#beginning = undefined;
    const word = start.toString("latin1", 0, wordBytes);
    if (!/^[a-z]{4}$/.test(word)) return start;
    this.#out.send(Buffer.from(this.#host.fourLetterWord(word) ?? `${word} is not known here.\n`));
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
      writer.reset().int(Xid.notification).long(-1n).int(0).int(eventType).int(syncConnected).string(path);
      connection.#out.send(writer.frame());
    },
  }))(this);

  #onRecord(reader: JuteReader): void {
    if (this.#session === undefined) {
      this.#handshake(reader);
      return;
    }
    this.#host.database.sessions.touch(this.#session);
    this.#request(reader.int(), reader.int(), reader);
  }

  #handshake(reader: JuteReader): void {
    const { database } = this.#host;
    const asked = readConnectRequest(reader);
    if (asked.lastZxidSeen > database.zxid) {
      // It has seen a newer state than this server has (another server, or the one before a restart).
      this.drop();
      return;
    }
    const session =
      asked.sessionId === 0n
        ? database.sessions.open(asked.timeoutMs)
        : database.sessions.resume(asked.sessionId, asked.password);
    if (asked.sessionId === 0n) database.nextZxid();
    this.#session = session;
    if (session !== undefined) this.#host.attached(this);
    writer.reset();
    writeConnectResponse(writer, {
      timeoutMs: session?.timeoutMs ?? 0,
      sessionId: session?.id ?? 0n,
      password: session?.password ?? noPassword,
      readOnly: false,
    });
    this.#out.send(writer.frame());
    if (session === undefined) this.#out.end();
  }

  #request(xid: number, opcode: number, reader: JuteReader): void {
    switch (opcode) {
      case OpCode.ping:
        this.#reply(Xid.ping);
        return;
      case OpCode.auth:
        this.#authenticate(reader);
        return;
      case OpCode.closeSession:
        if (this.#session !== undefined) this.#host.database.endSession(this.#session.id);
        this.#reply(xid);
        this.#out.end();
        return;
      default:
        this.#operation(xid, opcode, reader);
    }
  }

  #operation(xid: number, opcode: number, reader: JuteReader): void {
    const { database, faults } = this.#host;
    const caller = this.#caller;
    try {
      const planned = faults.failOperation?.({ opcode, path: pathOf(opcode, reader), sessionId: caller.session.id });
      if (planned !== undefined) throw new Refusal(planned);
      const answer =
        writeRequest(opcode, reader, database, caller) ??
        readRequest(opcode, reader, database, caller) ??
        watchRequest(opcode, reader, database, caller);
      if (answer === undefined) throw new Refusal("UNIMPLEMENTED");
      this.#reply(xid, answer);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.#refuse(xid, error.code);
    }
  }

  #authenticate(reader: JuteReader): void {
    reader.int();
    const scheme = reader.string();
    const credentials = reader.buffer()?.toString() ?? "";
    if (scheme === "digest") {
      const id = digestId(credentials);
      if (!this.#ids.some((each) => each.scheme === scheme && each.id === id)) this.#ids.push({ scheme, id });
    } else if (scheme !== "ip") {
      this.#refuse(Xid.auth, "AUTH_FAILED");
      this.#out.end();
      return;
    }
    this.#reply(Xid.auth);
  }

  #reply(xid: number, answer: Answer = () => undefined): void {
    writer.reset().int(xid).long(this.#host.database.zxid).int(0);
    answer(writer);
    this.#out.send(writer.frame());
  }

  #refuse(xid: number, code: ServerErrorCode): void {
    writer.reset().int(xid).long(this.#host.database.zxid).int(errorNumber(code));
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
