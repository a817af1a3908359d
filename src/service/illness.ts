import type { HostStatus } from "../schema/znodes.ts";

/** The longest reason, in characters: it travels in a status of less than 4 kB. */
const WHY_CHARS = 300;

type Ill = NonNullable<HostStatus["ill"]>;

/**
 * Since when a service that nobody is restarting is unhealthy, and why; logged when that begins and when it is over. A
 * service that is being restarted does not count as unhealthy: its step says what is done about it.
 */
export class Illness {
  readonly #nowMs: () => number;
  readonly #say: (level: "info" | "warn", message: string, facts: object) => void;
  #ill: { readonly sinceMs: number; readonly why: string } | null = null;
  /**
   * What the status said besides, and how long the service had been unhealthy by then: a longer time alone is no reason
   * to publish again.
   */
  #told = { beside: "", forS: 0 };

  constructor(nowMs: () => number, say: (level: "info" | "warn", message: string, facts: object) => void) {
    this.#nowMs = nowMs;
    this.#say = say;
  }

  /**
   * @param why the reason of the last failed check; empty where no process of the service runs, so that no check was
   *   needed
   * @param beside what the status says besides
   */
  note(isIll: boolean, why: string, beside: object): Ill | null {
    const before = this.#ill;
    const nowMs = this.#nowMs();
    if (!isIll) {
      this.#ill = null;
      if (before !== null) {
        this.#say("info", "the service is healthy again", { after_s: Math.round((nowMs - before.sinceMs) / 1000) });
      }
      return null;
    }
    const said = (why === "" ? "none of its processes runs" : why).slice(0, WHY_CHARS);
    this.#ill = { sinceMs: before?.sinceMs ?? nowMs, why: said };
    if (before === null) this.#say("warn", `the service is unhealthy: ${said}`, {});
    const key = JSON.stringify([said, beside]);
    if (key !== this.#told.beside || before === null)
      this.#told = { beside: key, forS: Math.round((nowMs - this.#ill.sinceMs) / 1000) };
    return { since: new Date(this.#ill.sinceMs).toISOString(), why: said, forS: this.#told.forS };
  }
}
