import { DeployError } from "../core/errors.ts";
import { shownUrl } from "./source/policy.ts";

/** The hint of whatever may pass by itself. */
export const GOES_ON =
  "The next attempt goes on where this one ended; if it stays so, look at the server and the network.";

/**
 * A failed download. The cause is never attached: a network error carries the URL it failed on, and with a presigned
 * URL that is a secret.
 */
export function fetchFailed(
  url: URL,
  why: string,
  facts: { retry: boolean; hint: string; retryAfterMs?: number },
): DeployError {
  return new DeployError(`Cannot fetch ${shownUrl(url)}: ${why}.`, { code: "fetch-failed", ...facts });
}

/**
 * What was sent is not the build. It may be from somebody in between, a portal or a page that says that the server is
 * away, and be right the next time.
 *
 * @param got what there is instead of `size` bytes
 */
export function otherLength(url: URL, size: number, got: string): DeployError {
  return fetchFailed(url, `expected ${size} bytes, but ${got}`, {
    retry: true,
    hint: "If it stays so, something else than the registered build is stored there: upload it again, or fix its URL.",
  });
}
