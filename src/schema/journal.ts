import { z } from "zod";
import { errorCodeSchema } from "./error_code.ts";
import { hostStepSchema } from "./znodes.ts";
import { restartPhases, type RestartPhase } from "./restart_phases.ts";
import { trafficKinds } from "./traffic_sections.ts";

/*
 * `<root>/state.json`, written by the agent for itself: what a host cannot observe and must not forget. It is parsed like
 * anything else that crosses a border, since a disk can bring back half a file and a person can edit it.
 *
 * An agent may find the file of a newer one, which was taken back by an upgrade that failed. So whatever it does not know
 * is carried along: fields at any depth, and words where only people read them. What it would have to act on (a phase of
 * an activation, a traffic back end) it must know, or it leaves the service alone; see journal_versions.ts.
 */

/** A word that a newer deployd wrote and this one does not know: told as it is, never acted on. */
const foreignWord = z.string().brand<"foreign word">();

/** Why a build did not come to life here. */
const stepFailureSchema = z.looseObject({
  code: z.union([errorCodeSchema, foreignWord]),
  message: z.string(),
  hint: z.string(),
  step: z.union([hostStepSchema, foreignWord]),
  /** The end of the step's output; empty when it has none. */
  log: z.string(),
  /** Within what a Date can say. */
  atMs: z.number().min(0).max(8.64e15),
});
export type StepFailure = Seen<typeof stepFailureSchema>;

const names = z.array(z.string());

/** The restart of a service's instances, batch after batch; on disk before each change. */
const restartProgressSchema = z.looseObject({
  /** How often the restart of this batch was begun. */
  begun: z.int().min(0),
  /** The instances that are being restarted; empty between two batches. */
  batch: names,
  /** Those that are still to be restarted, `batch` among them; empty when it is done. */
  left: names,
  /** How often the machine was started anew in the middle of it. */
  boots: z.exactOptional(z.int().min(0)),
});
export type RestartProgress = Seen<typeof restartProgressSchema>;

const phaseMs = z.exactOptional(z.number());

const phaseMsSchema = z
  .object(Object.fromEntries(restartPhases.map((phase) => [phase, phaseMs])) as Record<RestartPhase, typeof phaseMs>)
  .catchall(z.number());

/** What restarts cost the clients, added up over an activation. */
const restartCostSchema = z.looseObject({
  instances: z.int().min(0),
  /** Connections that were open when their instance was stopped; null where nothing can count them. */
  closed: z.int().min(0).nullable(),
  /** Connections refused while traffic was off, as far as the traffic back end can tell; null where it cannot. */
  refused: z.int().min(0).nullable(),
  /** Phases that failed or ran into their deadline, and did not call the restart off because they were forced. */
  forced: z.array(z.union([z.enum(restartPhases), foreignWord])),
  phaseMs: phaseMsSchema,
});
export type RestartCost = Seen<typeof restartCostSchema>;

const activationPhaseSchema = z.discriminatedUnion("kind", [
  z.looseObject({ kind: z.literal("forward"), restart: restartProgressSchema }),
  /** Checked and soaked; the slot is being given back. */
  z.looseObject({ kind: z.literal("proven") }),
  /** The build failed; the host works its way back to the previous one. */
  z.looseObject({ kind: z.literal("back"), failure: stepFailureSchema, restart: restartProgressSchema }),
  /** Going back failed too, or there is nothing to go back to. */
  z.looseObject({ kind: z.literal("stuck"), failure: stepFailureSchema, second: stepFailureSchema.nullable() }),
]);
export type ActivationPhase = Seen<typeof activationPhaseSchema>;

/** ACTIVATE in progress, from before the flip until the slot is given back. */
const activationSchema = z.looseObject({
  build: z.string(),
  deploy: z.string(),
  previous: z.string().nullable(),
  attempt: z.int().min(0),
  /** How long the build must stay healthy; kept here, for ZooKeeper may be away when it is to be known. */
  soakMs: z.number().min(0),
  /** The kernel's, as it was known last: what was restarted in an earlier boot does not run any more. */
  bootId: z.exactOptional(z.string()),
  phase: activationPhaseSchema,
  counts: restartCostSchema,
});
export type Activation = Seen<typeof activationSchema>;

