import type { Connection } from "./framed_connection.ts";
import type { Credentials } from "../options.ts";
import { ZooKeeperError, type ZooKeeperErrorCode } from "../errors.ts";
import type { JuteWriter } from "../wire/jute.ts";
import { authFrame } from "../wire/packets.ts";

interface Entry {
  readonly credentials: Credentials;
  /** Resolved by the first answer, for whoever waits for it. */
  readonly answered: PromiseWithResolvers<void> | undefined;
}

/**
 * The identities of a session. They belong to a connection, so each new connection must prove them again before any
 * operation is sent: the server would treat that operation as anonymous.
 */
export class Authentication {
  readonly #entries: Entry[];
  readonly #writer: JuteWriter;
  /** What was sent on this connection and is not answered yet; answers come in order. */
  #due: Entry[] = [];

  constructor(credentials: readonly Credentials[], writer: JuteWriter) {
    this.#writer = writer;
    this.#entries = credentials.map((each) => ({ credentials: each, answered: undefined }));
  }

  /** Whether every identity sent on this connection has been answered. */
  get settled(): boolean {
    return this.#due.length === 0;
  }

  /** Adds an identity, proves it on `connection` if there is one, and resolves when a server accepts it. */
  add(credentials: Credentials, connection: Connection | null): Promise<void> {
    const entry = { credentials, answered: Promise.withResolvers<void>() };
    this.#entries.push(entry);
    if (connection !== null) this.#send(entry, connection);
    return entry.answered.promise;
  }

  sendAll(connection: Connection): void {
    this.#due = [];
    for (const entry of this.#entries) this.#send(entry, connection);
  }

  /** Scheme of the identity that the next answer belongs to. */
  get nextScheme(): string {
    return this.#due[0]?.credentials.scheme ?? "unknown";
  }

  accepted(): void {
    this.#due.shift()?.answered?.resolve();
  }

  /** The session is over: rejects everything that still waits for an answer. */
  failAll(code: ZooKeeperErrorCode, detail: string | undefined): void {
    for (const { answered } of this.#entries) {
      answered?.reject(new ZooKeeperError({ code, operation: "addAuth", outcome: "not-sent", detail }));
    }
  }

  #send(entry: Entry, connection: Connection): void {
    this.#due.push(entry);
    connection.send(authFrame(this.#writer, entry.credentials.scheme, entry.credentials.credentials));
  }
}
