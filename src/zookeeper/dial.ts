import { createSecureContext } from "node:tls";
import { isIP } from "node:net";
import type { Socket, SocketHandler } from "bun";
import type { Clock } from "./clock.ts";
import { serverName, type Server } from "./connect_string.ts";

/** One address of a server to connect to. */
export interface ServerAddress {
  readonly server: Server;
  readonly ip: string;
}

export function addressName({ server, ip }: ServerAddress): string {
  return server.host === ip ? serverName(server) : `${serverName(server)} (${ip})`;
}

export interface TlsOptions {
  /** CA certificates that may vouch for a server, PEM. Default: those of the system. */
  readonly ca?: string | Uint8Array;
  /** The client's own certificate and key, PEM, for servers that ask for one. */
  readonly cert?: string | Uint8Array;
  readonly key?: string | Uint8Array;
  /** The name the server's certificate must have. Default: the host in the connect string. */
  readonly servername?: string;
  /** False accepts any certificate, which gives no protection from a man in the middle. Default true. */
  readonly rejectUnauthorized?: boolean;
}

/** Why a connection could not be made, or has ended. */
export interface LinkFailure {
  /**
   * `refused-by-us`: the server's certificate is not acceptable; `refused-by-server`: the server's TLS alert says that
   * ours is not.
   */
  readonly kind: "lost" | "refused-by-us" | "refused-by-server";
  readonly reason: string;
}

export class LinkError extends Error {
  readonly failure: LinkFailure;

  constructor(failure: LinkFailure) {
    super(failure.reason);
    this.failure = failure;
  }
}

/** The sending side of one connection. */
export interface Wire {
  /**
   * Writes as many of the bytes as there is room for and returns how many; -1 if it is closed. `LinkEvents.drain`
   * follows.
   */
  write(bytes: Uint8Array): number;
  /** Closes at once, and discards what has not been sent yet. */
  terminate(): void;
}

export interface LinkEvents {
  data(chunk: Buffer): void;
  /** The socket's buffer has room again, so the remaining bytes may be written. */
  drain(): void;
  ended(failure: LinkFailure): void;
}

/** @throws TypeError when certificate and key cannot be read or do not belong together */
export function checkTlsOptions(tls: TlsOptions): void {
  try {
    createSecureContext(pem(tls));
    if ((tls.cert === undefined) !== (tls.key === undefined)) throw new Error("cert and key must be given together");
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new TypeError(`The tls options cannot be used: ${why}`, { cause: error });
  }
}

export interface DialOptions {
  readonly tls: TlsOptions | undefined;
  /** Timeout in milliseconds for everything until bytes may be written. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** Connects. @throws LinkError saying which server and why; also when `signal` aborts */
export type Dial = (address: ServerAddress, options: DialOptions, events: LinkEvents) => Promise<Wire>;

/** Connects by TCP and, if configured, TLS. */
export function tcpDial(clock: Clock): Dial {
  return (address, options, events) => dialTcp(clock, address, options, events);
}

async function dialTcp(clock: Clock, address: ServerAddress, options: DialOptions, events: LinkEvents): Promise<Wire> {
  const { tls, timeoutMs, signal } = options;
  const link = new TcpLink(addressName(address), tls !== undefined, events);
  const cancelDeadline = clock.after(timeoutMs, () => link.lost(`no answer within ${timeoutMs} ms`));
  const onAbort = (): void => link.lost("closed");
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  Bun.connect({
    hostname: address.ip,
    port: address.server.port,
    ...(tls === undefined ? {} : { tls: socketTls(tls, address) }),
    data: link,
    socket: handlers,
  }).catch((error: unknown) => link.lost(error instanceof Error ? error.message : String(error)));
  try {
    return await link.opened;
  } finally {
    cancelDeadline();
    signal.removeEventListener("abort", onAbort);
  }
}

/** A socket from its dialling to its end. */
class TcpLink {
  readonly opened: Promise<Socket<TcpLink>>;
  readonly events: LinkEvents;
  readonly #name: string;
  readonly #encrypted: boolean;
  readonly #opened = Promise.withResolvers<Socket<TcpLink>>();
  #stage: "dialling" | "open" | "over" = "dialling";
  #socket: Socket<TcpLink> | null = null;

