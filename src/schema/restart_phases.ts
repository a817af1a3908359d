import { z } from "zod";
import { buildId } from "./names.ts";

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

/** What the last restart of a service on a host cost; times in milliseconds by phase. */
export const restartToldSchema = z.looseObject({
  build: buildId,
  deploy: z.string(),
  instances: z.int().min(0),
  closed: z.int().min(0).nullable(),
  refused: z.int().min(0).nullable(),
  /** Phases that failed but were forced. */
  forced: z.array(z.string()),
  phaseMs: z.record(z.string(), z.number()),
});
