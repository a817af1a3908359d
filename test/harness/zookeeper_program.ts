/*
 * How Apache's ZooKeeper, as Debian packages it, is run for tests: small, quick to start, and without waiting for disks.
 */

// What Debian's zookeeper.jar names in its recipe lacks a logger and, for TLS, three parts of Netty.
const CLASS_PATH = ["zookeeper", "slf4j-simple", "netty-codec", "netty-resolver", "netty-transport-native-unix-common"]
  .map((jar) => `/usr/share/java/${jar}.jar`)
  .join(":");

/** @param properties of the Java process, beside those that every server of a test has */
export function zooKeeperCommand(configFile: string, properties: Readonly<Record<string, string>>): string[] {
  const all = { "zookeeper.forceSync": "no", "zookeeper.extendedTypesEnabled": "true", ...properties };
  return [
    "java",
    "-Xmx128m",
    "-Xshare:auto",
    // Not the locale: users have names of any script, and a bare machine has no locale.
    "-Dfile.encoding=UTF-8",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    ...Object.entries(all).map(([name, value]) => `-D${name}=${value}`),
    "-cp",
    CLASS_PATH,
    "org.apache.zookeeper.server.quorum.QuorumPeerMain",
    configFile,
  ];
}

/** The lines of zoo.cfg that every server of a test has. @param tickMs the server's unit of time */
export function zooKeeperConfig(
  directory: string,
  port: number,
  tickMs: number,
  minSessionTimeoutMs: number,
): string[] {
  return [
    `tickTime=${tickMs}`,
    `dataDir=${directory}`,
    `clientPort=${port}`,
    `minSessionTimeout=${minSessionTimeoutMs}`,
    "maxSessionTimeout=60000",
    "maxClientCnxns=0",
    "initLimit=50",
    "syncLimit=25",
    "forceSync=no",
    "admin.enableServer=false",
    "extendedTypesEnabled=true",
    "4lw.commands.whitelist=*",
  ];
}
