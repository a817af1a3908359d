export interface StartedFor {
  readonly build: string;
  readonly deploy: string;
}

/** A process that runs from a service's directory. */
export interface ProcessFact {
  readonly pid: number;
  readonly parent: number;
  /** Milliseconds since the epoch, exact to about 10 ms; for comparing with the time of a flip. */
  readonly startedAtMs: number;
  /** Ticks since boot: the same pid with other ticks is another process. */
  readonly startTicks: number;
  readonly uid: number;
  /** Directory name of the release it runs from; null when only its arguments tell, and they say `current`. */
  readonly release: string | null;
  /** The instance that its environment names; null when none, or when it may not be read. */
  readonly instance: string | null;
  /** The build and the deploy that a command of deployd has started it for, as its environment has them. */
  readonly startedFor: StartedFor | null;
}

/** Whose processes may be those of a service: anybody could put its path into an argument. */
export interface ServiceProcesses {
  readonly root: string;
  /** The user that its commands run as; null for the agent's own. */
  readonly uid: number | null;
  /** What its supervisor or a pid file names: these, what comes from them, and the old one that started its successor. */
  readonly mains: readonly number[];
}

/** The process table. */
export interface Processes {
  /** Those that run from the service's directory, oldest first; commands of a step do not count. */
  of(service: ServiceProcesses): Promise<readonly ProcessFact[]>;
  /** Null when there is no such process. */
  fact(pid: number): Promise<{ startTicks: number; startedAtMs: number; uid: number } | null>;
  /** Throws what the kernel says (ESRCH, EPERM). */
  kill(pid: number, signal: NodeJS.Signals): void;
  /** The processes below `pid`, nearest first; those whose parent has ended are nobody's. */
  descendants(pid: number): Promise<{ pid: number; parent: number; startTicks: number }[]>;
  /** Whether the process itself accepts connections; false when it is gone, null when it may not be looked into. */
  listens(pid: number): Promise<boolean | null>;
  /** Connections of clients that these processes have open. */
  openConnections(pids: readonly number[]): Promise<number>;
  /**
   * Ends what a killed agent's commands with this marker left running, those of `uid` and of the agent's own user.
   *
   * @returns how many processes there were
   */
  endMarked(marker: string, uid: number | null): Promise<number>;
}
