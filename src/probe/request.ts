import { type IncomingMessage, request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { isIP } from "node:net";
import { onAbort } from "../support/abort.ts";
import { errorCodeOf } from "../support/file_error.ts";
import { type Trust, whyUntrusted } from "../support/trust.ts";

interface HttpRequest {
  readonly method: "GET" | "POST";
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

/**
 * One request to one address of the URL's host, on a connection of its own. It uses node:http, because fetch would send a
 * request for this host through the proxy that HTTP_PROXY names. Redirects are answers, not followed.
 *
 * @returns the head of the response; rejects if the socket fails, also if `signal` is aborted
 */
export async function requestAt(
  address: string,
  url: URL,
  { method, headers, body = "" }: HttpRequest,
  trust: Trust,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const isSecure = url.protocol === "https:";
  const authorities = isSecure ? await trust.authorities() : null;
  if (signal.aborted) throw new Error("called off");
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const name = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const request = (isSecure ? httpsRequest : httpRequest)({
    method,
    host: address,
    port: url.port === "" ? (isSecure ? 443 : 80) : Number(url.port),
    path: `${url.pathname}${url.search}`,
    ...(url.username === "" && url.password === ""
      ? {}
      : { auth: `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}` }),
    // The server name and the certificate are still those of the URL's host name.
    ...(isSecure && isIP(name) === 0 ? { servername: name } : {}),
    ...(authorities === null ? {} : { ca: authorities.certificates }),
    // Without an agent no connection is kept alive, so an old process cannot answer on an old connection.
    agent: false,
    headers: { host: url.host, connection: "close", ...headers },
  });
  // The listener is not removed once the head has arrived: the signal must also end the reading of the body.
  onAbort(signal, () => {
    request.destroy();
    reject(new Error("called off"));
  });
  request.on("error", reject);
  request.once("response", resolve);
  request.end(body);
  try {
    return await promise;
  } catch (error) {
    const code = errorCodeOf(error) ?? "";
    const why = whyUntrusted(code, authorities);
    throw why === "" ? error : Object.assign(new Error(why), { code });
  }
}

/** What says that nothing was sent: nobody listens there, or there is no way there. */
const UNREACHED: readonly string[] = ["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "EADDRNOTAVAIL"];

/**
 * Tries one address after another, until one accepts the connection or fails otherwise than by not being reached.
 *
 * @throws the error of the last one tried
 */
export async function askEach<T>(addresses: readonly string[], ask: (address: string) => Promise<T>): Promise<T> {
  let failure: unknown = new Error("there is no address to ask");
  for (const address of addresses) {
    try {
      return await ask(address);
    } catch (error) {
      failure = error;
      if (!UNREACHED.includes(errorCodeOf(error) ?? "")) break;
    }
  }
  throw failure;
}

/** Whether the connection was refused, so that nobody listens there. */
export function isRefused(error: unknown): boolean {
  return errorCodeOf(error) === "ECONNREFUSED";
}
