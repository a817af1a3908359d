import type { Clock } from "../support/clock.ts";

/** The result of a system program that the agent ran to its end. */
export interface ToolResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What the traffic back ends need of the host. */
export interface TrafficEffects {
  /** Path of the program in the system's PATH, or null. */
  find(program: string): string | null;
  /**
   * Runs a program with the agent's rights, the system's PATH and LANG=C. Never through a shell.
   *
   * @throws DeployError `traffic-failed` if there is no such program or it takes longer than `timeoutMs`; `aborted`
   */
  tool(
    argv: readonly string[],
    options: { input?: string; timeoutMs: number; signal: AbortSignal },
  ): Promise<ToolResult>;
  /** Sends `text` to a UNIX socket and returns everything received until the other side closes. */
  ask(socketPath: string, text: string, options: { timeoutMs: number; signal: AbortSignal }): Promise<string>;
  /** A file's text, such as `/proc/net/tcp`, or null if there is none. */
  read(path: string): Promise<string | null>;
  /** Runs a shell command from the host's own file, not from a build, with these variables. */
  hook(
    line: string,
    env: Readonly<Record<string, string>>,
    options: { timeoutMs: number; signal: AbortSignal },
  ): Promise<ToolResult>;
  readonly clock: Pick<Clock, "monotonicMs" | "sleep">;
}

/**
 * One way to keep new connections from instances. Each call states the whole desired state, so that it can be repeated:
 * after a crash, on every start, when somebody flushed the rules.
 */
export interface Traffic {
  /**
   * Sends new connections to exactly these instances; established ones are left alone. It is one transaction if the back
   * end supports them, and changes nothing if the state is right already.
   *
   * @throws DeployError `traffic-failed`, `aborted`
   */
  steer(on: readonly string[], signal: AbortSignal): Promise<void>;
  /**
   * Waits until the back end itself uses these instances again (HAProxy must first see a check pass), at most
   * `timeoutMs`. Returns at once if there is nothing to wait for.
   *
   * @throws DeployError `traffic-failed` naming the last observed state; `aborted`
   */
  taken(instances: readonly string[], timeoutMs: number, signal: AbortSignal): Promise<void>;
  /** Connections or sessions that the instance still serves; null if nothing can count them. */
  busy(instance: string, signal: AbortSignal): Promise<number | null>;
  /**
   * Connections refused so far to clients of this service, as far as the back end can tell; null if it cannot. Only
   * differences are meaningful, and a smaller number than before means that the counter was reset.
   */
  refused(signal: AbortSignal): Promise<number | null>;
  /**
   * Removes everything that this back end has put into the system, for a host that now uses another one. Kernel rules are
   * found by the service's name alone; HAProxy and hooks must be told of each instance. Connections that the kernel
   * redirects are reset when the last rule for them is removed: `steer` the successor first.
   *
   * @throws DeployError `traffic-failed`, `aborted`
   */
  remove(signal: AbortSignal): Promise<void>;
}
