import { z } from "zod";
import { betweenServicesSchema } from "./between_services.ts";
import { leavingToldSchema } from "./leaving.ts";
import { limitsSchema } from "./limits.ts";
import { onHaltSchema } from "./on_halt.ts";
import { buildId, deployId, digest, timestamp, zoneName } from "./names.ts";
import { notifySchema } from "./notify.ts";
import { restartToldSchema } from "./restart_phases.ts";
import { reachSchema, stagesSchema } from "./stages.ts";
import { freezeSchema, windowSchema } from "./windows.ts";

/*
 * Everything deployd keeps in ZooKeeper (design, section 4), as JSON. Unlike files that people write, records are read
 * loosely: an older deployd carries along a field that a newer one added, and neither refuses nor drops it.
 */

/** `/`, the root of the tree: its format. A record without one has the first format. */
export const treeRecordSchema = z.looseObject({ format: z.int().min(1).default(1) });

/** Who made a decision, when and why. */
export const byWhom = z.looseObject({ who: z.string(), why: z.string(), time: timestamp });

/** `services/<service>`: an operator's settings. */
export const serviceSettingsSchema = z.looseObject({
  ...limitsSchema.shape,
  max: limitsSchema.shape.max.default(1),
  budget: limitsSchema.shape.budget.default(0),
  soakMs: limitsSchema.shape.soakMs.default(5_000),
  /** The stages of a deploy that names none. */
  stages: stagesSchema.optional(),
  /** What is done when a deploy halts: a person decides, it is rolled back, or nothing more is deployed until a person allows it. */
  onHalt: onHaltSchema.default("ask"),
  /** Nothing may be deployed while it is so. */
  freeze: freezeSchema.optional(),
  /** When deploys may start; at any time where there are none. */
  windows: z.array(windowSchema).max(64).optional(),
  /** A build that every host is to have ready, though no deploy brings it yet. */
  staged: byWhom.extend({ build: buildId }).optional(),
  /** A halted deploy that has frozen the service, and that a person has looked at since. */
  thawed: deployId.optional(),
  /** What it heeds of other services. */
  between: betweenServicesSchema.optional(),
  notify: notifySchema.optional(),
});
export type ServiceSettings = z.output<typeof serviceSettingsSchema>;

/** Far below where numbers lose precision, and far above what a service reaches; counting further stays at this number. */
export const HIGHEST_WISH_NUMBER = 2 ** 40;

const wishNumber = z.int().min(0).max(HIGHEST_WISH_NUMBER);

/**
 * `services/<service>/enabled` and `enabled/canary`. A wish written by hand may lack the deploy, or be just a build id.
 * `number` is one more than that of the wish before it, in either node (core/wish_order.ts).
 */
export const wishSchema = z.preprocess(
  (value) => (typeof value === "string" ? { build: value } : value),
  z.looseObject({
    build: buildId,
    deploy: deployId.optional(),
    number: wishNumber.optional(),
    /** How many hosts the service has; a host of a large fleet takes its time before it asks for more. */
    hosts: z.int().min(0).optional(),
    /** Which hosts the deploy has reached with its stages; all of them where it does not say. */
    reach: reachSchema.optional(),
    /** What the hosts serve that it has not reached; null where nothing was served before. */
    before: z.looseObject({ build: buildId, deploy: deployId }).nullable().optional(),
    /** Hosts restart the build for this deploy, also those that serve it already. */
    restarts: z.boolean().optional(),
    /** How many times the deploy was tried again: a host on which its build failed before tries it once more. */
    again: z.int().min(0).optional(),
  }),
);
export type Wish = z.output<typeof wishSchema>;

export const roleSchema = z.enum(["fleet", "canary"]);
export type Role = z.output<typeof roleSchema>;

/** `services/<service>/hosts/<host>`. */
export const hostRecordSchema = z.looseObject({
  role: roleSchema.default("fleet"),
  zone: zoneName.optional(),
  /** A person wants to work on the host, or reboot it: it is to be out of service, when its turn comes. */
  hold: byWhom
    .extend({
      /** It is to leave the fleet: its agent stops the service there, for as long as it is held. */
      stop: z.boolean().optional(),
    })
    .optional(),
  /**
   * A person says that the host can be counted on again, or is not needed, whatever came of this attempt of it: the
   * conductor gives back the capacity that it holds by that.
   */
  unlocked: z.looseObject({ deploy: deployId, attempt: z.int().min(0), who: z.string(), time: timestamp }).optional(),
});
export type HostRecord = z.output<typeof hostRecordSchema>;

