import { connect } from "node:net";
import type { ProbeSpec } from "../core/recipe.ts";
import type { Clock } from "../support/clock.ts";
import { networkFailure, type ProbeFailure, timedOut } from "./result.ts";

/** Connects and hangs up. @returns null when the connection stood */
export async function probeTcp(
  spec: Extract<ProbeSpec, { kind: "tcp" }>,
  signal: AbortSignal,
  clock: Clock,
): Promise<ProbeFailure | null> {
  const { promise, resolve } = Promise.withResolvers<ProbeFailure | null>();
  const socket = connect({ host: spec.host, port: spec.port });
  const cancel = clock.after(spec.timeoutMs, () => resolve(timedOut(spec.timeoutMs)));
  // The caller throws; here it only has to end.
  const onAbort = (): void => resolve(null);
  signal.addEventListener("abort", onAbort, { once: true });
  socket.once("connect", () => resolve(null));
  socket.on("error", (error) => resolve(networkFailure(error)));
  try {
    return await promise;
  } finally {
    cancel();
    signal.removeEventListener("abort", onAbort);
    socket.destroy();
  }
}
