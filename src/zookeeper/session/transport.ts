import { AddressBook } from "../connection/address_book.ts";
import type { Lookup, Credentials, SaslCredentials } from "../options.ts";
import { Authentication } from "../connection/authentication.ts";
import { attach } from "../connection/attachment.ts";
import type { Clock } from "../clock.ts";
import type { Connection, Linking } from "../connection/framed_connection.ts";
import { addressName, type ServerAddress, type Dial, type LinkFailure, type TlsOptions } from "../dial.ts";
import { errorNumber, ZooKeeperError } from "../errors.ts";
import { Heartbeat } from "../connection/heartbeat.ts";
import { HostRound, pausesOf, type Pauses } from "../connection/host_round.ts";
import { serverName, type Server } from "../connect_string.ts";
import { JuteWriter, MalformedRecord, type JuteReader } from "../wire/jute.ts";
import { changeTypeOf, Xid } from "../wire/opcodes.ts";
import { Operations } from "./operations.ts";
import { pingFrame, readReplyHeader } from "../wire/packets.ts";
import { Pending, type AnswerListener, type Call, type Desk } from "./pending.ts";
import { findReadWriteServer } from "../connection/read_write_search.ts";
import { CertificateRefusals } from "../connection/certificate_refusals.ts";
import { watchReplay } from "../wire/set_watches.ts";
import type { WatchRegistry } from "./watches.ts";
import { closeRequest, type Request } from "../wire/requests.ts";
import { SessionTicket } from "./session_ticket.ts";
import {
  isTerminal,
  sessionName,
  sessionOver,
  terminalCode,
  terminalDetail,
  type SessionState,
  type TerminalState,
} from "../state.ts";

// Encoding is synchronous, so all sessions of a process can share one buffer.
const writer = new JuteWriter();

export interface TransportOptions {
  readonly servers: readonly Server[];
  readonly sessionTimeoutMs: number;
  /** Timeout in milliseconds: once for TCP with TLS, and again for the handshake with SASL. */
  readonly connectTimeoutMs: number;
  readonly auth: readonly Credentials[];
  readonly sasl: SaslCredentials | undefined;
  readonly tls: TlsOptions | undefined;
  readonly readOnly: boolean;
  readonly afterLoss: boolean;
  readonly lookup: Lookup;
  readonly clock: Clock;
  readonly dial: Dial;
  onState(state: SessionState): void;
  readonly watches: WatchRegistry;
  /** Called with an error that a person should know of while the session keeps retrying. */
  onTrouble(error: ZooKeeperError): void;
}

// A connection that breaks sooner than this does not count as a success: the next attempt belongs to the same round.
const provenMs = 500;
const closeMs = 2_000;
// By so many times its timeout a session is given up that no server could be reached for. Once would end some for their own
// waiting, and many where thousands come back at once: servers with a new leader give each its whole time anew.
const patience = 1.5;

/**
 * One session over any number of connections: handshake, heartbeat, reconnecting, and the operations in flight. It ends
 * when a server says so (expired, refused), when no server could be reached for 1.5 times its timeout, or on `close`.
 */
export class Transport {
  #state: SessionState = { kind: "connecting" };
  readonly #options: TransportOptions;
  readonly #book: AddressBook;
  readonly #round: HostRound;
  readonly #auth: Authentication;
  readonly #desk: Desk & Linking;
  readonly #operations = new Operations();
  readonly #refusals = new CertificateRefusals();
  readonly #ending = new AbortController();
  readonly #ticket = new SessionTicket();
  /** Cancels the timer that ends a session that is out of reach. */
  #reached: (() => void) | undefined;
  /** A server that is known to accept writes, to be tried next. */
  #preferred: ServerAddress | undefined;
  /** The connection that operations may be sent on: its handshake is done. */
  #open: Connection | null = null;
  #heartbeat: Heartbeat | null = null;
  #closing: Promise<void> | undefined;

