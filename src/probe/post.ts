import type { Trust } from "../support/trust.ts";
import { answerWithin } from "../support/wait.ts";
import { type Asking, type HostNames, reach } from "./reach.ts";
import { askEach, isRefused, requestAt } from "./request.ts";
import type { QuestionEffects } from "./http.ts";

/** Timeout of the POST, in milliseconds: an app that is told something answers at once, or not at all. */
const TIMEOUT_MS = 5_000;

/**
 * Sends one POST without a body.
 *
 * @returns "" if it was answered with 2xx or nobody listens there, otherwise the reason why not; also if `signal` is
 *   aborted
 */
export async function post(
  url: string,
  signal: AbortSignal,
  asking: Asking,
  { clock, names, trust }: QuestionEffects,
): Promise<string> {
  const work = (signal: AbortSignal): Promise<string> =>
    tell(new URL(url), asking, names, trust, signal).catch((error: unknown) =>
      isRefused(error) ? "" : error instanceof Error ? error.message : String(error),
    );
  const otherwise = { late: `no answer within ${TIMEOUT_MS} ms`, calledOff: "called off" };
  return answerWithin(work, TIMEOUT_MS, otherwise, signal, clock);
}

async function tell(url: URL, asking: Asking, names: HostNames, trust: Trust, signal: AbortSignal): Promise<string> {
  const reached = await reach(url.hostname, asking, names);
  if ("failure" in reached) return `${reached.failure.reason} (${reached.failure.detail ?? ""})`;
  const response = await askEach(reached.addresses, (address) =>
    requestAt(address, url, { method: "POST", headers: { "content-length": "0" } }, trust, signal),
  );
  response.resume();
  const status = response.statusCode ?? 0;
  return status >= 200 && status < 300 ? "" : `it answered ${status}`;
}
