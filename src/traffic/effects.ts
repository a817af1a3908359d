import type { Clock } from "../support/clock.ts";

/** A program of the system, run to its end by the agent itself. */
export interface ToolResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What the back ends need of the host. */
export interface TrafficEffects {
  /** Where the system's PATH has this program, or null. */
  find(program: string): string | null;
  /**
   * Runs a program with the agent's rights, the system's PATH and LANG=C. Never a shell.
   *
   * @throws DeployError `traffic-failed` when there is no such program or it takes longer than `timeoutMs`; `aborted`
   */
  tool(
    argv: readonly string[],
    options: { input?: string; timeoutMs: number; signal: AbortSignal },
  ): Promise<ToolResult>;
  /** Sends `text` to a UNIX socket and returns all that comes back until the other side closes. */
  ask(socketPath: string, text: string, options: { timeoutMs: number; signal: AbortSignal }): Promise<string>;
  /** A file's text, or null when there is none; `/proc/net/tcp` and the like. */
  read(path: string): Promise<string | null>;
  /** One line of shell from the host's own file, with these variables; not a build's. */
  hook(
    line: string,
    env: Readonly<Record<string, string>>,
    options: { timeoutMs: number; signal: AbortSignal },
  ): Promise<ToolResult>;
  readonly clock: Pick<Clock, "monotonicMs" | "sleep">;
}

/**
 * One way to keep new connections from instances. What is said is always said whole, so that it can be said again: after
 * a crash, on every start, when somebody flushed the rules.
 */
export interface Traffic {
  /**
   * Sends new connections to exactly these instances; established ones are left alone. One transaction where the back
   * end has them; changes nothing where everything is so already.
   *
   * @throws DeployError `traffic-failed`, `aborted`
   */
  steer(on: readonly string[], signal: AbortSignal): Promise<void>;
  /**
   * Waits until the back end itself uses these instances again (an HAProxy that has to see a check pass), at most
   * `timeoutMs`. Returns at once where there is nothing to wait for.
   *
   * @throws DeployError `traffic-failed` naming the state that was seen last; `aborted`
   */
  taken(instances: readonly string[], timeoutMs: number, signal: AbortSignal): Promise<void>;
  /** Connections or sessions that the instance still serves; null where nothing can count them. */
  busy(instance: string, signal: AbortSignal): Promise<number | null>;
  /**
   * Connections refused so far to clients of this service, as far as the back end can tell; null where it cannot. Only
   * differences mean something, and a smaller number than before means that counting began anew.
   */
  refused(signal: AbortSignal): Promise<number | null>;
  /**
   * Takes away all that this back end has put into the system; for a host that uses another one now. Rules in the
   * kernel are known by the service's name alone; HAProxy and hooks have to be told of each instance. Connections that
   * the kernel redirects are reset when its last rule for them goes: `steer` the successor first.
   *
   * @throws DeployError `traffic-failed`, `aborted`
   */
  remove(signal: AbortSignal): Promise<void>;
}
