import { z } from "zod";
import { targetName } from "./names.ts";

/** Each target is told for itself, and what it was told is kept for each deploy. */
const MOST_TARGETS = 8;

/**
 * Who is told what becomes of a service's deploys, by name alone: where that is and its key stand in the agent.toml of the
 * hosts that may conduct. So no secret comes to ZooKeeper, and nobody who writes there steers requests of root.
 */
export const notifySchema = z
  .array(targetName)
  .max(MOST_TARGETS, `at most ${MOST_TARGETS} targets are told`)
  .superRefine((names, context) => {
    const twice = names.find((name, at) => names.indexOf(name) < at);
    if (twice !== undefined) context.addIssue({ code: "custom", message: `"${twice}" is named twice` });
  });
