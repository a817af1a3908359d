export interface StartedFor {
  readonly build: string;
  readonly deploy: string;
}

/** A process that runs from a service's directory. */
export interface ProcessFact {
  readonly pid: number;
  readonly parent: number;
  /** Milliseconds since the epoch, exact to about 10 ms; to be compared with the time of a flip. */
  readonly startedAtMs: number;
  /** Clock ticks since boot: the same pid with other ticks is another process. */
  readonly startTicks: number;
  readonly uid: number;
  /** Directory name of the release that it runs from; null when only its arguments show the service, by `current`. */
  readonly release: string | null;
  /** The instance that its environment names; null when it names none, or must not be read. */
  readonly instance: string | null;
  /** The build and deploy for which a command of deployd has started it, as its environment says. */
  readonly startedFor: StartedFor | null;
}

/** Which processes may belong to a service; their path alone is not enough, since anybody could put it into an argument. */
export interface ServiceProcesses {
  readonly root: string;
  /** The user that the service's commands run as; null for the agent's own. */
  readonly uid: number | null;
  /**
   * The processes that its supervisor or a pid file names. They, their descendants, and an old process that started its
   * successor belong to the service.
   */
  readonly mains: readonly number[];
}

/** The process table. */
export interface Processes {
  /** The processes that run from the service's directory, oldest first; commands of a step are left out. */
  of(service: ServiceProcesses): Promise<readonly ProcessFact[]>;
  /** Null when there is no such process. */
  fact(pid: number): Promise<{ startTicks: number; startedAtMs: number; uid: number } | null>;
  /** Throws the kernel's error (ESRCH, EPERM). */
  kill(pid: number, signal: NodeJS.Signals): void;
  /** The processes below `pid`, nearest first; those whose parent has ended cannot be found. */
  descendants(pid: number): Promise<{ pid: number; parent: number; startTicks: number }[]>;
  /** Whether the process itself accepts connections; false when it has ended, null when it must not be inspected. */
  listens(pid: number): Promise<boolean | null>;
  /** How many client connections these processes have open. */
  openConnections(pids: readonly number[]): Promise<number>;
  /**
   * Ends the processes that a killed agent's commands with this marker left running, those of `uid` and of the agent's
   * own user.
   *
   * @returns how many processes there were
   */
  endMarked(marker: string, uid: number | null): Promise<number>;
}
