import { connect } from "node:net";
import type { ProbeSpec } from "../core/resolved_recipe.ts";
import { onAbort } from "../support/abort.ts";
import { answerWithin } from "../support/wait.ts";
import type { QuestionEffects } from "./http.ts";
import { type Asking, type HostNames, reach } from "./reach.ts";
import { askEach } from "./request.ts";
import { networkFailure, type ProbeFailure, timedOut } from "./result.ts";

/** Connects and closes the connection. @returns null if the connection was established */
export async function probeTcp(
  spec: Extract<ProbeSpec, { kind: "tcp" }>,
  signal: AbortSignal,
  asking: Asking,
  { clock, names }: QuestionEffects,
): Promise<ProbeFailure | null> {
  const work = (signal: AbortSignal): Promise<ProbeFailure | null> =>
    ask(spec, asking, names, signal).catch(networkFailure);
  // If the probe is aborted, the caller throws.
  const otherwise = { late: timedOut(spec.timeoutMs), calledOff: null };
  return answerWithin(work, spec.timeoutMs, otherwise, signal, clock);
}

async function ask(
  { host, port }: Extract<ProbeSpec, { kind: "tcp" }>,
  asking: Asking,
  names: HostNames,
  signal: AbortSignal,
): Promise<ProbeFailure | null> {
  const reached = await reach(host, asking, names);
  if ("failure" in reached) return reached.failure;
  return askEach(reached.addresses, (address) => connects(address, port, signal));
}

function connects(host: string, port: number, signal: AbortSignal): Promise<null> {
  const { promise, resolve, reject } = Promise.withResolvers<null>();
  const socket = connect({ host, port });
  const forget = onAbort(signal, () => reject(new Error("called off")));
  socket.once("connect", () => resolve(null));
  socket.on("error", reject);
  return promise.finally(() => {
    forget();
    socket.destroy();
  });
}
