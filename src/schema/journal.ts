import { z } from "zod";
import { errorCodeSchema } from "./error_code.ts";
import { leavingPhaseSchema } from "./leaving.ts";
import { hostStepSchema } from "./znodes.ts";
import { restartPhases, type RestartPhase } from "./restart_phases.ts";
import { trafficKinds } from "./traffic_sections.ts";

/*
 * `<root>/state.json`, written by the agent for itself: what a host cannot observe and must not forget. It is parsed like
 * any other input, since a disk can bring back half a file and a person can edit it.
 *
 * An agent may find the file of a newer one, after a failed upgrade was taken back. So whatever it does not know is
 * carried along: fields at any depth, and words that only people read. What it would have to act on (a phase of an
 * activation, a traffic back end) it must know, or it leaves the service alone; see journal_versions.ts.
 */

/** A word that a newer deployd wrote and this one does not know: it is shown as it is and never acted on. */
const foreignWord = z.string().brand<"foreign word">();

/** Why a build could not be activated here. */
const stepFailureSchema = z.looseObject({
  code: z.union([errorCodeSchema, foreignWord]),
  message: z.string(),
  hint: z.string(),
  step: z.union([hostStepSchema, foreignWord]),
  /** The end of the step's output; empty when it has none. */
  log: z.string(),
  /** Limited to what a Date can represent. */
  atMs: z.number().min(0).max(8.64e15),
});
export type StepFailure = Seen<typeof stepFailureSchema>;

const names = z.array(z.string());

/** The restart of a service's instances, batch after batch; written to the disk before each change. */
const restartProgressSchema = z.looseObject({
  /** How many times the restart of this batch was begun. */
  begun: z.int().min(0),
  /** The instances that are being restarted; empty between two batches. */
  batch: names,
  /** The instances that have still to be restarted, including `batch`; empty when all are done. */
  left: names,
  /** How many times the machine was rebooted in the middle of it. */
  boots: z.exactOptional(z.int().min(0)),
});
export type RestartProgress = Seen<typeof restartProgressSchema>;

const phaseMs = z.exactOptional(z.number());

const phaseMsSchema = z
  .object(Object.fromEntries(restartPhases.map((phase) => [phase, phaseMs])) as Record<RestartPhase, typeof phaseMs>)
  .catchall(z.number());

/** What restarts cost the clients, summed over an activation. */
const restartCostSchema = z.looseObject({
  instances: z.int().min(0),
  /** Connections that were still open when their instance was stopped; null where they cannot be counted. */
  closed: z.int().min(0).nullable(),
  /** Connections refused while traffic was off, as far as the traffic back end can tell; null where it cannot. */
  refused: z.int().min(0).nullable(),
  /** Phases that failed or ran into their deadline, but were forced, so that they did not call the restart off. */
  forced: z.array(z.union([z.enum(restartPhases), foreignWord])),
  phaseMs: phaseMsSchema,
});
export type RestartCost = Seen<typeof restartCostSchema>;

const activationPhaseSchema = z.discriminatedUnion("kind", [
  z.looseObject({ kind: z.literal("forward"), restart: restartProgressSchema }),
  /** Checked and soaked. */
  z.looseObject({ kind: z.literal("proven") }),
  /** The build failed; the host is going back to the previous one. */
  z.looseObject({ kind: z.literal("back"), failure: stepFailureSchema, restart: restartProgressSchema }),
  /** Going back failed too, or there is nothing to go back to. */
  z.looseObject({ kind: z.literal("stuck"), failure: stepFailureSchema, second: stepFailureSchema.nullable() }),
]);
export type ActivationPhase = Seen<typeof activationPhaseSchema>;

/** ACTIVATE in progress, from before the flip until the build is proven, or has failed. */
const activationSchema = z.looseObject({
  build: z.string(),
  deploy: z.string(),
  previous: z.string().nullable(),
  attempt: z.int().min(0),
  /** How long the build must stay healthy; kept here, since ZooKeeper may be away when it is needed. */
  soakMs: z.number().min(0),
  /** The last known boot id of the kernel: instances that were restarted in an earlier boot do not run any more. */
  bootId: z.exactOptional(z.string()),
  phase: activationPhaseSchema,
  counts: restartCostSchema,
});
export type Activation = Seen<typeof activationSchema>;

const processStampSchema = z.looseObject({
  pid: z.int(),
  /** Clock ticks since boot, from /proc/<pid>/stat: together with the pid they identify one process until the next boot. */
  startTicks: z.number(),
  /** The instance that it belongs to, where that is known. */
  instance: z.string().nullish(),
});
export type ProcessStamp = Seen<typeof processStampSchema>;

/** The version that the agent writes now; journal_versions.ts migrates older files to it. */
export const JOURNAL_VERSION = 3;

