import { DeployError } from "../core/errors.ts";
import { shownUrl } from "./source/policy.ts";

/** The hint of every failure that may be transient. */
export const GOES_ON =
  "The next attempt goes on where this one ended; if it keeps failing, look at the server and the network.";

/**
 * The error of a failed download. The cause is never attached: a network error contains the URL that failed, and a
 * presigned URL is a secret.
 */
export function fetchFailed(
  url: URL,
  why: string,
  facts: { retry: boolean; hint: string; retryAfterMs?: number },
): DeployError {
  return new DeployError(`Cannot fetch ${shownUrl(url)}: ${why}.`, { code: "fetch-failed", ...facts });
}

/**
 * The error if what was sent is not the build. It may come from something in between (a captive portal, a maintenance
 * page), so a retry may succeed.
 *
 * @param got what there is instead of `size` bytes
 */
export function otherLength(url: URL, size: number, got: string): DeployError {
  return fetchFailed(url, `expected ${size} bytes, but ${got}`, {
    retry: true,
    hint: "If it stays so, something else than the registered build is stored there: upload it again, or fix its URL.",
  });
}
