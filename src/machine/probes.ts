import type { ProbeSpec } from "../core/resolved_recipe.ts";
import type { Asking } from "../probe/reach.ts";
import type { ProbeFailure } from "../probe/result.ts";

/** Questions to a service that do not need a command. Whatever goes wrong is an answer. */
export interface Probes {
  /** Whether a host of a URL may be asked at all. @returns null when it may, also where nobody knows its address */
  mayAsk(host: string, asking: Asking): Promise<ProbeFailure | null>;
  /** One GET on a connection of its own. @returns null when status and body were as expected */
  http(spec: Extract<ProbeSpec, { kind: "http" }>, signal: AbortSignal, asking: Asking): Promise<ProbeFailure | null>;
  /** Connects and hangs up. @returns null when the connection stood */
  tcp(spec: Extract<ProbeSpec, { kind: "tcp" }>, signal: AbortSignal, asking: Asking): Promise<ProbeFailure | null>;
  /** One POST without a body. @returns "" when it was answered with 2xx or nobody listens there, else why not */
  post(url: string, signal: AbortSignal, asking: Asking): Promise<string>;
}
