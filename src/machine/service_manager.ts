/** The notifications to the service manager. Every call does nothing when there is none. */
export interface ServiceManager {
  ready(): void;
  /** One line of text for `systemctl status`. */
  status(text: string): void;
  stopping(): void;
  /** Signals that the agent is alive; to be called at least every `watchdogMs` / 2. */
  watchdog(): void;
  /** Within how many milliseconds `watchdog` has to be called; null when the service manager does not watch. */
  readonly watchdogMs: number | null;
  /**
   * Why a boot of the machine would leave the agent down, with what to do; null where it would not, or where that is not
   * known.
   */
  whyLeftDown(): Promise<string | null>;
}
