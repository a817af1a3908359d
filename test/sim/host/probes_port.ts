import type { Probes } from "../../../src/machine/probes.ts";
import { probeFailure, type ProbeFailure, timedOut } from "../../../src/probe/result.ts";
import type { SimFront } from "./front.ts";
import type { Ground } from "./ground.ts";
import type { Life } from "./life.ts";
import type { Answer } from "./process_table.ts";

const LONGEST_ANSWER_MS = 20;
const TELL_TIMEOUT_MS = 5_000;

/** Questions to what listens on a host. */
export function probesOf(life: Life, ground: Ground, front: SimFront): Probes {
  const { processes, chance } = ground;
  const ask = (port: number): Answer | null => {
    const instance = front.route(port);
    return (instance === null ? null : processes.at(instance)?.answer()) ?? null;
  };
  /** What it says, in the time that this takes. */
  const asked = async <T>(
    port: number,
    timeoutMs: number,
    judge: (answer: Answer | null) => T,
    late: T,
  ): Promise<T> => {
    const tookMs = chance.random() * LONGEST_ANSWER_MS;
    const answer = await life.lookAfter(Math.min(tookMs, timeoutMs), () => ask(port));
    if (answer?.kind === "silence") return life.lookAfter(Math.max(0, timeoutMs - tookMs), () => late);
    return judge(answer);
  };
  return {
    mayAsk: async () => null,
    http: ({ url, expectStatus, expectBody, timeoutMs }, signal) =>
      asked<ProbeFailure | null>(
        portOf(url),
        timeoutMs,
        (answer) => {
          if (signal.aborted) return null;
          if (answer?.kind !== "answer") return probeFailure("connection refused");
          const { status, body } = answer;
          if (!expectStatus.includes(status)) return probeFailure(`http ${status}`, body);
          return expectBody === undefined || body.includes(expectBody)
            ? null
            : probeFailure(`body lacks "${expectBody}"`, body);
        },
        timedOut(timeoutMs),
      ),
    tcp: ({ port }) =>
      life.lookAfter(chance.random() * LONGEST_ANSWER_MS, () =>
        ask(port) === null ? probeFailure("connection refused") : null,
      ),
    post: (url) =>
      asked(
        portOf(url),
        TELL_TIMEOUT_MS,
        (answer) => {
          const process = processes.at(portOf(url));
          // Nobody listens: there is nobody to tell.
          if (answer === null || process === null) return "";
          life.act("signal", `post ${url}`, () => front.tell(process.pid, url.endsWith("/drain")), undefined);
          return "";
        },
        `no answer within ${TELL_TIMEOUT_MS} ms`,
      ),
  };
}

function portOf(url: string): number {
  return Number(new URL(url).port);
}
