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
  const { clock, writer } = means;
  const { request, sasl, signal, timeoutMs } = options;
  const over = Promise.withResolvers<LinkFailure>();
  const gone = new AbortController();
  let ready = false;
  /** True if the server has sent nothing, and it was not us who ended the connection. */
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
  // Connecting has a timeout of its own; this one covers a server that accepts the connection and then never answers.
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
