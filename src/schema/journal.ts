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

const names = z.array(z.string());
const roll = z.object({ begun: z.int().min(0), batch: names, left: names });

const restartPhase = z.enum(["off", "tell", "idle", "stop", "start", "healthy", "on", "verify"]);
const counts = z.object({
  instances: z.int().min(0),
  closed: z.int().min(0).nullable(),
  refused: z.int().min(0).nullable(),
  forced: z.array(restartPhase),
  phaseMs: z.partialRecord(restartPhase, z.number()),
});

const phase = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("forward"), restart: roll }),
  z.object({ kind: z.literal("proven") }),
  z.object({ kind: z.literal("back"), failure: stepFailure, restart: roll }),
  z.object({ kind: z.literal("stuck"), failure: stepFailure, second: stepFailure.nullable() }),
]);

const stamp = z.object({ pid: z.int(), startTicks: z.number(), instance: z.string().nullish() });

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
      counts,
    })
    .nullable(),
  traffic: z
    .object({
      by: z.enum(["none", "nft", "iptables", "haproxy", "reject", "hook"]),
      off: names,
      bootId: z.string(),
    })
    .nullable()
    .default(null),
  lastRoll: counts.extend({ build: z.string(), deploy: z.string() }).nullable().default(null),
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
