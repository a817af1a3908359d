import type { IncomingMessage } from "node:http";
import type { ProbeSpec } from "../core/resolved_recipe.ts";
import type { Clock } from "../support/clock.ts";
import type { Trust } from "../support/trust.ts";
import { answerWithin } from "../support/wait.ts";
import { type Asking, type HostNames, reach } from "./reach.ts";
import { askEach, requestAt } from "./request.ts";
import { probeFailure, networkFailure, type ProbeFailure, timedOut } from "./result.ts";

/** How much of the body is inspected, in bytes: a longer health page is a mistake, not a reason to fill memory. */
const BODY_BYTES = 64 * 1024;

export interface QuestionEffects {
  readonly clock: Clock;
  readonly names: HostNames;
  readonly trust: Trust;
}

interface Body {
  readonly text: string;
  /** The size of the body; a lower bound if it is longer than what is inspected. */
  readonly bytes: number;
}

/** One GET on a connection of its own. @returns null if status and body were as expected */
export async function probeHttp(
  spec: Extract<ProbeSpec, { kind: "http" }>,
  signal: AbortSignal,
  asking: Asking,
  { clock, names, trust }: QuestionEffects,
): Promise<ProbeFailure | null> {
  const work = (signal: AbortSignal): Promise<ProbeFailure | null> =>
    ask(spec, asking, names, trust, signal).catch(networkFailure);
  // One timer for everything: a body that trickles in must not extend the time. If the probe is aborted, the caller
  // throws.
  const otherwise = { late: timedOut(spec.timeoutMs), calledOff: null };
  return answerWithin(work, spec.timeoutMs, otherwise, signal, clock);
}

async function ask(
  spec: Extract<ProbeSpec, { kind: "http" }>,
  asking: Asking,
  names: HostNames,
  trust: Trust,
  signal: AbortSignal,
): Promise<ProbeFailure | null> {
  const url = new URL(spec.url);
  const reached = await reach(url.hostname, asking, names);
  if ("failure" in reached) return reached.failure;
  const headers = { "user-agent": "deployd-check", accept: "*/*" };
  const response = await askEach(reached.addresses, (address) =>
    requestAt(address, url, { method: "GET", headers }, trust, signal),
  );
  return judge(spec, response.statusCode ?? 0, await readBody(response), asking);
}

async function readBody(response: IncomingMessage): Promise<Body> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    chunks.push(chunk.subarray(0, BODY_BYTES - length));
    length += chunk.length;
    if (length >= BODY_BYTES) break;
  }
  return { text: Buffer.concat(chunks).toString("utf8"), bytes: Math.min(length, BODY_BYTES) };
}

function judge(
  { expectStatus, expectBody }: Extract<ProbeSpec, { kind: "http" }>,
  status: number,
  { text, bytes }: Body,
  { quotesAnswers }: Asking,
): ProbeFailure | null {
  const told = quotesAnswers
    ? text
    : `The answer: status ${status}, ${bytes === BODY_BYTES ? "at least " : ""}${bytes} bytes.`;
  if (!expectStatus.includes(status)) return probeFailure(`http ${status}`, told);
  if (expectBody !== undefined && !text.includes(expectBody)) return probeFailure(`body lacks "${expectBody}"`, told);
  return null;
}