/** `services/<service>/builds/<build>`: immutable except for `barred`. */
export const buildRecordSchema = z.looseObject({
  url: z.string().min(1),
  digest,
  /** Bytes of the archive. */
  size: z.int().min(0),
  /** The number of files, directories and links in it, and the bytes that they unpack to, when the packer gave them. */
  entries: z.int().min(0).optional(),
  unpackedBytes: z.int().min(0).optional(),
  /**
   * 1 where the top directory, in which the whole archive lies, is stripped. The archive's own deployd.toml may say so,
   * too.
   */
  strip: z.literal([0, 1]).optional(),
  signature: z.string().optional(),
  commit: z.string().optional(),
  author: z.string().optional(),
  time: timestamp,
  barred: byWhom.optional(),
});
export type BuildRecord = z.output<typeof buildRecordSchema>;

/**
 * `services/<service>/gate`: every change to the slots and the failures of a service is made in one `multi` with a change
 * to this node at the version that was read. It has the same size however large the fleet is.
 */
export const gateSchema = z.looseObject({
  /** How many times slots or failures were changed. */
  moves: z.int().min(0).default(0),
});

/** `services/<service>/slots/<host>`: the host may be taken out of service now. */
export const slotSchema = z.looseObject({
  deploy: deployId,
  /** The host's number for the wish that it asked for; it begins only by a slot with its own number. */
  attempt: z.int().min(0),
  /** The build that the host is to be brought to; a deploy that is rolled back meanwhile wants another one. */
  build: buildId,
  zone: zoneName.optional(),
  since: timestamp,
  /** The version of the deploy's record that allowed this: while it has this version, the host may begin. */
  record: z.int().min(0),
  /**
   * Granted beyond max, because the host was out of service already (docs/adr/0004). A host that is healthy again before
   * it begins loses the slot.
   */
  wasOut: z.boolean().optional(),
});
export type Slot = z.output<typeof slotSchema>;

/** `services/<service>/slots/<host>` of a host that a person holds: it is out of service for as long as they say. */
export const holdSchema = z.looseObject({ hold: z.literal(true), who: z.string(), why: z.string(), since: timestamp });
export type Hold = z.output<typeof holdSchema>;

/** What a host says of its last failure. */
const toldFailureSchema = z.looseObject({
  deploy: deployId,
  /** The host's attempt that failed; a status with a higher number was written later. */
  attempt: z.int().min(0),
  /** The build that failed, so that going back after a halt begins with a budget of its own. */
  build: buildId,
  reason: z.string(),
  /** How many times its deploy had been tried again by then. */
  again: z.int().min(0).default(0),
  /** False while the host cannot be counted on: until it is healthy again, it counts against `max`. */
  healthy: z.boolean(),
  since: timestamp,
});
export type ToldFailure = z.output<typeof toldFailureSchema>;

/** `services/<service>/failed/<host>`: the host's last failure, as it is counted. */
export const failureSchema = toldFailureSchema.extend({
  /** The deploy's round in which it failed; a person who tries again begins another, with a budget of its own. */
  round: z.int().min(1).default(1),
});
export type Failure = z.output<typeof failureSchema>;

/** What the restarts of a deploy cost its clients, summed over its hosts. */
export const deployCostSchema = z.looseObject({
  /** Hosts that were restarted, and their restarted instances. */
  hosts: z.int().min(0),
  instances: z.int().min(0),
  /** Connections that were still open when their instance was stopped; null where they cannot be counted. */
  closed: z.int().min(0).nullable(),
  /** Connections refused while traffic was off; null where no traffic back end can tell. */
  refused: z.int().min(0).nullable(),
  /** Milliseconds by phase, summed over all hosts. */
  phaseMs: z.record(z.string(), z.number()).default({}),
});

