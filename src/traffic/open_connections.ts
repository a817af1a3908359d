import type { TrafficEffects } from "./effects.ts";

/** Selects sockets of this host: all with this local port, or those that a process has open. */
export type SocketMatch = { readonly port: number } | { readonly inodes: ReadonlySet<string> };

/**
 * States of a socket that still owes its client something (include/net/tcp_states.h):
 * - 01 ESTABLISHED: a request may be under way or still come, also on a connection that was not accepted yet.
 * - 03 SYN_RECV: the client is about to be ESTABLISHED; its connection was let through before traffic was off.
 * - 08 CLOSE_WAIT: the client will send nothing more, and may be waiting for the answer.
 *
 * In every other state the service has closed the connection, and the kernel does the rest: it needs neither the process
 * nor, with TIME_WAIT, the client.
 */
const OWES_AN_ANSWER = new Set(["01", "03", "08"]);

/*
 * Columns of /proc/net/tcp and tcp6 (proc(5)):
 *   sl  local_address rem_address   st tx_queue:rx_queue tr:tm->when retrnsmt   uid  timeout inode …
 */
const LOCAL = 1;
const STATE = 3;
const INODE = 9;

/** A socket that waits for connections. */
const LISTEN = "0A";

/**
 * Connections that clients still have open, from the tables of /proc/net/tcp and /proc/net/tcp6. It counts sockets and
 * not conntrack entries, which outlive their connections by minutes. Only the local end counts, so a connection within
 * this host, with both ends in the table, is one.
 *
 * When selected by inode, only sockets count whose local port has a listener: a process also has connections of its own
 * to others, such as its database, which no drain ends. Connections that wait to be accepted are not seen: they belong to
 * no process yet.
 */
export function countOpen(tables: readonly string[], match: SocketMatch): number {
  const sockets = tables.flatMap((table) => table.split("\n")).map(socketOf);
  const listening = new Set(sockets.filter(({ state }) => state === LISTEN).map(({ port }) => port));
  return sockets.filter(
    ({ state, port, inode }) =>
      OWES_AN_ANSWER.has(state) &&
      ("inodes" in match ? match.inodes.has(inode) && listening.has(port) : port === match.port),
  ).length;
}

function socketOf(line: string): { readonly state: string; readonly port: number; readonly inode: string } {
  const columns = line.trim().split(/\s+/);
  const local = columns[LOCAL] ?? "";
  return {
    state: columns[STATE] ?? "",
    port: Number.parseInt(local.slice(local.lastIndexOf(":") + 1), 16),
    inode: columns[INODE] ?? "",
  };
}

/** The tables for `countOpen`; without IPv6 there is only one. */
export async function readTcpTables(effects: Pick<TrafficEffects, "read">): Promise<string[]> {
  const tables = await Promise.all([effects.read("/proc/net/tcp"), effects.read("/proc/net/tcp6")]);
  return tables.filter((table) => table !== null);
}

/** How many connections the process behind this port of the host still serves. */
export async function openAt(port: number, effects: Pick<TrafficEffects, "read">): Promise<number> {
  return countOpen(await readTcpTables(effects), { port });
}
