/** What the service manager is told. Every call does nothing when there is no service manager. */
export interface ServiceManager {
  ready(): void;
  /** One line of text for `systemctl status`. */
  status(text: string): void;
  stopping(): void;
  /** I am alive; to be called at least every `watchdogMs` / 2. */
  watchdog(): void;
  /** Within how many milliseconds it wants to hear `watchdog`; null when it does not watch. */
  readonly watchdogMs: number | null;
  /** Why a boot of the machine would leave the agent down, with what to do; null where it would not, or nobody knows. */
  whyLeftDown(): Promise<string | null>;
}
