import { whyUntrusted } from "../../support/trust.ts";
import { errorCodeOf } from "../../support/file_error.ts";
import { fetchFailed, GOES_ON } from "../fetch_error.ts";
import { printable } from "../../support/printable.ts";
import { headOf, refusal } from "./http_answer.ts";
import { refusedSource, requireAllowedSource, shownUrl } from "./policy.ts";
import type { Answer, Beginning, SourceFailure, Source, SourceContext } from "./source.ts";

const MAX_REDIRECTS = 5;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/**
 * HTTP and HTTPS servers. The rest of a build is requested by range, if the server supports it (RFC 9110, 14 Range
 * Requests).
 */
export function httpSource(context: SourceContext): Source {
  return {
    open: (url, from, signal) => openHttp(url, from, signal, context),
    explain: (error, soFar) => explainConnection(error, soFar, context),
  };
}

async function openHttp(
  asked: URL,
  from: Beginning,
  signal: AbortSignal,
  context: SourceContext,
): Promise<Answer | null> {
  const { url, response } = await follow(asked, context, (hop) => request(hop, asked.origin, from, signal, context));
  if (response.status === 416) return null;
  if (response.status !== 200 && response.status !== 206) throw refusal(url, response, context.clock.now());
  return {
    url,
    ...headOf(response, from.length),
    mayGrow: false,
    bytes: bytesOf(response, context.waitFor),
    // The connection is closed by the signal.
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

async function follow(
  asked: URL,
  { sources, clock }: SourceContext,
  ask: (hop: URL) => Promise<Response>,
): Promise<{ url: URL; response: Response }> {
  let url = asked;
  for (let redirects = 0; ; redirects += 1) {
    requireAllowedSource(url, sources);
    const response = await ask(url);
    if (!REDIRECTS.has(response.status)) {
      if (response.ok || response.status === 416) return { url, response };
      throw refusal(url, response, clock.now());
    }
    await response.body?.cancel();
    if (redirects === MAX_REDIRECTS) {
      throw fetchFailed(asked, `it redirects more than ${MAX_REDIRECTS} times`, {
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

/** @param origin the origin of the URL that the download is registered with */
async function request(
  url: URL,
  origin: string,
  { length, validator }: Beginning,
  signal: AbortSignal,
  { loginAt, trust, waitFor }: SourceContext,
): Promise<Response> {
  // A content coding would change the bytes that the digest was computed from.
  const headers = new Headers({ "accept-encoding": "identity", "user-agent": "deployd" });
  const bare = new URL(url);
  bare.username = "";
  bare.password = "";
  // Credentials in a URL are sent only to the server it names, and to no other that it redirects to.
  if (url.username !== "" && url.origin === origin) {
    const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
    headers.set("authorization", `Basic ${Buffer.from(credentials).toString("base64")}`);
  }
  // The host's own headers for exactly this URL; they are looked up again for each redirect.
  for (const [name, value] of await loginAt(url)) headers.set(name, value);
  if (length > 0) headers.set("range", `bytes=${length}-`);
  // Only the rest of the same content is useful: with If-Range, a server whose content has changed sends all of it.
  if (validator !== null) headers.set("if-range", validator);
  const authorities = url.protocol === "https:" ? await trust.authorities() : null;
  const tls = authorities === null ? {} : { tls: { ca: authorities.certificates } };
  return waitFor(() =>
    fetch(bare, { headers, redirect: "manual", decompress: false, keepalive: false, signal, ...tls }),
  );
}

async function* bytesOf(response: Response, waitFor: SourceContext["waitFor"]): AsyncGenerator<Uint8Array, void, void> {
  const reader = response.body?.getReader();
  if (reader === undefined) return;
  for (;;) {
    const part = await waitFor(() => reader.read());
    if (part.done) return;
    yield part.value;
  }
}

/** Why a connection gave no answer, or an incomplete one. */
export async function explainConnection(
  error: unknown,
  soFar: string,
  { trust }: Pick<SourceContext, "trust">,
): Promise<SourceFailure> {
  // The error's text may contain the URL with its secrets; its code never does.
  const code = errorCodeOf(error) ?? "a network error";
  const untrusted = whyUntrusted(printable(code), await trust.authorities());
  if (untrusted !== "") {
    return {
      why: untrusted,
      retry: false,
      hint: "Renew the server's certificate, or add its authority to those that this host trusts (update-ca-certificates, update-ca-trust): the agent reads them again.",
    };
  }
  return { why: `the connection failed ${soFar} (${printable(code)})`, retry: true, hint: GOES_ON };
}