export type DeployCost = z.output<typeof deployCostSchema>;

/** The step of the ladder that a host is on, as others see it. */
export const hostStepSchema = z.enum([
  "idle",
  "fetch",
  "verify",
  "extract",
  "install",
  "ready",
  "begun",
  "flip",
  "restart",
  "check",
  "soak",
  "serving",
  "failed",
]);
export type HostStep = z.output<typeof hostStepSchema>;

/** `services/<service>/status/<host>`: what the host serves and does. */
export const hostStatusSchema = z.looseObject({
  /** The build its processes run; null when it serves nothing. */
  build: buildId.nullable(),
  health: z.enum(["healthy", "unhealthy", "nothing"]),
  /**
   * Why what it serves is unhealthy, and since when by its own clock; missing while it is healthy, and during a restart.
   */
  ill: z
    .looseObject({
      since: timestamp,
      why: z.string(),
      /**
       * For how many seconds it had been so when this was written: together with the node's age this needs no host's
       * clock.
       */
      forS: z.number().default(0),
    })
    .optional(),
  /** Its processes were started by an older agent.toml; a restart brings them what it says now. */
  outdated: z.boolean().optional(),
  /** What a person should do, though everything works now. */
  warning: z.string().optional(),
  wish: z.looseObject({ build: buildId, deploy: deployId }).nullable(),
  /** The build that the host has been told to have ready: whether it has, or why not; missing where there is none. */
  prepared: z.looseObject({ build: buildId, isReady: z.boolean(), problem: z.string().default("") }).optional(),
  /** The highest number of a wish that the host has followed; missing where none had one. */
  followed: wishNumber.optional(),
  /** A wish that the host does not follow because it is older than those that it has followed. */
  held: z.looseObject({ build: buildId, deploy: deployId, number: wishNumber }).optional(),
  step: hostStepSchema,
  /** The host leaves the fleet, by a hold that says so. `problem` is why it cannot; "" where nothing is in the way. */
  leaving: leavingToldSchema.optional(),
  /** True while the host goes back to the build that it served before. */
  rollingBack: z.boolean().default(false),
  attempt: z.int().min(0),
  /** The host has begun to use its slot for this attempt, and is not through with it. */
  begun: z.boolean().default(false),
  /** When a deploy last changed what it serves, by its own clock. */
  servedSince: timestamp.optional(),
  /** Since when it is on this step. */
  since: timestamp,
  /**
   * The host's last failure, until a build is activated here: the conductor, which may be away when it happens, counts
   * it.
   */
  failure: toldFailureSchema.nullable().default(null),
  error: z
    .looseObject({
      code: z.string(),
      message: z.string(),
      hint: z.string().default(""),
      build: buildId,
      step: hostStepSchema,
      /** Until when it is retried, by the host's own clock. Missing where it is not retried, or without such a limit. */
      until: timestamp.optional(),
    })
    .nullable()
    .default(null),
  /** The end of the failed step's output. */
  log: z.string().default(""),
  restart: restartToldSchema.nullable().optional(),
});
export type HostStatus = z.output<typeof hostStatusSchema>;

/** `agents/<host>`, ephemeral. */
export const agentRecordSchema = z.looseObject({
  version: z.string(),
  /** The kernel's boot id: it distinguishes a restarted agent from a rebooted machine. */
  bootId: z.string(),
  /** Address of the status port. */
  statusAddress: z.string().nullable(),
  pid: z.int(),
  since: timestamp,
  /** The newest format of the tree that the agent understands; 1 where the record does not say. */
  speaks: z.int().min(1).default(1),
  /** The services in its agent.toml; an agent that does not say runs all that its host is registered for. */
  services: z.exactOptional(z.array(z.string())),
});
export type AgentRecord = z.output<typeof agentRecordSchema>;

/**
 * `services/<service>/deploys`: the newest deploy, and the number of the newest wish. Whoever writes a wish changes this
 * node by compare-and-set, so that wishes are written one at a time.
 */
export const deploysPointerSchema = z.looseObject({
  latest: deployId.nullable().default(null),
  number: wishNumber.default(0),
});
export type DeploysPointer = z.output<typeof deploysPointerSchema>;
