/** The phases of a restart, in the order of a drain (docs/restarts.md). */
export const restartPhases = ["off", "tell", "idle", "stop", "start", "healthy", "on", "probe"] as const;
export type RestartPhase = (typeof restartPhases)[number];

/**
 * The phases whose failure may be forced, so that it does not call the restart off: a recipe may force those that concern
 * its own clients, agent.toml those that concern what stands in front. A failed start and an unhealthy instance are never
 * ignored.
 */
export const forcedByBuild = ["tell", "idle", "stop"] as const satisfies readonly RestartPhase[];
export const forcedByHost = ["off", "on", "probe"] as const satisfies readonly RestartPhase[];
