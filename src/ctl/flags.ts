import type { z } from "zod";
import { parse } from "../schema/problems.ts";

/** What every verb takes. */
export interface CommonFlags {
  readonly json: boolean | undefined;
  readonly zookeeper: string | undefined;
  readonly chroot: string | undefined;
  readonly connectTimeoutS: number | undefined;
}

/** A parser for free text. */
export function anyText(input: string): string {
  return input;
}

/** A parser for whole numbers that are at least `min`. */
export function wholeNumber(min: number): (input: string) => number {
  return (input) => {
    const value = Number(input);
    if (/^\d+$/.test(input) && Number.isSafeInteger(value) && value >= min) return value;
    throw new Error(`a whole number from ${min} on is wanted`);
  };
}

/** A parser for times in seconds; fractions are allowed. */
function seconds(input: string): number {
  const value = Number(input);
  if (/^\d+(\.\d+)?$/.test(input) && value <= 10_000_000) return value;
  throw new Error("a time in seconds is wanted, as in 90 or 0.5");
}

/** A parser for what a schema describes, a name in most cases. */
export function matching<S extends z.ZodType<string>>(schema: S): (input: string) => z.output<S> {
  return (input) => {
    const parsed = parse(schema, input);
    if (parsed.ok) return parsed.value;
    throw new Error(parsed.problems.join("; "));
  };
}

export const commonFlags = {
  json: {
    kind: "boolean",
    brief: "Print JSON on stdout and nothing else there",
    optional: true,
    withNegated: false,
  },
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
  detach: {
    kind: "boolean",
    brief: "Return at once; follow it later with: deployd ctl wait",
    optional: true,
    withNegated: false,
  },
  timeoutS: {
    kind: "parsed",
    parse: seconds,
    brief: "Stop following after so many seconds (exit 4), the deploy goes on (default: to its end)",
    placeholder: "seconds",
    optional: true,
  },
  max: {
    kind: "parsed",
    parse: wholeNumber(1),
    brief: "Hosts that may be out of service at once (default: the service's own)",
    placeholder: "n",
    optional: true,
  },
  budget: {
    kind: "parsed",
    parse: wholeNumber(0),
    brief: "Hosts that may fail before the deploy halts (default: the service's own)",
    placeholder: "n",
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
