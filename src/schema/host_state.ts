import { z } from "zod";

/** What a host is to the deploy that is watched. The worst first: of several hosts the first of these stands for all. */
export const hostStateSchema = z.enum([
  "failed",
  "unreachable",
  "going back",
  "restarting",
  "soaking",
  "ready",
  "preparing",
  "held",
  "leaving",
  "waiting",
  "idle",
  "done",
]);
export type HostState = z.output<typeof hostStateSchema>;
