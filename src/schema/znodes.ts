import { z } from "zod";
import { buildId, deployId, digest, hostName, timestamp, zoneName } from "./names.ts";

/*
 * Everything deployd keeps in ZooKeeper (design, section 4), as JSON. Unlike files that people write, records are read
 * loosely: a field that a newer deployd added is carried along by an older one, never refused and never dropped.
 */

/** `/`, the root of the tree: how it is to be read. One that does not say has the first format. */
export const treeRecordSchema = z.looseObject({ format: z.int().min(1).default(1) });

/** `services/<service>`: an operator's settings. */
export const serviceSettingsSchema = z.looseObject({
  /** Hosts that may be out of service at once. */
  max: z.int().min(1).default(1),
  /** Hosts that may fail before the deploy halts. */
  budget: z.int().min(0).default(0),
  /** Milliseconds a host must stay healthy before its slot is given back. */
  soakMs: z.int().min(0).default(5_000),
});
export type ServiceSettings = z.output<typeof serviceSettingsSchema>;

/** Far from where numbers get rough, and from what a service comes to; whoever counts on stays there. */
export const HIGHEST_WISH_NUMBER = 2 ** 40;

const wishNumber = z.int().min(0).max(HIGHEST_WISH_NUMBER);

/**
 * `services/<service>/enabled` and `enabled/canary`. A wish written by hand may lack the deploy, or be just a build id.
 * `number` is one more than that of the wish before it, in either node (core/wish_order.ts).
 */
export const wishSchema = z.preprocess(
  (value) => (typeof value === "string" ? { build: value } : value),
  z.looseObject({ build: buildId, deploy: deployId.optional(), number: wishNumber.optional() }),
);
export type Wish = z.output<typeof wishSchema>;

export const roleSchema = z.enum(["fleet", "canary"]);
export type Role = z.output<typeof roleSchema>;

/** `services/<service>/hosts/<host>`. */
export const hostRecordSchema = z.looseObject({
  role: roleSchema.default("fleet"),
  zone: zoneName.optional(),
});
export type HostRecord = z.output<typeof hostRecordSchema>;

/** Who decided something, when and why. */
export const byWhom = z.looseObject({ who: z.string(), why: z.string(), time: timestamp });

/** `services/<service>/builds/<build>`: immutable but for `barred`. */
export const buildRecordSchema = z.looseObject({
  url: z.string().min(1),
  digest,
  /** Bytes of the archive. */
  size: z.int().min(0),
  /** Files, directories and links in it, and the bytes they unpack to, when the packer said so. */
  entries: z.int().min(0).optional(),
  unpackedBytes: z.int().min(0).optional(),
  /** 1 where the directory that all of the archive lies in is left out. Its own deployd.toml may say so, too. */
  strip: z.literal([0, 1]).optional(),
  signature: z.string().optional(),
  commit: z.string().optional(),
  author: z.string().optional(),
  time: timestamp,
  barred: byWhom.optional(),
});
export type BuildRecord = z.output<typeof buildRecordSchema>;

const slotSchema = z.looseObject({
  zone: zoneName.optional(),
  attempt: z.int().min(0),
  since: timestamp,
  /** What the host is to be brought to with it; a deploy that is rolled back meanwhile wants another build. */
  build: buildId.optional(),
  /**
   * Granted beyond max, because the host was out of service already (docs/adr/0004). One that is well again by the time
   * that it begins gives it back.
   */
  wasOut: z.boolean().optional(),
});
export type Slot = z.output<typeof slotSchema>;

const failureSchema = z.looseObject({
  reason: z.string(),
  /** The build that failed, so that going back after a halt starts with a budget of its own. */
  build: buildId,
  /** False while the host cannot be counted on: it keeps its share of `max` until it is healthy again. */
  healthy: z.boolean(),
  since: timestamp,
  /** The host's number for what failed: whatever it says under a later one was said after. */
  attempt: z.int().min(0).optional(),
  /** A person has asked once more for what it put an end to: it counts against the budget no longer. */
  forgiven: z.boolean().optional(),
});
export type Failure = z.output<typeof failureSchema>;

