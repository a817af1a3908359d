import { z } from "zod";
import { buildId, timestamp } from "./names.ts";
import { byWhom, deployCostSchema } from "./znodes.ts";

export const deployStateSchema = z.enum([
  "preparing",
  "canary",
  "awaiting promotion",
  "rolling",
  "done",
  "halted",
  "aborted",
  "rolling back",
  "rolled back",
]);
export type DeployState = z.output<typeof deployStateSchema>;

const stageSchema = z.enum(["canary", "fleet"]);

/** The facts of a deploy that every state has. */
const deploy = {
  build: buildId,
  /** The build to go back to; null for the first deploy of a service. */
  previous: buildId.nullable(),
  who: z.string(),
  why: z.string(),
  /** The stages of the deploy, in order. */
  stages: z.array(stageSchema).min(1),
  limits: z.looseObject({ max: z.int().min(1), budget: z.int().min(0), soakMs: z.int().min(0) }),
  /** Begins with 1, and is one more each time a person tries again: failures count against the budget of their round. */
  round: z.int().min(1).default(1),
  /** What its restarts into each build cost, there and back; written when it has ended and no host is at work any more. */
  costs: z.record(buildId, deployCostSchema).optional(),
};

const onCanaries = { stage: z.literal("canary") };
const onFleet = { stage: z.literal("fleet"), promoted: byWhom.optional() };
/** The stage that the deploy is in, or was in when it ended. */
const onEither = { stage: stageSchema, promoted: byWhom.optional() };

const running = { times: z.looseObject({ created: timestamp, changed: timestamp }) };
const ended = { times: z.looseObject({ created: timestamp, changed: timestamp, ended: timestamp }) };

/** The reason for its state: the first failure of a halted deploy, or what a person gave as the reason. */
const because = { reason: z.string().default("") };

/**
 * How the deploy came to be rolled back: who decided it, in which state it was then, and the build that it goes back to.
 */
const wayBackSchema = byWhom.extend({ from: deployStateSchema, to: buildId });
export type WayBack = z.output<typeof wayBackSchema>;

/**
 * `services/<service>/deploys/<id>`. Each state has the fields that are known in it; only `core/deploy.ts` moves a deploy
 * from one state to another.
 */
export const deployRecordSchema = z.discriminatedUnion(
  "state",
  [
    z.looseObject({ ...deploy, ...onEither, ...running, state: z.literal("preparing") }),
    z.looseObject({ ...deploy, ...onCanaries, ...running, state: z.literal("canary") }),
    /** Every canary host serves the build, and a person has to decide. */
    z.looseObject({ ...deploy, ...onCanaries, ...running, state: z.literal("awaiting promotion") }),
    z.looseObject({ ...deploy, ...onFleet, ...running, state: z.literal("rolling") }),
    z.looseObject({ ...deploy, ...onFleet, ...ended, state: z.literal("done") }),
    z.looseObject({
      ...deploy,
      ...onEither,
      ...ended,
      ...because,
      state: z.literal("halted"),
      rollback: wayBackSchema.optional(),
    }),
    z.looseObject({
      ...deploy,
      ...onEither,
      ...ended,
      ...because,
      state: z.literal("aborted"),
      rollback: wayBackSchema.optional(),
    }),
    z.looseObject({
      ...deploy,
      ...onEither,
      ...running,
      ...because,
      state: z.literal("rolling back"),
      rollback: wayBackSchema,
    }),
    z.looseObject({
      ...deploy,
      ...onEither,
      ...ended,
      ...because,
      state: z.literal("rolled back"),
      rollback: wayBackSchema,
    }),
  ],
  { error: (issue) => (issue.code === "invalid_union" ? "this deployd knows no such state" : undefined) },
);
export type DeployRecord = z.output<typeof deployRecordSchema>;
