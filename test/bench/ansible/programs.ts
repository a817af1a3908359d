const NEEDED: readonly (readonly [program: string, debianPackage: string])[] = [
  ["ansible-playbook", "ansible-core"],
  ["/usr/sbin/sshd", "openssh-server"],
  ["ssh", "openssh-client"],
  ["/usr/bin/python3", "python3"],
  ["zstd", "zstd"],
  ["ip", "iproute2"],
  ["unshare", "util-linux"],
  ["setpriv", "util-linux"],
  ["java", "default-jre-headless"],
  ["/usr/share/java/zookeeper.jar", "zookeeper"],
];

/** What has to be done first, or null: everything is there. */
export async function missingPrograms(): Promise<string | null> {
  if (process.getuid?.() !== 0) return "Run it as root: network namespaces are made, and file systems mounted in one.";
  const missing: string[] = [];
  for (const [program, debianPackage] of NEEDED) {
    const there = program.startsWith("/") ? await Bun.file(program).exists() : Bun.which(program) !== null;
    if (!there) missing.push(debianPackage);
  }
  return missing.length === 0
    ? null
    : `Install the Debian packages: apt-get install --no-install-recommends ${[...new Set(missing)].join(" ")}.`;
}
