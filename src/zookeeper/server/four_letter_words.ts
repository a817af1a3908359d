export interface ServerFigures {
  readonly connections: number;
  /** How many packets came in. */
  readonly received: number;
  readonly sent: number;
  readonly nodes: number;
  readonly sessions: number;
  readonly watches: number;
  readonly zxid: bigint;
  readonly uptimeMs: number;
}

// The version whose protocol this is, and its date in the older form: other clients match one or the other by a pattern.
const version = "3.8.0-memory, built on 02/25/2022 08:49 UTC";

/** The answer to a four-letter word (an administrator's command), or undefined if this server does not know it. */
export function fourLetterWord(word: string, figures: ServerFigures): string | undefined {
  switch (word) {
    case "ruok":
      return "imok";
    case "isro":
      return "rw";
    case "srvr":
    case "stat":
      return lines([
        `Zookeeper version: ${version}`,
        // This server does not measure latencies.
        "Latency min/avg/max: 0/0.0/0",
        `Received: ${figures.received}`,
        `Sent: ${figures.sent}`,
        `Connections: ${figures.connections}`,
        "Outstanding: 0",
        `Zxid: 0x${figures.zxid.toString(16)}`,
        "Mode: standalone",
        `Node count: ${figures.nodes}`,
      ]);
    case "envi":
      return lines(["Environment:", `zookeeper.version=${version}`, "host.name=localhost"]);
    case "mntr":
      return lines([
        `zk_version\t${version}`,
        "zk_server_state\tstandalone",
        `zk_packets_received\t${figures.received}`,
        `zk_packets_sent\t${figures.sent}`,
        `zk_num_alive_connections\t${figures.connections}`,
        "zk_outstanding_requests\t0",
        `zk_znode_count\t${figures.nodes}`,
        `zk_watch_count\t${figures.watches}`,
        `zk_global_sessions\t${figures.sessions}`,
        `zk_uptime\t${Math.round(figures.uptimeMs)}`,
      ]);
    default:
      return undefined;
  }
}

function lines(texts: readonly string[]): string {
  return `${texts.join("\n")}\n`;
}
