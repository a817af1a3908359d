import type { Clock } from "../clock.ts";
import { Connection, type Linking } from "./framed_connection.ts";
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
  /** Deadline in milliseconds of TCP with TLS, and once more of the session's handshake with SASL. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

export interface AttachmentEvents extends Omit<HandshakeEvents, "ready"> {
  /** Operations may be sent. `over` aborts when the connection is. */
  ready(connection: Connection, over: AbortSignal): void;
  /** Called for every record after `ready`. What it throws ends the connection. */
  received(record: JuteReader, connection: Connection): void;
}

/**
 * Uses one server until the connection to it is over.
 * @returns why it is over, and how long after its TCP connection; undefined when operations could never be sent
 */
export async function attach(
  address: ServerAddress,
  means: Linking & { readonly writer: JuteWriter },
  options: AttachmentOptions,
  events: AttachmentEvents,
): Promise<{ readonly failure: LinkFailure; readonly servedMs: number | undefined }> {
  const { clock, writer } = means;
  const { request, sasl, signal, timeoutMs } = options;
  const over = Promise.withResolvers<LinkFailure>();
  const gone = new AbortController();
  let ready = false;
  /** The server has said nothing, and it was not us who ended it. */
  let speechless = true;
  let receive: (record: JuteReader) => void = () => undefined;
  let connection: Connection;
  try {
    const onRecord = (record: JuteReader): void => receive(record);
    connection = await Connection.open(address, means, options, { onRecord, onEnd: over.resolve });
  } catch (error) {
    if (error instanceof LinkError) return { failure: error.failure, servedMs: undefined };
    throw error;
  }
  const openedAt = clock.monotonicMs();
  const digest = sasl === undefined ? undefined : new DigestMd5(sasl, cnonce(clock));
  const opening = new Handshake(writer, (body) => connection.send(body), request, digest, {
    granted: (response) => events.granted(response),
    refused: (state) => events.refused(state),
    ready: () => {
      ready = true;
      events.ready(connection, gone.signal);
    },
  });
  receive = (record) => {
    speechless = false;
    if (ready) events.received(record, connection);
    else opening.received(record);
  };
  // This is not the deadline of the connection: a server may accept and then never answer.
  const cancelDeadline = clock.after(timeoutMs, () => {
    if (ready) return;
    speechless = false;
    connection.end(`${addressName(address)} gave no session within ${timeoutMs} ms`);
  });
  const onAbort = (): void => connection.end("closed");
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  opening.start();
  const failure = await over.promise;
  cancelDeadline();
  signal.removeEventListener("abort", onAbort);
  gone.abort();
  return {
    failure: speechless ? unanswered(failure, request.lastZxidSeen) : failure,
    servedMs: ready ? clock.monotonicMs() - openedAt : undefined,
  };
}

/** Only the server's own log says why it turns a client away that has seen more than it has: it just closes. */
function unanswered(failure: LinkFailure, seen: bigint): LinkFailure {
  if (failure.kind !== "lost" || seen === 0n) return failure;
  const why = `so does one that has lost data, or lags, to a client that has seen zxid 0x${seen.toString(16)}`;
  return { ...failure, reason: `${failure.reason}, without an answer to the handshake (${why})` };
}

/** A client's share of randomness in an exchange of SASL. */
function cnonce(clock: Clock): string {
  return Buffer.from(clock.randomBytes(24)).toString("base64");
}
