import type { DeployError } from "../../core/errors.ts";
import { fetchFailed, GOES_ON } from "../fetch_error.ts";
import { printable } from "../../support/printable.ts";
import type { Answer } from "./source.ts";

// Request timeout, too early, too many requests: the same request may succeed later, as after any 5xx.
const TRANSIENT = new Set([408, 425, 429]);
/**
 * A date identifies content only to the second: if it is younger than this, the content may have changed within that
 * second (RFC 9110, 8.8.2.2). In milliseconds.
 */
const DATED_MS = 1_000;
/** The form of Retry-After in seconds; more digits than this are ignored. */
const LONGEST_DELAY = /^\d{1,9}$/;

/**
 * What the headers of an answer of 200 or 206 say that it contains.
 *
 * @param length how many bytes were there already when the request was made
 */
export function headOf(response: Response, length: number): Pick<Answer, "brings" | "size" | "validator" | "coding"> {
  const { headers } = response;
  const known = { validator: validatorOf(response), coding: codingOf(response) };
  if (response.status !== 206) {
    const announced = headers.get("content-length");
    return { brings: "the whole", size: announced === null ? null : Number(announced), ...known };
  }
  const range = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(headers.get("content-range") ?? "");
  if (range === null || Number(range[1]) !== length) return { brings: "another part", size: null, ...known };
  return { brings: "the rest", size: range[3] === "*" ? null : Number(range[3]), ...known };
}

/** The answer's content coding, for messages: a proxy that compresses unasked is hard to guess. */
function codingOf({ headers }: Response): string {
  const coding = headers.get("content-encoding") ?? "identity";
  return coding === "identity" ? "" : `, encoded as ${printable(coding)}`;
}

/** The validator for If-Range; null if the server gives none that reliably tells one content from another. */
function validatorOf({ headers }: Response): string | null {
  const etag = headers.get("etag");
  if (etag !== null && /^"[\x21\x23-\x7e\x80-\xff]*"$/.test(etag)) return etag;
  const modified = headers.get("last-modified");
  const ageMs = Date.parse(headers.get("date") ?? "") - Date.parse(modified ?? "");
  return ageMs >= DATED_MS ? modified : null;
}

/** @param nowMs by the host's clock, used if the answer has no date */
export function refusal(url: URL, response: Response, nowMs: number): DeployError {
  const { status } = response;
  // Of the successful statuses only 200 and 206 carry a build; others, such as 202, may become one later.
  const retry = status >= 500 || response.ok || TRANSIENT.has(status);
  if (retry) {
    const asked = waitAskedFor(response, nowMs);
    const why = `the server answered ${status}${asked === null ? "" : ` and asks to wait ${asked.text}`}`;
    return fetchFailed(url, why, { retry, hint: GOES_ON, retryAfterMs: asked?.ms ?? 0 });
  }
  const hint =
    status === 401 || status === 403
      ? "The server wants other credentials. Look at those under [sources] of the agent's file, or whether a presigned URL has expired."
      : status === 404 || status === 410
        ? "The build is not there: upload it again, or fix its URL."
        : "Look at the build's URL and the server.";
  return fetchFailed(url, `the server answered ${status}`, { retry, hint });
}

/** Retry-After (RFC 9110, 10.2.3): seconds, or a date by the server's own clock. */
function waitAskedFor({ headers }: Response, nowMs: number): { readonly ms: number; readonly text: string } | null {
  const asked = headers.get("retry-after")?.trim() ?? "";
  if (LONGEST_DELAY.test(asked)) return { ms: Number(asked) * 1000, text: `${Number(asked)} s` };
  const untilMs = Date.parse(asked);
  if (asked === "" || /^[\d.+-]+$/.test(asked) || Number.isNaN(untilMs)) return null;
  const dateMs = Date.parse(headers.get("date") ?? "");
  const ms = Math.max(0, untilMs - (Number.isNaN(dateMs) ? nowMs : dateMs));
  return { ms, text: `until ${new Date(untilMs).toISOString()}` };
}
