/** This variable is in the environment of every command that must end with its step; see `CommandRequest.marker`. */
export const STEP_VARIABLE = "DEPLOYD_STEP";

/** Separates a marker from the suffix that tells the commands apart: whoever ends all of them uses the part before it. */
export const MARKER_PART = "#";

/** This variable is in the environment of an instance's own commands, and of everything they start. */
export const INSTANCE_VARIABLE = "DEPLOYD_INSTANCE";

/** A command of a build or of the host's configuration, and everything it may see and use. */
export interface CommandRequest {
  /** A shell command for `/bin/sh -c`, or a program and its arguments, which no shell touches. */
  readonly run: string | readonly string[];
  readonly cwd: string;
  /**
   * The whole environment: nothing of the agent's own is inherited. PATH, and with `user` also HOME, USER and LOGNAME,
   * are added if missing; variables that belong to the agent alone (NOTIFY_SOCKET, WATCHDOG_*, LISTEN_*, BUN_*) are
   * removed.
   */
  readonly env: Readonly<Record<string, string>>;
  /** Who runs it; the agent's own user unless given. */
  readonly user?: HostUser | undefined;
  /** After this timeout the whole process group gets TERM. In milliseconds. */
  readonly timeoutMs: number;
  /** How long after TERM the group gets KILL, in milliseconds; 5,000 unless given. */
  readonly killAfterMs?: number;
  /**
   * The log for both output streams, in the order written. Its directory is created if missing. If the disk has no room
   * for it, the command still runs, and the tail of one that fails says so.
   */
  readonly logFile: string;
  /** How much output this command may leave in the log, in bytes; the rest is counted and dropped. */
  readonly maxLogBytes: number;
  /** "replace" (the default) starts the log file anew, "append" keeps what is there. */
  readonly log?: "replace" | "append";
  /**
   * What happens to processes that the command leaves behind. "kill" (the default): they end with it. "leave": they are
   * the service that a start command has started, and live on even if the agent dies.
   */
  readonly background?: "kill" | "leave";
  /**
   * Identifies the processes that a command started, to find them after a crash of the agent: DEPLOYD_STEP in the
   * environment of a "kill" command. For "leave" it is only in the arguments of the shell, because the service would
   * inherit a variable.
   */
  readonly marker?: string;
  readonly signal: AbortSignal;
}

export interface HostUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home?: string;
}

/** The owner of a file. */
export type Owner = Pick<HostUser, "uid" | "gid">;

export const ROOT_UID = 0;

/** How a command ended. `tail` is its last output, whole lines, at most 2 kB. */
export type CommandResult =
  | { readonly kind: "exited"; readonly code: number; readonly tail: string }
  | { readonly kind: "signalled"; readonly signal: string; readonly tail: string }
  | { readonly kind: "timed-out"; readonly tail: string };

/** How those parts of deployd start a command that do not choose its user, its environment and its log. */
export type RunCommand = (
  run: string | readonly string[],
  options: {
    readonly background: "kill" | "leave";
    readonly timeoutMs: number;
    /** The purpose of the command, as used in the name of its log: `restart`, `check`. */
    readonly label: string;
    /**
     * "service": the user that the host's configuration names. "agent": the agent's own user, for talking to a
     * supervisor.
     */
    readonly as: "service" | "agent";
    readonly signal: AbortSignal;
  },
) => Promise<CommandResult>;

/** "exited with 3", "was ended by SIGKILL", "was not done after 2000 ms": for messages. */
export function howItEnded(result: CommandResult, timeoutMs: number): string {
  switch (result.kind) {
    case "exited":
      return `exited with ${result.code}`;
    case "signalled":
      return `was ended by ${result.signal}`;
    case "timed-out":
      return `was not done after ${timeoutMs} ms`;
  }
}
