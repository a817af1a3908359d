import { anyText, isGiven, jsonFlag, seconds, wholeNumber, type JsonFlag } from "../cli/flags.ts";

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
