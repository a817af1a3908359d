import { z } from "zod";

/** How far a host has left: its service is being stopped for good, is stopped, or is started again since it is to stay. */
export const leavingPhaseSchema = z.enum(["stopping", "stopped", "starting"]);

/** What a host says of that; "refused" where it does not stop its service for anybody. */
export const leavingToldSchema = z.looseObject({
  phase: leavingPhaseSchema.or(z.literal("refused")),
  problem: z.string().default(""),
});
