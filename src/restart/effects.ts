import type { Clock } from "../support/clock.ts";
import type { RunCommand } from "../support/command.ts";

/** What restarting a service needs of the host. */
export interface SupervisorEffects {
  readonly run: RunCommand;
  readonly clock: Pick<Clock, "monotonicMs" | "sleep">;
  /** The agent's own pid. */
  readonly ownPid: number;
  /** Null if there is no such process. `startTicks` tells it from a later process with the same pid. */
  processFact(pid: number): Promise<{ startTicks: number; startedAtMs: number } | null>;
  /** Whether the process runs from the service's own directory, as only the service's processes do. */
  isOfService(pid: number): Promise<boolean>;
  /** Throws what the kernel says (ESRCH, EPERM). */
  kill(pid: number, signal: NodeJS.Signals): void;
  /** A file's text and the time of its last change, or null if there is none. */
  readWithTime(path: string): Promise<{ text: string; changedAtMs: number } | null>;
  /** The process's descendants. A process whose parent has ended is not found. */
  descendants(pid: number): Promise<{ pid: number; parent: number; startTicks: number }[]>;
  /** Whether the process itself accepts connections; false if it is gone, null if the agent may not inspect it. */
  listens(pid: number): Promise<boolean | null>;
  /** This restart was begun before and interrupted: it may have started processes that nobody knows of. */
  readonly isBegunAgain: boolean;
  /** The service's processes that this build's commands have started in this deploy, for this instance. */
  startedHere(): Promise<readonly { pid: number; startTicks: number }[]>;
  /** Path of supervisord's configuration file; null if the host does not name it. */
  readonly supervisordConfig: string | null;
}

/**
 * A restart that starts the successor beside the serving process before that one is told to go. Whatever happens before
 * `finish`, the old process keeps serving.
 */
export interface Handover {
  /**
   * Starts the successor, after ending one that an interrupted handover left. Returns once it has been up for a moment.
   *
   * @throws DeployError `restart-failed`, `restart-timeout`, `aborted`; the old process keeps serving and no successor is
   *   left
   */
  begin(signal: AbortSignal): Promise<void>;
  /** Ends the successor after `begin`, because it is not healthy. */
  abandon(signal: AbortSignal): Promise<void>;
  /** The old process and its descendants; empty if it is gone or there was none. */
  oldPids(signal: AbortSignal): Promise<number[]>;
  /** Tells the old process to go and waits until it is gone; after the spec's timeout it is killed. */
  finish(signal: AbortSignal): Promise<void>;
}

/**
 * One way to make a service run what `current` points at. If the supervisor can stop and start separately, `stop` and
 * `start` are separate operations, so that traffic can be switched off and idle connections awaited in between.
 */
export interface Supervisor {
  /** The operation that the recipe names: a restart or a reload. Returns when the supervisor reports that it is done. */
  restart(signal: AbortSignal): Promise<void>;
  /** Null if there is only a reload. */
  readonly parts: { stop(signal: AbortSignal): Promise<void>; start(signal: AbortSignal): Promise<void> } | null;
  /** Null if the old process must end before the new one starts. */
  readonly handover: Handover | null;
  /**
   * How to start the service if nothing of it runs, as a boot may leave it; null if that is not this supervisor's task.
   * Needed only if nobody is about to start it, and nobody has forbidden it.
   */
  readonly revival: {
    isNeeded(signal: AbortSignal): Promise<boolean>;
    start(signal: AbortSignal): Promise<void>;
  } | null;
  /**
   * The processes that the supervisor knows as the service's own; empty if it does not run or the supervisor cannot tell.
   */
  mainPids(signal: AbortSignal): Promise<number[]>;
}
