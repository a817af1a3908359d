import type { HostStatus } from "../schema/znodes.ts";

/** Of the reason, in characters: it travels in a status of under 4 kB. */
const WHY_CHARS = 300;

type Ill = NonNullable<HostStatus["ill"]>;

/**
 * Since when a service that is left alone is ill, and why; said when it begins and when it is over. What is being restarted
 * is not ill: its step says what is done about it.
 */
export class Illness {
  readonly #nowMs: () => number;
  readonly #say: (level: "info" | "warn", message: string, facts: object) => void;
  #ill: { readonly sinceMs: number; readonly why: string } | null = null;
  /** What was told besides, and how long it had been ill by then: time alone is no reason to say it again. */
  #told = { beside: "", forS: 0 };

  constructor(nowMs: () => number, say: (level: "info" | "warn", message: string, facts: object) => void) {
    this.#nowMs = nowMs;
    this.#say = say;
  }

  /**
   * @param why the last check failed; empty where nothing of the service runs, and nobody needed to ask
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
