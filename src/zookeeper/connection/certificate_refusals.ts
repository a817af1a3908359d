import type { LinkFailure } from "../dial.ts";
import { ZooKeeperError } from "../errors.ts";
import type { RefusalCode, TerminalState } from "../state.ts";

/**
 * Finds out from failed connection attempts whether all servers refuse for good. A certificate problem with one server
 * may be that server's mistake. If a whole pass over the servers fails for certificates and nothing else, a retry would
 * change nothing.
 */
export class CertificateRefusals {
  #onlyRefusals = true;
  #told = "";

  /**
   * @param last whether the attempt ended a pass
   * @returns `unanimous` if the pass is over and every attempt in it was refused; `news` if this refusal was not reported
   *   before
   */
  note(
    { kind, reason }: LinkFailure,
    last: boolean,
  ): {
    readonly unanimous: TerminalState | undefined;
    readonly news: ZooKeeperError | undefined;
  } {
    const code = codeOf(kind);
    this.#onlyRefusals &&= code !== undefined;
    const unanimous = last && this.#onlyRefusals;
    if (last) this.#onlyRefusals = true;
    if (code === undefined) return { unanimous: undefined, news: undefined };
    const news = reason !== this.#told;
    this.#told = reason;
    return {
      unanimous: unanimous ? { kind: "auth-failed", code, reason } : undefined,
      news: news ? new ZooKeeperError({ code, operation: "connect", outcome: "not-sent", detail: reason }) : undefined,
    };
  }

  /** A connection succeeded: later refusals are reported again. */
  succeeded(): void {
    this.#told = "";
    this.#onlyRefusals = true;
  }
}

function codeOf(kind: LinkFailure["kind"]): RefusalCode | undefined {
  switch (kind) {
    case "lost":
      return undefined;
    case "refused-by-us":
      return "TLS_REFUSED_BY_US";
    case "refused-by-server":
      return "TLS_REFUSED_BY_SERVER";
  }
}
