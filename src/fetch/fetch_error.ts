import { DeployError } from "../core/errors.ts";
import { shownUrl } from "./source/policy.ts";

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
