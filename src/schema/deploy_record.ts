import { z } from "zod";
import { limitsSchema } from "./limits.ts";
import { buildId, deployId, timestamp, zoneName } from "./names.ts";
import { reachSchema, stagesSchema } from "./stages.ts";
import { onHaltSchema } from "./on_halt.ts";
import { notifySchema } from "./notify.ts";
import { byWhom, deployCostSchema } from "./znodes.ts";

export const deployStateSchema = z.enum([
  "preparing",
  "canary",
  "awaiting promotion",
  "rolling",
  "paused",
  "done",
  "halted",
  "aborted",
  "rolling back",
  "rolled back",
]);
export type DeployState = z.output<typeof deployStateSchema>;

/** The states that a deploy comes back to when it was paused, or halted, and is resumed. */
const resumableSchema = z.enum(["preparing", "canary", "awaiting promotion", "rolling", "rolling back"]);
export type ResumableState = z.output<typeof resumableSchema>;

/** What people do to a deploy. */
const verbSchema = z.enum(["started", "promoted", "paused", "resumed", "retried", "turned round", "aborted"]);

/** One thing that a person has done, or the conductor in their name, for the record. */
const actSchema = byWhom.extend({
  act: verbSchema,
  /** Why it was done although the service was frozen, or none of its windows was open. */
  override: z.string().optional(),
});
export type Act = z.output<typeof actSchema>;

/**
 * How many hosts percentages are of, in all and by zone: those that served when the first host was granted a slot, or all
 * of a service that served nowhere. Later it never changes.
 */
const baseSchema = z.looseObject({ hosts: z.int().min(0), zones: z.record(zoneName, z.int().min(0)).default({}) });
export type Base = z.output<typeof baseSchema>;

/** What is kept of the failures under a deploy when its hosts have gone on to another one. */
const failureSummarySchema = z.looseObject({
  /** How many hosts failed, at least: who fails again, or is tried again and succeeds, is not counted twice. */
  hosts: z.int().min(0),
  /** Some of them, the first first. */
  first: z.array(z.looseObject({ host: z.string(), reason: z.string() })).max(5),
});
export type FailureSummary = z.output<typeof failureSummarySchema>;

const noticeKindSchema = z.enum([
  "started",
  "stage",
  "promoted",
  "paused",
  "resumed",
  "retried",
  "halted",
  "done",
  "rolling-back",
  "rolled-back",
  "aborted",
]);
export type NoticeKind = z.output<typeof noticeKindSchema>;

/** One thing that became of a deploy, for those who are to be told. */
const noticeSchema = z.looseObject({
  /** In the order in which things happened to the deploy, from 1, with none left out. */
  number: z.int().min(1),
  kind: noticeKindSchema,
  /** The state that it came to. */
  state: deployStateSchema,
  at: timestamp,
  who: z.string(),
  why: z.string(),
  /** The stage that it has reached, or comes to. */
  stage: z.string().optional(),
});
export type Notice = z.output<typeof noticeSchema>;

/** Who is told of a deploy: those whom its service named when it was started. */
const tellingSchema = z.looseObject({
  targets: notifySchema,
  /** The last of what became of it, oldest first. */
  notices: z.array(noticeSchema).default([]),
});

/** The facts of a deploy that every state has. */
const deploy = {
  build: buildId,
  /** The build to go back to; null for the first deploy of a service. */
  previous: buildId.nullable(),
  /** What the hosts serve that no stage has reached yet; null where nothing was served before. */
  before: z.looseObject({ build: buildId, deploy: deployId }).nullable().default(null),
  who: z.string(),
  why: z.string(),
  /** The stages of the deploy, in order. */
  stages: stagesSchema,
  /** The stage that the deploy is in, or was in when it ended: its place in `stages`, from 0. */
  stage: z.int().min(0),
  /** What the stages have reached so far; missing while it is on the canary hosts only. */
  reach: reachSchema.optional(),
  limits: limitsSchema,
  base: baseSchema.optional(),
  onHalt: onHaltSchema.default("ask"),
  /** It restarts what runs already, also on hosts that serve its build. */
  restarts: z.boolean().optional(),
  /** Begins with 1, and is one more each time a person tries again: failures count against the budget of their round. */
  round: z.int().min(1).default(1),
  /** How many times the hosts that failed were asked to try once more. */
  again: z.int().min(0).default(0),
  /** What its restarts into each build cost, there and back; written when it has ended and no host is at work any more. */
  costs: z.record(buildId, deployCostSchema).optional(),
  /** The hosts that failed on each build, there and back; written when it ends, and again where more fail after that. */
  failures: z.record(buildId, failureSummarySchema).optional(),
  /** What people have done to it, oldest first. */
  acts: z.array(actSchema).default([]),
  /** What became of it, where somebody is to be told: a halt that a person has ended by now is nowhere else. */
  telling: tellingSchema.optional(),
};

const running = { times: z.looseObject({ created: timestamp, changed: timestamp }) };
const ended = { times: z.looseObject({ created: timestamp, changed: timestamp, ended: timestamp }) };

/** The reason for its state: the first failure of a halted deploy, or what a person gave as the reason. */
const because = { reason: z.string().default("") };

/**
 * How the deploy came to be rolled back: who decided it, in which state it was then, and the build that it goes back to.
 */
const wayBackSchema = byWhom.extend({ from: deployStateSchema, to: buildId });
export type WayBack = z.output<typeof wayBackSchema>;

/** It stands still, in the middle of this state. */
const stopped = { ...because, from: resumableSchema, rollback: wayBackSchema.optional() };

/**
 * `services/<service>/deploys/<id>`. Each state has the fields that are known in it; only `core/deploy.ts` moves a deploy
 * from one state to another.
 */
export const deployRecordSchema = z.discriminatedUnion(
  "state",
  [
    z.looseObject({ ...deploy, ...running, state: z.literal("preparing") }),
    /** It comes to the canary hosts. */
    z.looseObject({ ...deploy, ...running, state: z.literal("canary") }),
    /** The hosts of its stage serve the build; a person decides, or time passes, before the next stage. */
    z.looseObject({ ...deploy, ...running, state: z.literal("awaiting promotion") }),
    /** It comes to the hosts of its stage, which is not that of the canary hosts. */
    z.looseObject({ ...deploy, ...running, state: z.literal("rolling") }),
    z.looseObject({ ...deploy, ...running, ...stopped, state: z.literal("paused") }),
    z.looseObject({ ...deploy, ...ended, state: z.literal("done") }),
    z.looseObject({ ...deploy, ...ended, ...stopped, state: z.literal("halted") }),
    z.looseObject({ ...deploy, ...ended, ...because, state: z.literal("aborted"), rollback: wayBackSchema.optional() }),
    z.looseObject({ ...deploy, ...running, ...because, state: z.literal("rolling back"), rollback: wayBackSchema }),
    z.looseObject({ ...deploy, ...ended, ...because, state: z.literal("rolled back"), rollback: wayBackSchema }),
  ],
  { error: (issue) => (issue.code === "invalid_union" ? "this deployd knows no such state" : undefined) },
);
export type DeployRecord = z.output<typeof deployRecordSchema>;
