import { z } from "zod";

/*
 * `<root>/state.json`, written by the agent for itself. It is parsed like anything else that crosses a border: a disk can
 * bring back half a file, and a person can edit it.
 */

const stepFailure = z.object({
  code: z.string(),
  message: z.string(),
  hint: z.string(),
  step: z.string(),
  log: z.string(),
  atMs: z.number(),
});

const tries = z.object({ begun: z.int().min(0), done: z.boolean() });

const phase = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("forward"), restart: tries }),
  z.object({ kind: z.literal("proven") }),
  z.object({ kind: z.literal("back"), failure: stepFailure, restart: tries }),
  z.object({ kind: z.literal("stuck"), failure: stepFailure, second: stepFailure.nullable() }),
]);

const stamp = z.object({ pid: z.int(), startTicks: z.number() });

export const journalSchema = z.object({
  version: z.literal(1),
  attempt: z.object({ number: z.int().min(0), deploy: z.string(), build: z.string() }).nullable(),
  asked: z.object({ deploy: z.string(), attempt: z.int().min(0) }).nullable(),
  installs: z.object({ deploy: z.string(), build: z.string(), begun: z.int().min(0) }).nullable(),
  activation: z
    .object({
      build: z.string(),
      deploy: z.string(),
      previous: z.string().nullable(),
      attempt: z.int().min(0),
      phase,
    })
    .nullable(),
  failed: z
    .object({
      deploy: z.string(),
      build: z.string(),
      failure: stepFailure,
      attempt: z.int().min(0),
      reported: z.boolean(),
      healthy: z.boolean(),
    })
    .nullable(),
  restarted: z.object({ build: z.string(), processes: z.array(stamp) }).nullable(),
  proven: z.array(z.string()),
});