/** What the restarts of a deploy cost its clients, over all hosts so far. */
const costSchema = z.looseObject({
  /** Hosts that were restarted, and instances on them. */
  hosts: z.int().min(0),
  instances: z.int().min(0),
  /** Connections that were open when their instance was stopped; null where nothing can count them. */
  closed: z.int().min(0).nullable(),
  /** Connections refused while traffic was off; null where no traffic back end can tell. */
  refused: z.int().min(0).nullable(),
  /** Milliseconds by phase, over all hosts. */
  phaseMs: z.record(z.string(), z.number()).default({}),
});

/** `services/<service>/deploys/<id>/gate`: who is out of service now and who failed; changed by compare-and-set only. */
export const gateSchema = z.looseObject({
  slots: z.record(hostName, slotSchema).default({}),
  failed: z.record(hostName, failureSchema).default({}),
  cost: costSchema.optional(),
});
export type Gate = z.output<typeof gateSchema>;

/** `services/<service>/deploys/<id>/grants/<host>`. */
export const grantSchema = slotSchema.pick({ attempt: true, since: true, wasOut: true });
export type Grant = z.output<typeof grantSchema>;

/** What the last restart of a service on a host cost; times in milliseconds by phase. */
const restartToldSchema = z.looseObject({
  build: buildId,
  deploy: z.string(),
  instances: z.int().min(0),
  closed: z.int().min(0).nullable(),
  refused: z.int().min(0).nullable(),
  /** Phases that failed and were forced. */
  forced: z.array(z.string()),
  phaseMs: z.record(z.string(), z.number()),
});

/** Where a host is on the ladder, as others see it. */
export const hostStepSchema = z.enum([
  "idle",
  "fetch",
  "verify",
  "extract",
  "install",
  "ready",
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
  /** Why what it serves is unhealthy, and since when by its own clock; missing while it is well, and in a restart. */
  ill: z
    .looseObject({
      since: timestamp,
      why: z.string(),
      /** Seconds that it has been so when this was written: with the age of the node it is told without anybody's clock. */
      forS: z.number().default(0),
    })
    .optional(),
  /** What a person should see to, though all is well now. */
  warning: z.string().optional(),
  wish: z.looseObject({ build: buildId, deploy: deployId }).nullable(),
  /** The highest number of a wish that it has followed; missing where none had one. */
  followed: wishNumber.optional(),
  /** A wish that it does not follow, being older than those that it has followed. */
  held: z.looseObject({ build: buildId, deploy: deployId, number: wishNumber }).optional(),
  step: hostStepSchema,
  /** True while the host works its way back to the build it served before. */
  rollingBack: z.boolean().default(false),
  attempt: z.int().min(0),
  /** Since when it is on this step. */
  since: timestamp,
  error: z
    .looseObject({
      code: z.string(),
      message: z.string(),
      hint: z.string().default(""),
      build: buildId,
      step: hostStepSchema,
      /** By its own clock: until then it is tried again. Missing where nothing is, or where there is no end to it. */
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
  /** The kernel's boot id: tells a restarted agent from a restarted machine. */
  bootId: z.string(),
  /** Of the status port. */
  statusAddress: z.string().nullable(),
  pid: z.int(),
  since: timestamp,
  /** The newest format of the tree that it understands; one that does not say understands the first. */
  speaks: z.int().min(1).default(1),
  /** What its agent.toml names; one that does not say runs whatever its host is registered for. */
  services: z.exactOptional(z.array(z.string())),
});
export type AgentRecord = z.output<typeof agentRecordSchema>;

/**
 * `services/<service>/deploys`: the newest deploy, and the number of the newest wish. Whoever wishes anything does it by a
 * compare-and-set here: one at a time.
 */
export const deploysPointerSchema = z.looseObject({
  latest: deployId.nullable().default(null),
  number: wishNumber.default(0),
});
export type DeploysPointer = z.output<typeof deploysPointerSchema>;
