import type { ErrorCode } from "../core/errors.ts";

/**
 * deployd's exit codes, the same for every verb. 64, 69 and 75 are those of sysexits.h, 129, 130 and 143 those that a
 * shell gives for SIGHUP, SIGINT and SIGTERM, 141 that of a program ended by SIGPIPE.
 */
export const exit = {
  /** The outcome is what was asked for. */
  asked: 0,
  failed: 1,
  /** The deploy was rolled back, and that was not what was asked for. */
  rolledBack: 2,
  /** The deploy stands still until a person decides. */
  halted: 3,
  /** `--timeout-s` has passed; the deploy goes on. */
  timedOut: 4,
  usage: 64,
  unreachable: 69,
  /**
   * Refused for now: a barred build, another deploy is running, the deploy is not the one that was meant, or the tree
   * has another format than this deployd understands.
   */
  refused: 75,
  /** Its terminal has gone. */
  hungUp: 129,
  interrupted: 130,
  /** Nobody reads stdout any more. */
  unread: 141,
  terminated: 143,
} as const;

export type ExitCode = (typeof exit)[keyof typeof exit];

/** A name that does not exist is a wrong word on the command line, so it is a usage error like an unknown flag. */
const exitOfError: Readonly<Record<ErrorCode, ExitCode>> = {
  usage: exit.usage,
  "config-invalid": exit.usage,
  "manifest-invalid": exit.usage,
  "recipe-invalid": exit.usage,
  "service-unknown": exit.usage,
  "build-unknown": exit.usage,
  "host-unknown": exit.usage,
  "deploy-unknown": exit.usage,

  "zookeeper-unreachable": exit.unreachable,

  "build-barred": exit.refused,
  "deploy-running": exit.refused,
  "deploy-mismatch": exit.refused,
  frozen: exit.refused,
  "format-unknown": exit.refused,

  // Whether the write happened is not known; the error's hint says how to find out.
  "write-unknown": exit.failed,
  "zookeeper-data-invalid": exit.failed,
  conflict: exit.failed,
  "timeline-unknown": exit.failed,
  "build-exists": exit.failed,
  "nothing-to-do": exit.failed,
  "policy-refused": exit.failed,
  "fetch-failed": exit.failed,
  "digest-mismatch": exit.failed,
  "archive-invalid": exit.failed,
  "archive-hostile": exit.failed,
  "disk-full": exit.failed,
  "install-failed": exit.failed,
  "install-timeout": exit.failed,
  "current-not-a-link": exit.failed,
  "restart-failed": exit.failed,
  "restart-timeout": exit.failed,
  "check-failed": exit.failed,
  "attempts-exhausted": exit.failed,
  "instances-unavailable": exit.failed,
  "drain-timeout": exit.failed,
  "traffic-failed": exit.failed,
  "already-running": exit.failed,
  "port-taken": exit.failed,
  "journal-unreadable": exit.failed,
  aborted: exit.failed,
  internal: exit.failed,
};

export function exitForError(code: ErrorCode): ExitCode {
  return exitOfError[code];
}

/** Why a verb is called off: by a signal, or because its output cannot be written anywhere. */
export type CalledOff = "SIGINT" | "SIGTERM" | "SIGHUP" | "SIGPIPE" | "output lost";

const exitOfCalledOff: Readonly<Record<CalledOff, ExitCode>> = {
  SIGINT: exit.interrupted,
  SIGTERM: exit.terminated,
  SIGHUP: exit.hungUp,
  SIGPIPE: exit.unread,
  "output lost": exit.failed,
};

/** @param reason of the aborted signal, a `CalledOff` */
export function exitForSignal(reason: unknown): ExitCode {
  return Object.entries(exitOfCalledOff).find(([known]) => known === reason)?.[1] ?? exit.interrupted;
}

const meanings: Readonly<Record<ExitCode, string>> = {
  [exit.asked]: "success",
  [exit.failed]: "failed",
  [exit.rolledBack]: "rolled back",
  [exit.halted]: "halted: a person has to decide",
  [exit.timedOut]: "timed out; the deploy goes on",
  [exit.usage]: "wrong usage, or a name that does not exist",
  [exit.unreachable]: "ZooKeeper cannot be reached",
  [exit.refused]: "refused: a barred build, a frozen service, another deploy is running, or a tree of another format",
  [exit.hungUp]: "its terminal has gone (SIGHUP)",
  [exit.interrupted]: "interrupted (SIGINT)",
  [exit.unread]: "nobody reads its output any more (as by SIGPIPE)",
  [exit.terminated]: "terminated (SIGTERM)",
};

/** Every verb may end in these ways. */
const always: readonly ExitCode[] = [exit.usage, exit.interrupted, exit.unread, exit.terminated];

/** Exit codes of a verb, each with its meaning for that verb; true if it has its usual meaning. */
export type ExitMeanings = Readonly<Partial<Record<ExitCode, string | true>>>;

export const everyExit: ExitMeanings = Object.fromEntries(
  // Only a verb that draws on its terminal ends with it.
  Object.keys(meanings).flatMap((code) => (Number(code) === exit.hungUp ? [] : [[code, true]])),
);

/** The section of a `--help` that lists the exit codes. */
export function exitCodesHelp(own: ExitMeanings): string {
  const rows = Object.entries(meanings).flatMap(([code, usually]) => {
    const said = Object.entries(own).find(([known]) => known === code)?.[1];
    if (said === undefined && !always.some((known) => String(known) === code)) return [];
    return [`  ${code.padEnd(3)}  ${typeof said === "string" ? said : usually}`];
  });
  return `EXIT CODES\n${rows.join("\n")}`;
}