const processStampSchema = z.looseObject({
  pid: z.int(),
  /** Clock ticks since boot, from /proc/<pid>/stat: with the pid it names one process for as long as the kernel runs. */
  startTicks: z.number(),
  /** The instance it belongs to, where that is known. */
  instance: z.string().nullish(),
});
export type ProcessStamp = Seen<typeof processStampSchema>;

/** Of what the agent writes now; journal_versions.ts brings older files to it. */
export const JOURNAL_VERSION = 2;

export const journalSchema = z.looseObject({
  /** Of the agent that wrote the file last; what a newer one had written before is carried along all the same. */
  version: z.literal(JOURNAL_VERSION),
  /** Numbers the wishes this host has taken up; grows with each, so that a grant for an older one is never mistaken. */
  attempt: z
    .looseObject({
      number: z.int().min(0),
      deploy: z.string(),
      build: z.string(),
      /** Activations that were begun for it since the service last stayed in service for a while. */
      begun: z.exactOptional(z.int().min(0)),
      /** One of them came to its end: what is seen to run from then on is not this host's doing. */
      served: z.exactOptional(z.boolean()),
    })
    .nullable(),
  /** The highest numbers of wishes that this host has followed, by the node that they were in. */
  followed: z.exactOptional(z.looseObject({ enabled: z.int().min(0), canary: z.int().min(0) })),
  /** The deploy whose slot this host asked for. */
  asked: z.looseObject({ deploy: z.string(), attempt: z.int().min(0) }).nullable(),
  /** Times that the install steps of `build` were begun for `deploy`. */
  installs: z.looseObject({ deploy: z.string(), build: z.string(), begun: z.int().min(0) }).nullable(),
  activation: activationSchema.nullable(),
  /**
   * Instances whose traffic is off, or may be: written before it is turned off. `bootId` is the kernel's: rules do not
   * outlive a boot. `by` is the kind of back end, whose traces are removed when the host uses another.
   */
  traffic: z
    .looseObject({
      by: z.enum(trafficKinds),
      off: names,
      bootId: z.string(),
    })
    .nullable(),
  /**
   * What was seen to after the machine was started: how often the start of what that had left down was begun, and whether it
   * is over, since the service was seen to run in that boot.
   */
  boot: z.exactOptional(z.looseObject({ id: z.string(), begun: z.int().min(0), over: z.boolean() })),
  /** What the last restarts cost. */
  lastRestart: restartCostSchema.extend({ build: z.string(), deploy: z.string() }).nullable(),
  /** The build that failed here, not to be tried again under the same deploy. */
  failed: z
    .looseObject({
      deploy: z.string(),
      build: z.string(),
      failure: stepFailureSchema,
      attempt: z.int().min(0),
      /** False when ZooKeeper has not taken the report yet. */
      reported: z.boolean(),
      healthy: z.boolean(),
    })
    .nullable(),
  /** The processes that ran after the last restart that passed its check, and the build they were started from. */
  restarted: z.looseObject({ build: z.string(), processes: z.array(processStampSchema) }).nullable(),
  /** The last two builds that passed check and soak, newest first. */
  proven: z.array(z.string()),
  /** The last deploy that came to its good end here; what the host started again under the same wish is none. */
  served: z.exactOptional(z.looseObject({ deploy: z.string(), build: z.string(), atMs: z.number().min(0) })),
});
export type Journal = Seen<typeof journalSchema>;

export const emptyJournal: Journal = {
  version: JOURNAL_VERSION,
  attempt: null,
  asked: null,
  installs: null,
  activation: null,
  traffic: null,
  lastRestart: null,
  failed: null,
  restarted: null,
  proven: [],
};

/** The value as code sees it: never changed in place, and without a name for what is only carried along. */
type Seen<Schema extends z.ZodType> = Known<z.output<Schema>>;
type Known<Value> = Value extends string | number | boolean | null | undefined
  ? Value
  : Value extends readonly (infer Item)[]
    ? readonly Known<Item>[]
    : { readonly [Key in keyof Value as string extends Key ? never : Key]: Known<Value[Key]> };
