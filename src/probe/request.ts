import { type IncomingMessage, request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { isIP } from "node:net";
import { onAbort } from "../support/abort.ts";
import { type Trust, whyUntrusted } from "../support/trust.ts";

/**
 * One request to one address of the URL's host, on a connection of its own. node:http and not fetch, because fetch would
 * send a question for this host through the proxy that HTTP_PROXY names. Redirects are answers, not followed.
 *
 * @returns its head; rejects as the socket fails, also when `signal` aborts
 */
export async function requestAt(
  address: string,
  url: URL,
  { method, headers }: { method: "GET" | "POST"; headers: Readonly<Record<string, string>> },
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
    // The server and its certificate are still asked for by name.
    ...(isSecure && isIP(name) === 0 ? { servername: name } : {}),
    ...(authorities === null ? {} : { ca: authorities.certificates }),
    // Without an agent no connection is kept, and an old process cannot answer on one that was.
    agent: false,
    headers: { host: url.host, connection: "close", ...headers },
  });
  // Not called off with the head: the body that is read then ends with the signal, too.
  onAbort(signal, () => {
    request.destroy();
    reject(new Error("called off"));
  });
  request.on("error", reject);
  request.once("response", resolve);
  request.end();
  try {
    return await promise;
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    const why = whyUntrusted(code, authorities);
    throw why === "" ? error : Object.assign(new Error(why), { code });
  }
}

/** Asks one address after the other, until one takes the connection. @throws as the last one failed */
export async function askEach<T>(addresses: readonly string[], ask: (address: string) => Promise<T>): Promise<T> {
  let failure: unknown = new Error("there is no address to ask");
  for (const address of addresses) {
    try {
      return await ask(address);
    } catch (error) {
      failure = error;
      if (!isRefused(error)) break;
    }
  }
  throw failure;
}

/** Whether nobody listens there. */
export function isRefused(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ECONNREFUSED";
}
