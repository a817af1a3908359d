import { request } from "node:http";
import { onAbort } from "../support/abort.ts";
import type { Clock } from "../support/clock.ts";
import { answerWithin } from "../support/wait.ts";

/** What came of asking a host for a log. */
export type HostAnswer =
  | { readonly kind: "log"; readonly text: string }
  /** The host has answered that it has none, and what it has. */
  | { readonly kind: "none"; readonly text: string }
  /** Nobody has answered, or not that host; `why` as the end of a sentence. */
  | { readonly kind: "unreachable"; readonly why: string };

export interface LogQuestion {
  readonly host: string;
  readonly service: string;
  readonly build: string;
  readonly step: string;
  readonly lines: number;
}

/** How long a host may take to answer, in milliseconds: a firewall may answer nothing at all. */
const ANSWER_MS = 3_000;
/** A host sends at most 64 kB; whoever sends more is none. In bytes. */
const MOST_BYTES = 1024 * 1024;

/**
 * Where a host's status port can be asked for, from its address in `agents/<host>`. One that listens on every address is asked
 * by the host's name.
 */
export function urlOfLog(address: string, { host, service, build, step, lines }: LogQuestion): string {
  const port = address.slice(address.lastIndexOf(":") + 1);
  const name = address.slice(0, -port.length - 1);
  const isEverywhere = name === "0.0.0.0" || name === "[::]" || name === "::";
  const path = [service, build, step].map(encodeURIComponent).join("/");
  return `http://${isEverywhere ? host : name}:${port}/logs/${path}?lines=${lines}`;
}

/** Whether only the host itself can ask at this address. */
export function isLoopback(address: string): boolean {
  return /^(?:127\.|localhost:|\[::1\]|::1:)/.test(address);
}

/** Whoever can write to ZooKeeper can write any text where an address should be. */
export function isAddress(text: string): boolean {
  return /^(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9][A-Za-z0-9.-]*):\d{1,5}$/.test(text);
}

/**
 * Asks the host. The answer counts only where it says that it is from that host: at an address that is the same on every
 * machine, such as a loopback one, another agent may listen.
 */
export async function askForLog(
  address: string,
  question: LogQuestion,
  clock: Clock,
  signal: AbortSignal,
): Promise<HostAnswer> {
  if (!isAddress(address)) return unreachable("its agent says no address that can be read");
  const otherwise = {
    late: unreachable(`nothing has answered within ${ANSWER_MS / 1000} s`),
    calledOff: unreachable("it was called off"),
  };
  const url = URL.parse(urlOfLog(address, question));
  if (url === null) return unreachable("its agent says no address that can be read");
  return answerWithin((until) => ask(url, question.host, until), ANSWER_MS, otherwise, signal, clock);
}

async function ask(url: URL, host: string, signal: AbortSignal): Promise<HostAnswer> {
  try {
    const { status, from, text } = await get(url, signal);
    if (from !== host) return unreachable(from === null ? "no agent answers there" : `${from} answers there`);
    if (status === 200) return { kind: "log", text };
    return status === 404 ? { kind: "none", text: text.trim() } : unreachable(`it answers ${status}: ${text.trim()}`);
  } catch (error) {
    return unreachable(error instanceof Error ? error.message : String(error));
  }
}

/** By node:http, as fetch would ask through the proxy that HTTP_PROXY names. */
async function get(
  url: URL,
  signal: AbortSignal,
): Promise<{ readonly status: number; readonly from: string | null; readonly text: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<Awaited<ReturnType<typeof get>>>();
  const asked = request(url, { agent: false, headers: { accept: "text/plain", connection: "close" } });
  onAbort(signal, () => {
    asked.destroy();
    reject(new Error("called off"));
  });
  asked.on("error", reject);
  asked.once("response", (response) => {
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    response.on("data", (chunk: Uint8Array) => {
      bytes += chunk.length;
      if (bytes <= MOST_BYTES) chunks.push(chunk);
      else asked.destroy(new Error("it answers too much"));
    });
    response.on("error", reject);
    response.on("end", () => {
      const from = response.headers["deployd-host"];
      const text = Buffer.concat(chunks).toString("utf8");
      resolve({ status: response.statusCode ?? 0, from: typeof from === "string" ? from : null, text });
    });
  });
  asked.end();
  return promise;
}

function unreachable(why: string): HostAnswer {
  return { kind: "unreachable", why };
}
