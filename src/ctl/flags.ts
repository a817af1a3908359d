import { anyText, isGiven, jsonFlag, seconds, type JsonFlag } from "../cli/flags.ts";
import { parseAmount } from "../core/limits.ts";
import { parseStages } from "../core/stages.ts";
import { maxAmountSchema, type Amount, type Limits } from "../schema/limits.ts";
import type { Stage } from "../schema/stages.ts";
import { onHaltSchema, type OnHalt } from "../schema/on_halt.ts";

/** What every verb takes. */
export interface CommonFlags extends JsonFlag {
  readonly zookeeper: string | undefined;
  readonly chroot: string | undefined;
  readonly connectTimeoutS: number | undefined;
}

export const commonFlags = {
  json: jsonFlag,
  zookeeper: {
    kind: "parsed",
    parse: anyText,
    brief: "ZooKeeper servers, as in zk1:2181,zk2:2181 (default: those of DEPLOYD_ZOOKEEPER)",
    placeholder: "hosts",
    optional: true,
  },
  chroot: {
    kind: "parsed",
    parse: anyText,
    brief: "Where deployd lives in ZooKeeper (default: DEPLOYD_CHROOT, or /deployd)",
    placeholder: "path",
    optional: true,
  },
  connectTimeoutS: {
    kind: "parsed",
    parse: seconds,
    brief: "Seconds to wait for ZooKeeper (default: 10)",
    placeholder: "seconds",
    optional: true,
  },
} as const;

/** Flags that several verbs share. */
export const sharedFlags = {
  why: {
    kind: "parsed",
    parse: anyText,
    brief: "The reason, for the record (default: none)",
    placeholder: "text",
    optional: true,
  },
  override: {
    kind: "parsed",
    parse: anyText,
    brief: "Why it has to be now, though the service is frozen or no window is open; goes on record (default: none)",
    placeholder: "reason",
    optional: true,
  },
  detach: isGiven("Return at once; follow it later with: deployd ctl wait"),
  timeoutS: {
    kind: "parsed",
    parse: seconds,
    brief: "Stop following after this many seconds (exit 4); the deploy goes on (default: follow to its end)",
    placeholder: "seconds",
    optional: true,
  },
  max: {
    kind: "parsed",
    parse: (input: string) => parseAmount(input, maxAmountSchema),
    brief: "Hosts that may be out of service at once: 5, 10%, or 5,10% for the fewer (default: the service's own)",
    placeholder: "n",
    optional: true,
  },
  maxPerZone: {
    kind: "parsed",
    parse: (input: string) => parseAmount(input, maxAmountSchema),
    brief: "The same for the hosts of each zone (default: the service's own)",
    placeholder: "n",
    optional: true,
  },
  budget: {
    kind: "parsed",
    parse: (input: string) => parseAmount(input),
    brief: "Hosts that may fail before the deploy halts: 5, 10%, or 5,10% (default: the service's own)",
    placeholder: "n",
    optional: true,
  },
  firstZoneSoakS: {
    kind: "parsed",
    parse: seconds,
    brief: "Seconds that a host of the first zone must stay healthy (default: the service's own)",
    placeholder: "seconds",
    optional: true,
  },
  progressS: {
    kind: "parsed",
    parse: progressSeconds,
    brief: "Seconds without any host moving after which the deploy halts (default: the service's own)",
    placeholder: "seconds",
    optional: true,
  },
  stages: {
    kind: "parsed",
    parse: parseStages,
    brief: "Stages, each with its wait: canary,zone:a,10%/5m,50%/promote,100% (default: the service's own)",
    placeholder: "stages",
    optional: true,
  },
  onHalt: {
    kind: "parsed",
    parse: parseOnHalt,
    brief: "What follows when it halts: ask, rollback, or freeze (default: the service's own)",
    placeholder: "policy",
    optional: true,
  },
  soakS: {
    kind: "parsed",
    parse: seconds,
    brief: "Seconds a host must stay healthy before the next one goes (default: the service's own)",
    placeholder: "seconds",
    optional: true,
  },
} as const;

/** A shorter deadline would halt deploys for the pauses in which nothing has to move (schema/limits.ts). */
function progressSeconds(input: string): number {
  const value = seconds(input);
  if (value >= 1) return value;
  throw new Error("at least 1 second is required");
}

function parseOnHalt(input: string): OnHalt {
  const parsed = onHaltSchema.safeParse(input);
  if (parsed.success) return parsed.data;
  throw new Error(`${onHaltSchema.options.slice(0, -1).join(", ")} or ${onHaltSchema.options.at(-1)} is required`);
}

/** The flags by which limits and stages are given, of a deploy or of a service. */
export interface LimitFlags {
  readonly max: Amount | undefined;
  readonly maxPerZone: Amount | undefined;
  readonly budget: Amount | undefined;
  readonly soakS: number | undefined;
  readonly firstZoneSoakS: number | undefined;
  readonly progressS: number | undefined;
  readonly stages: Stage[] | undefined;
  readonly onHalt: OnHalt | undefined;
}

export const limitFlags = {
  stages: sharedFlags.stages,
  max: sharedFlags.max,
  maxPerZone: sharedFlags.maxPerZone,
  budget: sharedFlags.budget,
  soakS: sharedFlags.soakS,
  firstZoneSoakS: sharedFlags.firstZoneSoakS,
  progressS: sharedFlags.progressS,
  onHalt: sharedFlags.onHalt,
} as const;

/** The limits that were given. */
export function limitsIn(flags: LimitFlags): Partial<Limits> {
  const { max, maxPerZone, budget } = flags;
  const ms = (inSeconds: number | undefined) => (inSeconds === undefined ? undefined : Math.round(inSeconds * 1000));
  const given = {
    max,
    maxPerZone,
    budget,
    soakMs: ms(flags.soakS),
    firstZoneSoakMs: ms(flags.firstZoneSoakS),
    progressMs: ms(flags.progressS),
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}
