import type { RestartSpec } from "../core/resolved_recipe.ts";
import type { Supervisor, SupervisorEffects } from "./effects.ts";
import { showUnit, tellUnit } from "./systemctl.ts";

/** States in which MainPID is a process of the service (systemctl(1), ActiveState). */
const RUNNING = new Set(["active", "reloading", "refreshing", "activating", "deactivating"]);

/** A systemd unit, which may be an instance of a template (`web@1.service`). */
export function systemdSupervisor(
  spec: Extract<RestartSpec, { by: "systemd" }>,
  effects: SupervisorEffects,
): Supervisor {
  const { unit, timeoutMs } = spec;
  return {
    restart: (signal) => tellUnit(spec.action, unit, timeoutMs, effects, signal),
    // To systemd a reload is one operation, so nothing can come between.
    parts:
      spec.action === "restart"
        ? {
            stop: (signal) => tellUnit("stop", unit, timeoutMs, effects, signal),
            start: (signal) => tellUnit("start", unit, timeoutMs, effects, signal),
          }
        : null,
    handover: null,
    revival: {
      isNeeded: async (signal) => (await showUnit(unit, effects, signal)).isStopped,
      start: (signal) => tellUnit("start", unit, timeoutMs, effects, signal),
    },
    mainPids: async (signal) => {
      // Between two automatic restarts a unit is "activating" and has no process.
      const { state, mainPid } = await showUnit(unit, effects, signal);
      return mainPid !== null && RUNNING.has(state) ? [mainPid] : [];
    },
  };
}
