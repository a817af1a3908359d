import { assertRestartAllowed } from "../core/policy.ts";
import { noCounts } from "../core/restart_progress.ts";
import { driveStop } from "../restart/stop.ts";
import { idleMsOf, restartEffects, type Member } from "./restart_rung.ts";
import type { ServiceHost } from "./service_host.ts";
import type { ServiceState } from "./service_state.ts";

/**
 * Stops every instance of what `current` points at, as its build says it: without traffic, and when it is idle. May be done
 * again after it was interrupted anywhere.
 *
 * @throws DeployError where it was called off; then it has its traffic again
 */
export async function stopService(host: ServiceHost, state: ServiceState, signal: AbortSignal): Promise<void> {
  const members = new Map<string, Member>();
  for (const instance of host.instances) {
    const current = await host.current(instance);
    if (current === null) return;
    const resolvedRecipe = await current.resolvedRecipe();
    const { restart, drain } = resolvedRecipe;
    // Files alone: nothing runs.
    if (restart === null) return;
    assertRestartAllowed(restart, host.policy);
    members.set(instance.name, { command: current.command, resolvedRecipe, restart, drain });
  }
  const effects = restartEffects({ host, state }, members, { counts: noCounts, touched: false });
  const [first] = members.values();
  const force = new Set([...(first?.resolvedRecipe.drain?.force ?? []), ...host.section.traffic.force]);
  try {
    await driveStop({ batch: [...members.keys()], idleMs: idleMsOf(host, members), force }, effects, signal);
  } finally {
    state.restartPhase = null;
  }
}
