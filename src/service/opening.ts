import { asDeployError } from "../core/errors.ts";
import { redact } from "../support/redact.ts";
import type { ServiceHost } from "./service_host.ts";
import type { ServiceState } from "./service_state.ts";

type Say = (level: "info" | "warn" | "error", message: string, facts: object) => void;

/**
 * Ends what a killed agent left running and makes sure that the service's directories exist and belong to it.
 *
 * @throws DeployError
 */
export async function openHost(host: ServiceHost, state: ServiceState, say: Say): Promise<void> {
  const processes = await host.open().catch((error: unknown) => {
    state.unopened = asDeployError(error, `Cannot work on "${state.service}"`);
    throw state.unopened;
  });
  state.unopened = null;
  if (state.disowned !== "") say("warn", state.disowned, {});
  if (processes > 0) say("warn", "ended what a killed agent had left running", { processes });
}

/** Sets the traffic as the journal says. A failure is logged, and the next check tries again. */
export async function assertTraffic(
  host: ServiceHost,
  state: ServiceState,
  say: Say,
  signal: AbortSignal,
): Promise<void> {
  try {
    if (state.journal.problem === null) await host.trafficControl.assert(signal);
  } catch (error) {
    if (signal.aborted) return;
    say("error", redact(asDeployError(error, "Cannot put traffic in order").explained), {});
  }
}
