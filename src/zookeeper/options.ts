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

/** Finds all IP addresses of a host name, as `lookup` of node:dns with `all` does. */
export type Lookup = (host: string) => Promise<readonly string[]>;

export interface ZooKeeperOptions {
  /** Time, and chance for the order of the hosts and the jitter of the waits between tries. */
  readonly clock: Clock;
  /** `host1:2181,[::1]:2181/chroot`: a list of hosts with an optional subtree to stay in. The default port is 2181. */
  readonly servers: string;
  /** How long the session outlives a lost connection, in milliseconds; the server may change it. Default 10,000. */
  readonly sessionTimeoutMs?: number;
  /**
   * Deadline of one try to connect: for TCP with TLS, and once more for the handshake with SASL. By default the session's
   * timeout divided by the number of servers, at most a third of it.
   */
  readonly connectTimeoutMs?: number;
  /** Identities to prove on every connection, before any operation. */
  readonly auth?: readonly Credentials[];
  /** Proves who we are by SASL's DIGEST-MD5, and has the server prove that it knows the password as well. */
  readonly sasl?: SaslCredentials;
  /** Encrypts; `{}` does it with the system's authorities. By default nothing is encrypted. */
  readonly tls?: TlsOptions;
  /** Takes a server that is cut off from its ensemble, for reads, until one that takes writes is found. Default false. */
  readonly readOnly?: boolean;
  /** Deadline in milliseconds of every operation that does not name its own. By default there is none. */
  readonly operationTimeoutMs?: number;
  /** Finds the addresses of a host name, anew for each pass over the servers. Default: the system's resolver. */
  readonly lookup?: Lookup;
  /** How a server is reached. Default: by TCP, with TLS where that is asked for. */
  readonly dial?: Dial;
  /**
   * Gets what a watch or state listener throws, and a certificate that is refused while the session goes on trying. By
   * default these become process warnings.
   */
  readonly onError?: (error: unknown) => void;
}