export const journalSchema = z.looseObject({
  /**
   * The version of the agent that wrote the file last; fields that a newer one had written before are carried along all
   * the same.
   */
  version: z.literal(JOURNAL_VERSION),
  /**
   * The number of the last wish that this host has taken up. It grows with each, so that a grant for an older wish is
   * never mistaken for one for this wish.
   */
  attempt: z
    .looseObject({
      number: z.int().min(0),
      deploy: z.string(),
      build: z.string(),
      /** How many times its deploy had been tried again when it was taken up. */
      again: z.exactOptional(z.int().min(0)),
      /** Activations that were begun for this wish since the service last stayed in service for a while. */
      begun: z.exactOptional(z.int().min(0)),
      /** One of them succeeded: what is seen to run from then on is not this host's doing. */
      served: z.exactOptional(z.boolean()),
    })
    .nullable(),
  /** The highest numbers of the wishes that this host has followed, by node. */
  followed: z.exactOptional(z.looseObject({ enabled: z.int().min(0), canary: z.int().min(0) })),
  /**
   * What ZooKeeper tells of a life of this host that this journal knows nothing of, since its disk is new or was put back:
   * its numbers are gone on from, and a slot that it was using then is told to be lost.
   */
  former: z.exactOptional(
    z.looseObject({
      attempt: z.int().min(0),
      followed: z.int().min(0),
      lost: z
        .looseObject({ deploy: z.string(), build: z.string(), attempt: z.int().min(0), atMs: z.number().min(0) })
        .nullable(),
    }),
  ),
  /** How many times the install steps of `build` were begun for `deploy`. */
  installs: z.looseObject({ deploy: z.string(), build: z.string(), begun: z.int().min(0) }).nullable(),
  activation: activationSchema.nullable(),
  /**
   * Instances whose traffic is off, or may be: written before it is turned off. `bootId` is the kernel's: firewall rules
   * do not survive a boot. `by` is the kind of back end, whose traces are removed when the host uses another.
   */
  traffic: z
    .looseObject({
      by: z.enum(trafficKinds),
      off: names,
      bootId: z.string(),
    })
    .nullable(),
  /**
   * What was done after the last boot of the machine: how many times starting what it had left down was begun, and
   * whether that is over because the service was seen to run in that boot.
   */
  boot: z.exactOptional(z.looseObject({ id: z.string(), begun: z.int().min(0), over: z.boolean() })),
  /**
   * The host leaves the fleet: its service is being stopped, is stopped, or is started again. While it is in here nothing
   * but the end of its hold brings the service up. `bootId` is that of the stop: a boot may have started it since.
   */
  leaving: z.exactOptional(
    z.looseObject({ phase: leavingPhaseSchema, who: z.string(), why: z.string(), bootId: z.string() }),
  ),
  /** What the last restarts cost. */
  lastRestart: restartCostSchema.extend({ build: z.string(), deploy: z.string() }).nullable(),
  /** The build that failed here; it is not tried again under the same deploy. */
  failed: z
    .looseObject({
      deploy: z.string(),
      build: z.string(),
      failure: stepFailureSchema,
      attempt: z.int().min(0),
      /** How many times its deploy had been tried again by then; a host tries once more when it is again. */
      again: z.exactOptional(z.int().min(0)),
      healthy: z.boolean(),
    })
    .nullable(),
  /** The processes that ran after the last restart that passed its check, and the build they were started from. */
  restarted: z
    .looseObject({
      build: z.string(),
      processes: z.array(processStampSchema),
      /** What agent.toml said of the service then, as a digest: a running service does not hear of a change. */
      config: z.exactOptional(z.string()),
    })
    .nullable(),
  /** The last two builds that passed check and soak, newest first. */
  proven: z.array(z.string()),
  /** The last deploy that succeeded here; a restart under the same wish does not count. */
  served: z.exactOptional(z.looseObject({ deploy: z.string(), build: z.string(), atMs: z.number().min(0) })),
});
export type Journal = Seen<typeof journalSchema>;

export const emptyJournal: Journal = {
  version: JOURNAL_VERSION,
  attempt: null,
  installs: null,
  activation: null,
  traffic: null,
  lastRestart: null,
  failed: null,
  restarted: null,
  proven: [],
};

/** The value as code sees it: read-only, and without the fields that are only carried along. */
type Seen<Schema extends z.ZodType> = Known<z.output<Schema>>;
type Known<Value> = Value extends string | number | boolean | null | undefined
  ? Value
  : Value extends readonly (infer Item)[]
    ? readonly Known<Item>[]
    : { readonly [Key in keyof Value as string extends Key ? never : Key]: Known<Value[Key]> };
