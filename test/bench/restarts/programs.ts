const NEEDED: readonly (readonly [program: string, debianPackage: string])[] = [
  ["node", "nodejs"],
  ["ip", "iproute2"],
  ["nft", "nftables"],
  ["iptables", "iptables"],
  ["haproxy", "haproxy"],
  ["systemd-nspawn", "systemd-container"],
  ["curl", "curl"],
];

/** What has to be done first, or null: everything is there. */
export function missingPrograms(): string | null {
  if (process.getuid?.() !== 0) return "Run it as root: network namespaces are made, and rules in them.";
  const missing = NEEDED.filter(([program]) => Bun.which(program) === null).map(([, name]) => name);
  return missing.length === 0 ? null : `Install the Debian packages: ${missing.join(" ")}.`;
}
