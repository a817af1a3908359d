import { connect } from "node:net";
import type { ProbeSpec } from "../core/resolved_recipe.ts";
import type { QuestionEffects } from "./http.ts";
import { type Asking, type HostNames, reach } from "./reach.ts";
import { askEach } from "./request.ts";
import { networkFailure, type ProbeFailure, timedOut } from "./result.ts";

/** Connects and hangs up. @returns null when the connection stood */
export async function probeTcp(
  spec: Extract<ProbeSpec, { kind: "tcp" }>,
  signal: AbortSignal,
  asking: Asking,
  { clock, names }: QuestionEffects,
): Promise<ProbeFailure | null> {
  const { promise, resolve } = Promise.withResolvers<ProbeFailure | null>();
  const over = new AbortController();
  const cancel = clock.after(spec.timeoutMs, () => resolve(timedOut(spec.timeoutMs)));
  // The caller throws; here it only has to end.
  const onAbort = (): void => resolve(null);
  signal.addEventListener("abort", onAbort, { once: true });
  ask(spec, asking, names, over.signal).then(resolve, (error: unknown) => resolve(networkFailure(error)));
  try {
    return await promise;
  } finally {
    cancel();
    signal.removeEventListener("abort", onAbort);
    over.abort();
  }
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
  const onAbort = (): void => reject(new Error("called off"));
  signal.addEventListener("abort", onAbort, { once: true });
  socket.once("connect", () => resolve(null));
  socket.on("error", reject);
  return promise.finally(() => {
    signal.removeEventListener("abort", onAbort);
    socket.destroy();
  });
}
