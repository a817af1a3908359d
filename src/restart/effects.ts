import type { Clock } from "../support/clock.ts";
import type { RunCommand } from "../support/command.ts";

/** What restarting a service needs of the host. */
export interface SupervisorEffects {
  readonly run: RunCommand;
  readonly clock: Pick<Clock, "monotonicMs" | "sleep">;
  /** The agent's own. */
  readonly ownPid: number;
  /** Null when there is no such process. `startTicks` tells it from a later process of the same number. */
  processFact(pid: number): Promise<{ startTicks: number; startedAtMs: number } | null>;
  /** Whether the process runs from the service's own directory, which only the service itself does. */
  isOfService(pid: number): Promise<boolean>;
  /** Throws what the kernel says (ESRCH, EPERM). */
  kill(pid: number, signal: NodeJS.Signals): void;
  /** A file's text and the time of its last change, or null when there is none. */
  readWithTime(path: string): Promise<{ text: string; changedAtMs: number } | null>;
  /** Its children, theirs, and so on; those whose parent has ended are nobody's. */
  descendants(pid: number): Promise<{ pid: number; parent: number; startTicks: number }[]>;
  /** Whether the process itself accepts connections; false when it is gone, null when it may not be looked into. */
  listens(pid: number): Promise<boolean | null>;
  /** This restart was begun before and never ended: what it has started may be there, and nobody knows it. */
  readonly isBegunAgain: boolean;
  /** The service's processes that commands of this build have started in this deploy, for this instance. */
  startedHere(): Promise<readonly { pid: number; startTicks: number }[]>;
  /** supervisord's own file; null when the host does not say where that is. */
  readonly supervisordConfig: string | null;
}

/**
 * A restart in which the successor stands beside the process that serves, before that one is told to go. Whatever
 * happens before `finish`, the old one serves on.
 */
export interface Handover {
  /**
   * Starts the successor, after taking back one that an interrupted handover left. Returns when it is up and has stayed
   * so for a moment.
   *
   * @throws DeployError `restart-failed`, `restart-timeout`, `aborted`; the old one serves on and no successor is left
   */
  begin(signal: AbortSignal): Promise<void>;
  /** Takes the successor back after `begin`, because it is not healthy. */
  abandon(signal: AbortSignal): Promise<void>;
  /** The processes of the one that is to go, children included; empty when it is gone or there was none. */
  oldPids(signal: AbortSignal): Promise<number[]>;
  /** Tells the old one to go and waits until it is gone; past the spec's time it is ended the hard way. */
  finish(signal: AbortSignal): Promise<void>;
}

/**
 * One way to bring a service to run what `current` points at. `stop` and `start` stand alone where the supervisor can do
 * them apart, so that traffic and the wait for idle connections can come between.
 */
export interface Supervisor {
  /** The operation that the recipe names: a restart or a reload. Returns when the supervisor says it is done. */
  restart(signal: AbortSignal): Promise<void>;
  /** Null where there is only a reload. */
  readonly parts: { stop(signal: AbortSignal): Promise<void>; start(signal: AbortSignal): Promise<void> } | null;
  /** Null where the old process has to go before the new one comes. */
  readonly handover: Handover | null;
  /**
   * How it is brought up where nothing of it runs, as a boot may leave it; null where that is not this supervisor's to do.
   * It is needed where nobody is about to start it, and nobody has forbidden that.
   */
  readonly revival: {
    isNeeded(signal: AbortSignal): Promise<boolean>;
    start(signal: AbortSignal): Promise<void>;
  } | null;
  /** The processes that the supervisor knows as the service's own; empty when it does not run or cannot tell. */
  mainPids(signal: AbortSignal): Promise<number[]>;
}
