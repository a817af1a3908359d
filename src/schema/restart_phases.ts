/** The phases of a restart, in the order of a drain (docs/restarts.md). */
export const restartPhases = ["off", "tell", "idle", "stop", "start", "healthy", "on", "probe"] as const;
export type RestartPhase = (typeof restartPhases)[number];

/**
 * Those whose failure may be forced, so that it does not call the restart off: a build says it of what concerns its own
 * clients, the host's file of what stands in front. A start that failed, and an instance that is ill, are never passed over.
 */
export const forcedByBuild = ["tell", "idle", "stop"] as const satisfies readonly RestartPhase[];
export const forcedByHost = ["off", "on", "probe"] as const satisfies readonly RestartPhase[];
