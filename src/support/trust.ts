/** Authorities that may vouch for a server. */
export interface Authorities {
  /** Their certificates, PEM. */
  readonly certificates: string;
  /** Where they are from, for people. */
  readonly from: string;
}

/** Whom this host trusts, which may change while the agent runs. */
export interface Trust {
  /**
   * @returns null where the host has no list of its own, so that the one built into the program counts
   * @throws DeployError `config-invalid` when a list that was named has nobody in it
   */
  authorities(): Promise<Authorities | null>;
}

const UNTRUSTED = /CERT|SELF_SIGNED|UNABLE_TO|ALTNAME|HOSTNAME_MISMATCH/;

/** Whether a connection failed, by its error's code, for the server's certificate. */
export function isUntrusted(code: string): boolean {
  return UNTRUSTED.test(code);
}

/** The same in words; "" where it failed for something else. */
export function whyUntrusted(code: string, authorities: Authorities | null): string {
  if (!isUntrusted(code)) return "";
  return `its certificate is not trusted (${code}) by ${authorities?.from ?? "the authorities built into deployd"}`;
}
