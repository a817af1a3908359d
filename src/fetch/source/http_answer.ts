import type { DeployError } from "../../core/errors.ts";
import { fetchFailed } from "../fetch_error.ts";
import { printable } from "../printable.ts";
import type { HttpDownload } from "./http.ts";
import { otherLength, type Spool } from "../spool.ts";

// Request timeout, too early, too many requests: the same request may succeed later, as after any 5xx.
const TRANSIENT = new Set([408, 425, 429]);
/** A date names content by the second: younger than this it may have changed within the same one (RFC 9110, 8.8.2.2). */
const DATED_MS = 1_000;
/** Of Retry-After in seconds: more digits than this mean nothing. */
const LONGEST_DELAY = /^\d{1,9}$/;

export const PATIENCE =
  "The next attempt goes on where this one ended; if it stays so, look at the server and the network.";

/** Makes the spool end where the answer begins, and refuses one that cannot be the build before its first byte. */
export async function positionSpool(
  { spool, size, clock }: Pick<HttpDownload, "spool" | "size" | "clock">,
  url: URL,
  response: Response,
): Promise<void> {
  if (response.status === 206) return goOn(spool, size, url, response);
  if (response.status !== 200) throw refusal(url, response, clock.now());
  const announced = response.headers.get("content-length");
  // What the spool has stays: it may be the build's, where this is from somebody else.
  if (announced !== null && Number(announced) !== size) {
    throw otherLength(url, size, `the server announces ${Number(announced)}${encodedAs(response)}`);
  }
  await spool.begin("the start", validatorOf(response));
}

async function goOn(spool: Spool, size: number, url: URL, response: Response): Promise<void> {
  const validator = validatorOf(response);
  const range = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(response.headers.get("content-range") ?? "");
  const again = { retry: true, hint: "The next attempt begins anew." };
  if (range === null || Number(range[1]) !== spool.length) {
    await spool.restart();
    throw fetchFailed(url, "the server sent another range than the one asked for", again);
  }
  if (range[3] !== "*" && Number(range[3]) !== size) {
    await spool.restart();
    throw otherLength(url, size, `the server announces ${range[3]}`);
  }
  if (spool.validator !== null && validator !== null && validator !== spool.validator) {
    await spool.restart();
    throw fetchFailed(url, "what is stored there has changed since its beginning was fetched", again);
  }
  await spool.begin("the end", validator);
}

/** A proxy that compresses on its way, though nobody has asked it to, is seldom thought of. */
export function encodedAs({ headers }: Response): string {
  const coding = headers.get("content-encoding") ?? "identity";
  return coding === "identity" ? "" : `, encoded as ${printable(coding)}`;
}

/** What If-Range may say; null where the server gives nothing that tells one content from another for sure. */
function validatorOf({ headers }: Response): string | null {
  const etag = headers.get("etag");
  if (etag !== null && /^"[\x21\x23-\x7e\x80-\xff]*"$/.test(etag)) return etag;
  const modified = headers.get("last-modified");
  const ageMs = Date.parse(headers.get("date") ?? "") - Date.parse(modified ?? "");
  return ageMs >= DATED_MS ? modified : null;
}

/** @param nowMs of the host's clock, where the server does not say what time it is */
export function refusal(url: URL, response: Response, nowMs: number): DeployError {
  const { status } = response;
  // Of the good ones 200 and 206 alone bring a build; 202 and the like may become one.
  const retry = status >= 500 || response.ok || TRANSIENT.has(status);
  if (retry) {
    const asked = waitAskedFor(response, nowMs);
    const why = `the server answered ${status}${asked === null ? "" : ` and asks to wait ${asked.text}`}`;
    return fetchFailed(url, why, { retry, hint: PATIENCE, retryAfterMs: asked?.ms ?? 0 });
  }
  const hint =
    status === 401 || status === 403
      ? "The server wants other credentials. Look at those under [sources] of the agent's file, or whether a presigned URL has expired."
      : status === 404 || status === 410
        ? "The build is not there: upload it again, or fix its URL."
        : "Look at the build's URL and the server.";
  return fetchFailed(url, `the server answered ${status}`, { retry, hint });
}

/** Retry-After (RFC 9110, 10.2.3): seconds, or a date, which is by the server's own clock. */
function waitAskedFor({ headers }: Response, nowMs: number): { readonly ms: number; readonly text: string } | null {
  const asked = headers.get("retry-after")?.trim() ?? "";
  if (LONGEST_DELAY.test(asked)) return { ms: Number(asked) * 1000, text: `${Number(asked)} s` };
  const untilMs = Date.parse(asked);
  if (asked === "" || /^[\d.+-]+$/.test(asked) || Number.isNaN(untilMs)) return null;
  const dateMs = Date.parse(headers.get("date") ?? "");
  const ms = Math.max(0, untilMs - (Number.isNaN(dateMs) ? nowMs : dateMs));
  return { ms, text: `until ${new Date(untilMs).toISOString()}` };
}
