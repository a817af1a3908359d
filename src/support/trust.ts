/** Certificate authorities that may vouch for a server. */
export interface Authorities {
  /** The certificates of the authorities, PEM. */
  readonly certificates: string;
  /** Where they come from, described for people. */
  readonly from: string;
}

/** The certificate authorities that this host trusts; they may change while the agent runs. */
export interface Trust {
  /**
   * @returns null if the host has no list of its own, so that the list built into the program applies
   * @throws DeployError `config-invalid` if a configured list contains no certificate
   */
  authorities(): Promise<Authorities | null>;
}

const UNTRUSTED = /CERT|SELF_SIGNED|UNABLE_TO|ALTNAME|HOSTNAME_MISMATCH/;

/** Whether an error code means that a connection failed because of the server's certificate. */
export function isUntrusted(code: string): boolean {
  return UNTRUSTED.test(code);
}

/** The same in words; "" if it failed for another reason. */
export function whyUntrusted(code: string, authorities: Authorities | null): string {
  if (!isUntrusted(code)) return "";
  return `its certificate is not trusted (${code}) by ${authorities?.from ?? "the authorities built into deployd"}`;
}
