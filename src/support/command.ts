/** In the environment of every command that has to end with its step; see `CommandRequest.marker`. */
export const STEP_VARIABLE = "DEPLOYD_STEP";

/** Between a marker and the part that tells one command from the others: whoever ends all of them names what is before. */
export const MARKER_PART = "#";

/** In the environment of an instance's own commands, and of all that they start. */
export const INSTANCE_VARIABLE = "DEPLOYD_INSTANCE";

/** A command of a build or of the host's configuration, and everything it may see and use. */
export interface CommandRequest {
  /** A shell line for `/bin/sh -c`; or a program and its arguments, which no shell touches. */
  readonly run: string | readonly string[];
  readonly cwd: string;
  /**
   * The whole environment: nothing of the agent's own is inherited. PATH, and HOME, USER, LOGNAME with `user`, are added
   * when missing; what belongs to the agent alone (NOTIFY_SOCKET, WATCHDOG_*, LISTEN_*, BUN_*) is taken out.
   */
  readonly env: Readonly<Record<string, string>>;
  /** Who runs it; the agent's own user unless given. */
  readonly user?: HostUser | undefined;
  /** Then the whole process group gets TERM. In milliseconds. */
  readonly timeoutMs: number;
  /** How long after TERM the group gets KILL, in milliseconds; 5,000 unless given. */
  readonly killAfterMs?: number;
  /**
   * Both output streams, in the order written. Its directory is made when missing. Where the disk has no room for it the
   * command runs all the same, and the tail of one that fails says so.
   */
  readonly logFile: string;
  /** How much output this command may leave in the log, in bytes; the rest is counted and dropped. */
  readonly maxLogBytes: number;
  /** "replace" (unless given) starts the log file anew, "append" goes on after what is there. */
  readonly log?: "replace" | "append";
  /**
   * What happens to processes the command leaves behind. "kill" (unless given): they end with it. "leave": they are the
   * service that a start command has started, and live on, also after the agent's death.
   */
  readonly background?: "kill" | "leave";
  /**
   * By which what a command started can be found after a crash of the agent: DEPLOYD_STEP in the environment of a "kill"
   * command. For "leave" it stands in the arguments of the shell alone, since the service would carry a variable.
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

/** To whom something belongs. */
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
    /** What the command is for, as it stands in the name of its log: `restart`, `check`. */
    readonly label: string;
    /** "service": the user that the host's configuration names. "agent": the agent's own, for talking to a supervisor. */
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