  constructor(name: string, encrypted: boolean, events: LinkEvents) {
    this.#name = name;
    this.#encrypted = encrypted;
    this.events = events;
    this.opened = this.#opened.promise;
  }

  connected(socket: Socket<TcpLink>): void {
    this.#socket = socket;
    if (this.#stage === "over") {
      socket.terminate();
      return;
    }
    socket.setNoDelay(true);
    if (!this.#encrypted) this.#ready(socket);
  }

  shaken(socket: Socket<TcpLink>, success: boolean, error: Error | null): void {
    if (success) this.#ready(socket);
    else this.failed(error);
  }

  failed(error: Error | null): void {
    this.#over(tlsFailure(error, this.#name));
  }

  lost(why: string): void {
    const name = this.#name;
    const reason = this.#stage === "dialling" ? `cannot connect to ${name}: ${why}` : `${name}: ${why}`;
    this.#over({ kind: "lost", reason });
  }

  #ready(socket: Socket<TcpLink>): void {
    if (this.#stage !== "dialling") return;
    this.#stage = "open";
    this.#opened.resolve(socket);
  }

  #over(failure: LinkFailure): void {
    const before = this.#stage;
    this.#stage = "over";
    // A connect under way cannot be cancelled; if it succeeds after all, it is closed at once.
    this.#socket?.terminate();
    if (before === "dialling") this.#opened.reject(new LinkError(failure));
    if (before === "open") this.events.ended(failure);
  }
}

/** The same functions for all sockets, which a thousand sessions of one process then have in the processor's cache. */
const handlers: SocketHandler<TcpLink> = {
  open: (socket) => socket.data.connected(socket),
  handshake: (socket, success, error) => socket.data.shaken(socket, success, error),
  data: (socket, chunk) => socket.data.events.data(chunk),
  drain: (socket) => socket.data.events.drain(),
  end: (socket) => socket.data.lost("the server closed the connection"),
  close: (socket) => socket.data.lost("the connection was closed"),
  error: (socket, error) => socket.data.failed(error),
  connectError: (socket, error) => socket.data.lost(error.message),
};

function pem(tls: TlsOptions): { ca?: Buffer; cert?: Buffer; key?: Buffer } {
  return {
    ...(tls.ca === undefined ? {} : { ca: Buffer.from(tls.ca) }),
    ...(tls.cert === undefined ? {} : { cert: Buffer.from(tls.cert) }),
    ...(tls.key === undefined ? {} : { key: Buffer.from(tls.key) }),
  };
}

function socketTls(tls: TlsOptions, { server }: ServerAddress): Bun.TLSOptions {
  // An address is no server name (RFC 6066): the certificate is then checked for the address itself.
  const serverName = tls.servername ?? (isIP(server.host) === 0 ? server.host : undefined);
  return {
    ...pem(tls),
    rejectUnauthorized: tls.rejectUnauthorized ?? true,
    ...(serverName === undefined ? {} : { serverName }),
  };
}

// TLS alerts that mean a permanent refusal (RFC 8446, section 6.2); others, such as internal_error, may be transient.
const refusal =
  /ALERT_(\w*CERTIFICATE\w*|UNKNOWN_CA|ACCESS_DENIED|HANDSHAKE_FAILURE|PROTOCOL_VERSION|INSUFFICIENT_SECURITY|UNRECOGNIZED_NAME)/;

/** With TLS 1.3 the server refuses our certificate only after our side of the handshake is done, by an error. */
function tlsFailure(error: (Error & { code?: string }) | null, name: string): LinkFailure {
  const message = error?.message ?? "no reason is known";
  const alert = refusal.exec(message)?.[1];
  if (alert !== undefined) {
    const words = alert.toLowerCase().replaceAll("_", " ");
    return { kind: "refused-by-server", reason: `${name} refused our side of the TLS handshake: ${words}` };
  }
  // An errno code concerns the connection; every other code says what is wrong with the certificate.
  if (error?.code === undefined || /^E(?!RR_)[A-Z]+$/.test(error.code)) {
    return { kind: "lost", reason: `${name}: ${message}` };
  }
  return { kind: "refused-by-us", reason: `the certificate of ${name} is refused: ${message} (${error.code})` };
}