  constructor(options: TransportOptions) {
    this.#options = options;
    const { clock, dial } = options;
    this.#desk = { clock, dial, writer, givenUp: (pending) => this.#operations.givenUp(pending as Pending) };
    this.#auth = new Authentication(options.auth, writer);
    this.#book = new AddressBook(options.servers, options.lookup, clock, options.connectTimeoutMs);
    const pauses = (): Pauses => pausesOf(this.#ticket.issued ? this.#ticket.timeoutMs : options.sessionTimeoutMs);
    this.#round = new HostRound(this.#book, clock, pauses, options.afterLoss);
    void this.#run();
  }

  get state(): SessionState {
    return this.#state;
  }

  get sessionId(): bigint {
    return this.#ticket.sessionId;
  }

  /**
   * Sends a request, now or once there is a connection, and resolves with its answer.
   * @throws ZooKeeperError at once if it cannot be sent at all; its caller is an async function
   */
  submit<T>(request: Request<T>, call: Call, listener?: AnswerListener): Promise<T> {
    const { operation, path } = request;
    this.#requireAlive(operation, path);
    if (call.signal?.aborted === true) {
      throw new ZooKeeperError({ code: "ABORTED", operation, path, outcome: "not-sent", cause: call.signal.reason });
    }
    const pending = new Pending(request, call, this.#desk, listener);
    this.#operations.accept(pending as Pending, this.#open);
    return pending.promise;
  }

  /** Adds an identity to this session and to all its later connections. */
  async addAuth(credentials: Credentials): Promise<void> {
    this.#requireAlive("addAuth", undefined);
    await this.#auth.add(credentials, this.#open);
  }

  /** Ends the session on the server, if it can be reached at once; never rejects. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (isTerminal(this.#state)) return;
    if (this.#open !== null) {
      const deadline = { timeoutMs: Math.min(closeMs, this.#ticket.timeoutMs / 3) };
      const pending = new Pending(closeRequest(), deadline, this.#desk);
      this.#operations.accept(pending as Pending, this.#open);
      await pending.promise.catch(() => undefined);
    }
    this.#end({ kind: "closed" });
  }

  #requireAlive(operation: string, path: string | undefined): void {
    if (isTerminal(this.#state)) throw sessionOver(this.#state, operation, path);
    if (this.#closing !== undefined) throw sessionOver({ kind: "closed" }, operation, path);
  }

  async #run(): Promise<void> {
    while (!isTerminal(this.#state)) {
      const preferred = this.#preferred;
      this.#preferred = undefined;
      const { address, last } =
        preferred === undefined ? await this.#round.next(this.#ending.signal) : { address: preferred, last: false };
      if (isTerminal(this.#state)) return;
      if ("unknown" in address) this.#detached({ kind: "lost", reason: address.unknown }, false);
      else this.#detached(await this.#attach(address), last);
    }
  }

  /** Uses one server until the connection to it is over; resolves with the reason. */
  async #attach(address: ServerAddress): Promise<LinkFailure> {
    const { connectTimeoutMs, sessionTimeoutMs, tls, sasl, readOnly } = this.#options;
    const request = this.#ticket.request(sessionTimeoutMs, readOnly);
    const options = { tls, sasl, request, timeoutMs: connectTimeoutMs, signal: this.#ending.signal };
    const { failure, servedMs } = await attach(address, this.#desk, options, {
      granted: (response) => {
        this.#reached?.();
        this.#reached = undefined;
        this.#ticket.granted(response);
      },
      ready: (connection, over) => this.#ready(connection, over),
      refused: (state) => this.#end(state),
      received: (record, connection) => this.#received(record, connection),
    });
    if (servedMs !== undefined) this.#refusals.succeeded();
    if (servedMs !== undefined && servedMs > provenMs) this.#round.succeeded();
    return failure;
  }

  #detached(failure: LinkFailure, last: boolean): void {
    this.#heartbeat?.stop();
    this.#heartbeat = null;
    this.#open = null;
    if (isTerminal(this.#state)) return;
    const { reason } = failure;
    this.#operations.connectionLost(reason);
    const { unanimous, news } = this.#refusals.note(failure, last);
    // Before the first session there is nothing to suspend; and if all servers refuse, there is nothing to wait for.
    if (!this.#ticket.issued && unanimous !== undefined) {
      this.#end(unanimous);
      return;
    }
    if (news !== undefined) this.#options.onTrouble(news);
    if (!this.#ticket.issued) {
      this.#state = { kind: "connecting", reason };
      return;
    }
    const { clock } = this.#options;
    this.#reached ??= clock.after(this.#ticket.timeoutMs * patience, () => this.#outOfReach());
    if (this.#state.kind !== "suspended") this.#become({ kind: "suspended", since: clock.now(), reason });
    else if (news !== undefined) this.#become({ ...this.#state, reason });
    else this.#state = { ...this.#state, reason };
  }

  #outOfReach(): void {
    const last = this.#state.kind === "suspended" ? ` (${this.#state.reason})` : "";
    const reason = `it was out of reach for longer than its timeout of ${this.#ticket.timeoutMs} ms${last}`;
    this.#end({ kind: "expired", reason });
  }

  #received(reader: JuteReader, connection: Connection): void {
    const header = readReplyHeader(reader);
    switch (header.xid) {
      case Xid.ping:
      case Xid.setWatches:
        return;
      case Xid.notification: {
        const name = changeTypeOf(reader.int());
        reader.int();
        if (name !== undefined) this.#options.watches.fire(name, reader.string());
        return;
      }
      case Xid.auth:
        if (header.error !== 0) {
          this.#refused(`the server refused the identity of scheme ${this.#auth.nextScheme}`);
          return;
        }
        this.#auth.accepted();
        if (this.#auth.settled) this.#announce(connection);
        return;
      default:
        if (!this.#operations.answer(header, reader)) {
          throw new MalformedRecord(`the server answered operation ${header.xid}, which was not asked`);
        }
        this.#ticket.saw(header.zxid);
        if (header.error === errorNumber("SESSION_CLOSED_REQUIRE_SASL_AUTH")) {
          this.#refused("the server serves only sessions that have proved who they are");
        }
    }
  }

  #ready(connection: Connection, over: AbortSignal): void {
    this.#open = connection;
    const dead = (silentMs: number): void =>
      connection.end(`nothing was heard from the server for ${Math.round(silentMs)} ms`);
    const subject = { link: connection, ping: () => connection.send(pingFrame), dead };
    this.#heartbeat = new Heartbeat(this.#desk.clock, subject, this.#ticket.timeoutMs);
    this.#auth.sendAll(connection);
    const packets = watchReplay(this.#desk.writer, this.#options.watches.replay(), this.#ticket.lastZxid);
    for (const packet of packets) connection.send(packet);
    if (packets.length > 0) this.#options.watches.reconnected();
    this.#operations.flush(connection);
    if (this.#ticket.readOnly) void this.#leaveReadOnly(connection, over);
    // If there are identities to prove, "connected" waits for their answers: the session may turn out to be
    // "auth-failed".
    if (this.#auth.settled) this.#announce(connection);
  }

  /** Moves to a server that accepts writes once there is one. */
  async #leaveReadOnly(connection: Connection, over: AbortSignal): Promise<void> {
    const { tls, connectTimeoutMs } = this.#options;
    const asking = { tls, timeoutMs: connectTimeoutMs, signal: over };
    const found = await findReadWriteServer(this.#book, this.#desk, asking);
    if (found === undefined || this.#open !== connection) return;
    this.#preferred = found;
    connection.end(`${addressName(found)} takes writes`);
  }

  #announce(connection: Connection): void {
    if (this.#state.kind === "connected" || isTerminal(this.#state)) return;
    this.#become({
      kind: "connected",
      server: serverName(connection.address.server),
      sessionId: sessionName(this.#ticket.sessionId),
      negotiatedTimeoutMs: this.#ticket.timeoutMs,
      readOnly: this.#ticket.readOnly,
    });
  }

  #refused(reason: string): void {
    this.#end({ kind: "auth-failed", code: "AUTH_FAILED", reason });
  }

  #end(state: TerminalState): void {
    if (isTerminal(this.#state)) return;
    const [code, detail] = [terminalCode(state), terminalDetail(state)];
    this.#heartbeat?.stop();
    this.#reached?.();
    this.#open = null;
    this.#become(state);
    this.#operations.failAll(code, detail);
    this.#auth.failAll(code, detail);
    this.#ending.abort();
  }

  #become(state: SessionState): void {
    this.#state = state;
    this.#options.onState(state);
  }
}
