import { request } from "node:http";
import { request as httpsRequest } from "node:https";
import type { Clock } from "../support/clock.ts";

/** An app that is told something says yes at once, or does not hear it. In milliseconds. */
const TIMEOUT_MS = 5_000;

/**
 * One POST without a body. node:http and a connection of its own, as the check has it: no proxy, and nothing that is kept
 * open.
 *
 * @returns "" when it was answered with 2xx or nobody listens there, else why not; also when `signal` aborts
 */
export async function post(url: string, signal: AbortSignal, clock: Clock): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const send = url.startsWith("https:") ? httpsRequest : request;
  const asked = send(url, { method: "POST", agent: false, headers: { connection: "close", "content-length": "0" } });
  const cancel = clock.after(TIMEOUT_MS, () => resolve(`no answer within ${TIMEOUT_MS} ms`));
  const onAbort = (): void => resolve("called off");
  signal.addEventListener("abort", onAbort, { once: true });
  asked.on("error", (error) => resolve("code" in error && error.code === "ECONNREFUSED" ? "" : error.message));
  asked.once("response", (response) => {
    response.resume();
    const status = response.statusCode ?? 0;
    resolve(status >= 200 && status < 300 ? "" : `it answered ${status}`);
  });
  asked.end();
  try {
    return await promise;
  } finally {
    cancel();
    signal.removeEventListener("abort", onAbort);
    asked.destroy();
  }
}
