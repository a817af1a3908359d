import { type IncomingMessage, request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import type { ProbeSpec } from "../core/recipe.ts";
import type { Clock } from "../support/clock.ts";
import { failed, networkFailure, type ProbeFailure, timedOut } from "./result.ts";

/** As much of the body as is looked at, in bytes: a health page that is longer is a mistake, not a reason to fill memory. */
const BODY_BYTES = 64 * 1024;

/**
 * One GET on a connection of its own; redirects are answers, not followed. node:http and not fetch, because fetch would
 * send a question for this host through the proxy that HTTP_PROXY names.
 *
 * @returns null when status and body were as expected
 */
export async function probeHttp(
  spec: Extract<ProbeSpec, { kind: "http" }>,
  signal: AbortSignal,
  clock: Clock,
): Promise<ProbeFailure | null> {
  const { promise, resolve } = Promise.withResolvers<ProbeFailure | null>();
  const send = spec.url.startsWith("https:") ? httpsRequest : httpRequest;
  const request = send(spec.url, {
    // Without an agent no connection is kept, and an old process cannot answer on one that was.
    agent: false,
    headers: { connection: "close", "user-agent": "deployd-check", accept: "*/*" },
  });
  // One timer for all of it: a body that trickles in must not stretch the time.
  const cancel = clock.after(spec.timeoutMs, () => resolve(timedOut(spec.timeoutMs)));
  // The caller throws; here it only has to end.
  const onAbort = (): void => resolve(null);
  signal.addEventListener("abort", onAbort, { once: true });
  request.on("error", (error) => resolve(networkFailure(error)));
  request.once("response", (response) => {
    response.on("error", (error) => resolve(networkFailure(error)));
    readBody(response).then(
      (body) => resolve(judge(spec, response.statusCode ?? 0, body)),
      (error: unknown) => resolve(networkFailure(error)),
    );
  });
  request.end();
  try {
    return await promise;
  } finally {
    cancel();
    signal.removeEventListener("abort", onAbort);
    request.destroy();
  }
}

async function readBody(response: IncomingMessage): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    chunks.push(chunk.subarray(0, BODY_BYTES - length));
    length += chunk.length;
    if (length >= BODY_BYTES) break;
  }
  return Buffer.concat(chunks).toString("utf8");
}

function judge(spec: Extract<ProbeSpec, { kind: "http" }>, status: number, body: string): ProbeFailure | null {
  if (!spec.expectStatus.includes(status)) return failed(`http ${status}`, body);
  if (spec.expectBody !== undefined && !body.includes(spec.expectBody)) {
    return failed(`body lacks "${spec.expectBody}"`, body);
  }
  return null;
}
