import type { Clock } from "../clock.ts";
import { Connection, type ConnectionEvents, type Linking } from "./framed_connection.ts";
import { addressName, type ServerAddress, LinkError, type LinkFailure, type TlsOptions } from "../dial.ts";
import { DigestMd5 } from "./digest_md5.ts";
import type { SaslCredentials } from "../options.ts";
import type { JuteReader, JuteWriter } from "../wire/jute.ts";
import { Handshake, type HandshakeEvents } from "./handshake.ts";
import type { ConnectRequest } from "../wire/handshake_records.ts";

export interface AttachmentOptions {
  readonly tls: TlsOptions | undefined;
  readonly sasl: SaslCredentials | undefined;
  readonly request: ConnectRequest;
  /** Timeout in milliseconds, once for connecting (TCP with TLS) and again for the session's handshake with SASL. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

export interface AttachmentEvents extends Omit<HandshakeEvents, "ready"> {
  /** Operations may be sent from now on. `over` is aborted when the connection ends. */
  ready(connection: Connection, over: AbortSignal): void;
  /** Called for every record after `ready`. What it throws ends the connection. */
  received(record: JuteReader, connection: Connection): void;
}

/**
 * Uses one server until the connection to it is over.
 * @returns why it is over, and how long after its TCP connection; the time is undefined if operations could never be sent
 */
export async function attach(
  address: ServerAddress,
  means: Linking & { readonly writer: JuteWriter },
  options: AttachmentOptions,
  events: AttachmentEvents,
): Promise<{ readonly failure: LinkFailure; readonly servedMs: number | undefined }> {
  const { clock } = means;
  const { request, signal, timeoutMs } = options;
  const attachment = new Attachment(events);
  let connection: Connection;
  try {
    connection = await Connection.open(address, means, options, attachment);
  } catch (error) {
    if (error instanceof LinkError) return { failure: error.failure, servedMs: undefined };
    throw error;
  }
  const openedAt = clock.monotonicMs();
  // Connecting has a timeout of its own; this one covers a server that accepts the connection and then never answers.
  const cancelDeadline = clock.after(timeoutMs, () => attachment.late(connection, timeoutMs));
  const onAbort = (): void => connection.end("closed");
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  attachment.open(connection, means, options);
  const failure = await attachment.over;
  cancelDeadline();
  signal.removeEventListener("abort", onAbort);
  return {
    failure: attachment.speechless ? unanswered(failure, request.lastZxidSeen) : failure,
    servedMs: attachment.ready ? clock.monotonicMs() - openedAt : undefined,
  };
}

/** Hears what comes on one connection: first the handshake's answers, then everything else. */
class Attachment implements ConnectionEvents {
  readonly over: Promise<LinkFailure>;
  ready = false;
  /** True if the server has sent nothing, and it was not us who ended the connection. */
  speechless = true;
  readonly #events: AttachmentEvents;
  readonly #over = Promise.withResolvers<LinkFailure>();
  readonly #gone = new AbortController();
  #connection: Connection | undefined;
  #opening: Handshake | undefined;

  constructor(events: AttachmentEvents) {
    this.#events = events;
    this.over = this.#over.promise;
  }

  open(
    connection: Connection,
    { clock, writer }: Linking & { readonly writer: JuteWriter },
    { sasl, request }: AttachmentOptions,
  ): void {
    const digest = sasl === undefined ? undefined : new DigestMd5(sasl, cnonce(clock));
    this.#connection = connection;
    this.#opening = new Handshake(writer, (body) => connection.send(body), request, digest, {
      granted: (response) => this.#events.granted(response),
      refused: (state) => this.#events.refused(state),
      ready: () => {
        this.ready = true;
        this.#opening = undefined;
        this.#events.ready(connection, this.#gone.signal);
      },
    });
    this.#opening.start();
  }

  onRecord(record: JuteReader): void {
    this.speechless = false;
    if (this.ready && this.#connection !== undefined) this.#events.received(record, this.#connection);
    else this.#opening?.received(record);
  }

  onEnd(failure: LinkFailure): void {
    this.#gone.abort();
    this.#over.resolve(failure);
  }

  /** The time for the handshake is over. */
  late(connection: Connection, timeoutMs: number): void {
    if (this.ready) return;
    this.speechless = false;
    connection.end(`${addressName(connection.address)} gave no session within ${timeoutMs} ms`);
  }
}

/** A server that lags behind what the client has seen just closes the connection; only its own log says why. */
function unanswered(failure: LinkFailure, seen: bigint): LinkFailure {
  if (failure.kind !== "lost" || seen === 0n) return failure;
  const why = `so does one that has lost data, or lags, to a client that has seen zxid 0x${seen.toString(16)}`;
  return { ...failure, reason: `${failure.reason}, without an answer to the handshake (${why})` };
}

/** The client's random share in a SASL exchange. */
function cnonce(clock: Clock): string {
  return Buffer.from(clock.randomBytes(24)).toString("base64");
}
