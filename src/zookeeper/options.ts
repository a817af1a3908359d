import type { Clock } from "./clock.ts";
import type { Dial, TlsOptions } from "./dial.ts";

/** An identity to prove, for example `{ scheme: "digest", credentials: "user:password" }`. */
export interface Credentials {
  readonly scheme: string;
  readonly credentials: string;
}

/** For SASL DIGEST-MD5. */
export interface SaslCredentials {
  readonly username: string;
  readonly password: string;
}

/** Resolves a host name to all its IP addresses, as `lookup` of node:dns with `all` does. */
export type Lookup = (host: string) => Promise<readonly string[]>;

export interface ZooKeeperOptions {
  /** The clock, and the randomness for the order of the hosts and the jitter of the backoff. */
  readonly clock: Clock;
  /**
   * `host1:2181,[::1]:2181/chroot`: a list of hosts with an optional chroot (the subtree to stay in). The default port is
   * 2181.
   */
  readonly servers: string;
  /** How long the session outlives a lost connection, in milliseconds; the server may change it. Default 10,000. */
  readonly sessionTimeoutMs?: number;
  /**
   * Timeout of one connection attempt, in milliseconds: once for TCP with TLS, and again for the handshake with SASL. By
   * default the session timeout divided by the number of servers, at most a third of it.
   */
  readonly connectTimeoutMs?: number;
  /** Identities to prove on every connection, before any operation. */
  readonly auth?: readonly Credentials[];
  /** Authenticates by SASL DIGEST-MD5; the server must prove that it knows the password as well. */
  readonly sasl?: SaslCredentials;
  /** Encrypts the connection; `{}` uses the system's CA certificates. By default nothing is encrypted. */
  readonly tls?: TlsOptions;
  /**
   * Accepts a server that is cut off from its ensemble, for reads, until one that accepts writes is found. Default false.
   */
  readonly readOnly?: boolean;
  /**
   * Waits a random moment before the first try, as before a reconnect: for a client that follows one whose session is over,
   * as thousands may do in the same instant. Default false.
   */
  readonly afterLoss?: boolean;
  /** Timeout in milliseconds of every operation that does not set its own. By default there is none. */
  readonly operationTimeoutMs?: number;
  /** Resolves a host name, again for each pass over the servers. Default: the system's resolver. */
  readonly lookup?: Lookup;
  /** How to connect to a server. Default: by TCP, with TLS if configured. */
  readonly dial?: Dial;
  /**
   * Called with what a watch or state listener throws, and with a certificate that is refused while the session keeps
   * retrying. By default these become process warnings.
   */
  readonly onError?: (error: unknown) => void;
}
