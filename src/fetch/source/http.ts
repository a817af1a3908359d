import { DeployError } from "../../core/errors.ts";
import type { Clock } from "../../support/clock.ts";
import { type Trust, whyUntrusted } from "../../support/trust.ts";
import { systemCode } from "../disk_error.ts";
import { fetchFailed } from "../fetch_error.ts";
import { IdleGuard } from "../idle_guard.ts";
import { abortedError } from "../../support/pace.ts";
import { printable } from "../printable.ts";
import { encodedAs, PATIENCE, positionSpool, refusal } from "./http_answer.ts";
import { refusedSource, requireAllowedSource, shownUrl } from "./policy.ts";
import type { FetchRequest } from "../download.ts";
import { otherLength, type Spool } from "../spool.ts";

const MAX_REDIRECTS = 5;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

export interface HttpDownload {
  readonly url: URL;
  readonly spool: Spool;
  readonly size: number;
  readonly sources: readonly string[];
  readonly loginAt: NonNullable<FetchRequest["loginAt"]>;
  readonly idleTimeoutMs: number;
  readonly onProgress: (bytesSoFar: number) => void;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly trust: Trust;
}

/** Downloads into the spool, from where an earlier attempt ended if the server can (RFC 9110, 14 Range Requests). */
export async function downloadHttp(download: HttpDownload): Promise<void> {
  const { spool } = download;
  if (await attempt(download)) return;
  // The server has no such range: what the spool holds is not the beginning of what is stored there.
  await spool.restart();
  if (!(await attempt(download))) {
    throw fetchFailed(download.url, "the server answers 416 to a request without a range", {
      retry: false,
      hint: "Look at the server.",
    });
  }
}

/** One request with its redirects. False when the server refuses the range. */
async function attempt(download: HttpDownload): Promise<boolean> {
  using guard = new IdleGuard(download.idleTimeoutMs, download.signal, download.clock);
  try {
    const { url, response } = await follow(download, guard);
    if (response.status === 416) return false;
    await positionSpool(download, url, response);
    await receive(download, response, guard);
    await requireWhole(download, url, response);
    return true;
  } catch (error) {
    if (error instanceof DeployError) throw error;
    throw await explain(download, error, guard);
  }
}

async function follow(download: HttpDownload, guard: IdleGuard): Promise<{ url: URL; response: Response }> {
  let url = download.url;
  for (let redirects = 0; ; redirects += 1) {
    requireAllowedSource(url, download.sources);
    const response = await request(download, url, guard);
    if (!REDIRECTS.has(response.status)) {
      if (response.ok || response.status === 416) return { url, response };
      throw refusal(url, response, download.clock.now());
    }
    await response.body?.cancel();
    if (redirects === MAX_REDIRECTS) {
      throw fetchFailed(download.url, `it redirects more than ${MAX_REDIRECTS} times`, {
        retry: false,
        hint: "Register the build's final URL.",
      });
    }
    url = nextHop(url, response);
  }
}

function nextHop(from: URL, response: Response): URL {
  const location = response.headers.get("location");
  const next = location === null ? null : URL.parse(location, from.href);
  if (next === null) {
    throw fetchFailed(from, `the server answered ${response.status} without a usable location`, {
      retry: false,
      hint: "Look at the server.",
    });
  }
  if (next.protocol !== "https:" && next.protocol !== "http:") {
    throw refusedSource(next, `${shownUrl(from)} redirects to it, and redirects lead to http and https only`);
  }
  if (from.protocol === "https:" && next.protocol === "http:") {
    throw refusedSource(next, `${shownUrl(from)} redirects to it, from https to plain http`);
  }
  return next;
}

async function request(download: HttpDownload, url: URL, guard: IdleGuard): Promise<Response> {
  // Any content coding would change the bytes that the digest was made of.
  const headers = new Headers({ "accept-encoding": "identity", "user-agent": "deployd" });
  const bare = new URL(url);
  bare.username = "";
  bare.password = "";
  // Credentials in a URL go to the server it names, and to no other that it redirects to.
  if (url.username !== "" && url.origin === download.url.origin) {
    const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
    headers.set("authorization", `Basic ${Buffer.from(credentials).toString("base64")}`);
  }
  // The host's own, for this very URL: one that it redirects to is asked about anew.
  for (const [name, value] of await download.loginAt(url)) headers.set(name, value);
  const { length, validator } = download.spool;
  if (length > 0) headers.set("range", `bytes=${length}-`);
  // The rest of something else is of no use: who has that sends all of it instead.
  if (validator !== null) headers.set("if-range", validator);
  const authorities = url.protocol === "https:" ? await download.trust.authorities() : null;
  const tls = authorities === null ? {} : { tls: { ca: authorities.certificates } };
  return guard.during(() =>
    fetch(bare, { headers, redirect: "manual", decompress: false, keepalive: false, signal: guard.signal, ...tls }),
  );
}

async function receive(download: HttpDownload, response: Response, guard: IdleGuard): Promise<void> {
  const reader = response.body?.getReader();
  if (reader === undefined) return;
  for (;;) {
    const part = await guard.during(() => reader.read());
    if (part.done) return;
    await download.spool.append(part.value);
    download.onProgress(download.spool.length);
  }
}

/** An answer without a length that has ended by itself was whole: a shorter one is no beginning of the build. */
async function requireWhole({ spool, size }: HttpDownload, url: URL, response: Response): Promise<void> {
  if (spool.isComplete || response.status === 206 || response.headers.has("content-length")) return;
  const got = spool.length;
  await spool.restart();
  throw otherLength(url, size, `the answer ended after ${got}${encodedAs(response)}`);
}

async function explain(download: HttpDownload, error: unknown, guard: IdleGuard): Promise<DeployError> {
  const { url, signal, spool, idleTimeoutMs } = download;
  if (signal.aborted) return abortedError(`Cannot fetch ${shownUrl(url)}`, signal);
  if (guard.timedOut) {
    const why = `no byte came for ${idleTimeoutMs} ms, after ${spool.length} of ${download.size} bytes`;
    return fetchFailed(url, why, { retry: true, hint: PATIENCE });
  }
  // The error's own text may quote the URL with its secrets; its code never does.
  const code = systemCode(error) || "a network error";
  const untrusted = whyUntrusted(printable(code), await download.trust.authorities());
  if (untrusted !== "") {
    return fetchFailed(url, untrusted, {
      retry: false,
      hint: "Renew the server's certificate, or add its authority to those that this host trusts (update-ca-certificates, update-ca-trust): the agent reads them anew.",
    });
  }
  const why = `the connection failed after ${spool.length} of ${download.size} bytes (${printable(code)})`;
  return fetchFailed(url, why, { retry: true, hint: PATIENCE });
}
