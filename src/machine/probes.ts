import type { ProbeSpec } from "../core/resolved_recipe.ts";
import type { Asking } from "../probe/reach.ts";
import type { ProbeFailure } from "../probe/result.ts";

/** Probes of a service that need no command. Whatever goes wrong is a result and not an error. */
export interface Probes {
  /**
   * Whether requests may be sent to a URL's host at all.
   *
   * @returns null when they may, also where its address is not known
   */
  mayAsk(host: string, asking: Asking): Promise<ProbeFailure | null>;
  /** One GET on a connection of its own. @returns null when status and body were as expected */
  http(spec: Extract<ProbeSpec, { kind: "http" }>, signal: AbortSignal, asking: Asking): Promise<ProbeFailure | null>;
  /** Connects and closes the connection. @returns null when it could be made */
  tcp(spec: Extract<ProbeSpec, { kind: "tcp" }>, signal: AbortSignal, asking: Asking): Promise<ProbeFailure | null>;
  /** One POST without a body. @returns "" when it was answered with 2xx or nobody listens there, otherwise the reason */
  post(url: string, signal: AbortSignal, asking: Asking): Promise<string>;
}
