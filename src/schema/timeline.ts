import { z } from "zod";
import { deployStateSchema } from "./deploy_record.ts";
import { hostStateSchema } from "./host_state.ts";
import { hostName, timestamp } from "./names.ts";

/** A length of time, or an instant after the beginning of the deploy, in milliseconds. */
const ms = z.int().min(0);

/** The deploy came into a state, or into another stage of it. */
const timelineMarkSchema = z.looseObject({
  atMs: ms,
  state: deployStateSchema,
  /** The stage that it was in then, as it is typed: "canary", "10%/5m". */
  stage: z.string(),
});
export type TimelineMark = z.output<typeof timelineMarkSchema>;

/** A host that took long, and where the time went. */
const slowHostSchema = z.looseObject({
  host: hostName,
  /** Without what it waited for its turn. */
  ms,
  /** By what it did: "prepare", "wait", the phases of a restart, "restart" for what else it did then, "soak", "back". */
  partsMs: z.record(z.string(), ms),
});
export type SlowHost = z.output<typeof slowHostSchema>;

/** The hosts that failed: how many, and some of them, the first first. */
const failedHostsSchema = z.looseObject({
  hosts: z.int().min(0),
  first: z.array(z.looseObject({ host: hostName, reason: z.string() })),
});
export type FailedHosts = z.output<typeof failedHostsSchema>;

/** Nobody watched from the one instant to the other. */
const gapSchema = z.looseObject({ fromMs: ms, toMs: ms });
export type Gap = z.output<typeof gapSchema>;

/**
 * `services/<service>/timelines/<deploy>`: how the hosts went from state to state, as the conductors have seen it; at most
 * 16 kB (core/timeline_record.ts). A column for each state that any host was in, and in it what each sample adds to the
 * number of the sample before.
 */
export const timelineRecordSchema = z
  .looseObject({
    /** When the deploy was begun, by ZooKeeper's clock. */
    started: timestamp,
    /** When a conductor looked last. */
    untilMs: ms,
    /** How far samples are apart at least, but for the last and those that show the most of something. */
    everyMs: z.int().min(1),
    /** For each sample how long after the one before it was taken; the first counts from the beginning of the deploy. */
    stepsMs: z.array(ms),
    counts: z.partialRecord(hostStateSchema, z.array(z.int())),
    gaps: z.array(gapSchema),
    marks: z.array(timelineMarkSchema),
    /** How many marks in the middle there was no room for. */
    marksLeftOut: z.int().min(0).default(0),
    slowest: z.array(slowHostSchema),
    failed: failedHostsSchema,
  })
  .superRefine(({ stepsMs, counts }, context) => {
    for (const [state, column] of Object.entries(counts)) {
      if (column.length !== stepsMs.length)
        context.addIssue({
          code: "custom",
          path: ["counts", state],
          message: `it has ${column.length} numbers, and there are ${stepsMs.length} samples`,
        });
      let count = 0;
      if (column.some((each) => (count += each) < 0))
        context.addIssue({ code: "custom", path: ["counts", state], message: "it comes to less than no host" });
    }
  });
export type TimelineRecord = z.output<typeof timelineRecordSchema>;
