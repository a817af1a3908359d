import type { ErrorCode } from "../core/errors.ts";

/**
 * What deployd exits with, whatever the verb. 64, 69 and 75 are those of sysexits.h, 130 and 143 a shell's, 141 that of a
 * program that SIGPIPE has ended.
 */
export const exit = {
  /** It is as it was asked for. */
  asked: 0,
  failed: 1,
  /** The deploy was rolled back, and that was not what was asked for. */
  rolledBack: 2,
  /** The deploy stands still until a person decides. */
  halted: 3,
  /** `--timeout-s` is over; the deploy goes on. */
  timedOut: 4,
  usage: 64,
  unreachable: 69,
  /** Not now: a barred build, another deploy under way or than the one that is meant, or a tree that only a newer deployd understands. */
  refused: 75,
  interrupted: 130,
  /** Nobody reads stdout any more. */
  unread: 141,
  terminated: 143,
} as const;

export type ExitCode = (typeof exit)[keyof typeof exit];

/** A name that is not there is a word on the command line that is wrong, so it is usage like a flag that is not there. */
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
  "format-unknown": exit.refused,

  // Whether it happened is not known; the error's hint says how to find out.
  "write-unknown": exit.failed,
  "zookeeper-data-invalid": exit.failed,
  conflict: exit.failed,
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

/** Why a verb is called off: by a signal, or because what it says can be written nowhere. */
export type CalledOff = "SIGINT" | "SIGTERM" | "SIGPIPE" | "output lost";

const exitOfCalledOff: Readonly<Record<CalledOff, ExitCode>> = {
  SIGINT: exit.interrupted,
  SIGTERM: exit.terminated,
  SIGPIPE: exit.unread,
  "output lost": exit.failed,
};

/** @param reason of the aborted signal, a `CalledOff` */
export function exitForSignal(reason: unknown): ExitCode {
  return Object.entries(exitOfCalledOff).find(([known]) => known === reason)?.[1] ?? exit.interrupted;
}

const meanings: Readonly<Record<ExitCode, string>> = {
  [exit.asked]: "as asked",
  [exit.failed]: "failed",
  [exit.rolledBack]: "rolled back",
  [exit.halted]: "halted: a person has to decide",
  [exit.timedOut]: "timed out; the deploy goes on",
  [exit.usage]: "wrong usage, or a name that is not there",
  [exit.unreachable]: "ZooKeeper cannot be reached",
  [exit.refused]: "refused: a barred build, another deploy is running, or a newer deployd is needed",
  [exit.interrupted]: "interrupted (SIGINT)",
  [exit.unread]: "nobody reads its output any more (as by SIGPIPE)",
  [exit.terminated]: "terminated (SIGTERM)",
};

/** Whatever runs may end in these ways. */
const always: readonly ExitCode[] = [exit.usage, exit.interrupted, exit.unread, exit.terminated];

/** Exit codes of a verb, each with what it means there; true where it means what it always means. */
export type ExitMeanings = Readonly<Partial<Record<ExitCode, string | true>>>;

export const everyExit: ExitMeanings = Object.fromEntries(Object.keys(meanings).map((code) => [code, true]));

/** The section of a `--help`. */
export function exitCodesHelp(own: ExitMeanings): string {
  const rows = Object.entries(meanings).flatMap(([code, usually]) => {
    const said = Object.entries(own).find(([known]) => known === code)?.[1];
    if (said === undefined && !always.some((known) => String(known) === code)) return [];
    return [`  ${code.padEnd(3)}  ${typeof said === "string" ? said : usually}`];
  });
  return `EXIT CODES\n${rows.join("\n")}`;
}
