import { expect, test } from "bun:test";
import { readdir, readlink } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { countOpen, openAt, readTcpTables } from "../../src/traffic/open_connections.ts";
import { eventually } from "../harness/eventually.ts";
import { trafficEffects } from "../harness/real_time.ts";

const HEAD =
  "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode                                                     ";
const PORT = 8080;

/** A line as the kernel prints it. */
function line(local: string, remote: string, state: string, inode = "4711"): string {
  return `   3: ${local} ${remote} ${state} 00000000:00000000 02:0009EB4A 00000000  1000        0 ${inode} 2 00000000f1e2d3c4 20 4 30 10 -1`;
}

const at = (port: number): string => `0100007F:${port.toString(16).toUpperCase().padStart(4, "0")}`;
const at6 = (port: number): string =>
  `0000000000000000FFFF00000100007F:${port.toString(16).toUpperCase().padStart(4, "0")}`;

function table(...lines: readonly string[]): string {
  return [HEAD, ...lines, ""].join("\n");
}

test.each([
  ["01", 1, "ESTABLISHED"],
  ["02", 0, "SYN_SENT"],
  ["03", 1, "SYN_RECV"],
  ["04", 0, "FIN_WAIT1"],
  ["05", 0, "FIN_WAIT2"],
  ["06", 0, "TIME_WAIT"],
  ["07", 0, "CLOSE"],
  ["08", 1, "CLOSE_WAIT"],
  ["09", 0, "LAST_ACK"],
  ["0A", 0, "LISTEN"],
  ["0B", 0, "CLOSING"],
])("a socket in state %s counts %i (%s)", (state, count) => {
  expect(countOpen([table(line(at(PORT), at(40_000), state))], { port: PORT })).toBe(count);
});

test("IPv4 and IPv6 are added, and other effects are not", () => {
  const ipv4 = table(line(at(PORT), at(40_000), "01"), line(at(PORT + 1), at(40_001), "01"));
  const ipv6 = table(line(at6(PORT), at6(40_002), "01"), line(at6(443), at6(PORT), "01"));
  expect(countOpen([ipv4, ipv6], { port: PORT })).toBe(2);
});

test("a connection within this host, whose both ends are in the table, is one", () => {
  const both = table(line(at(PORT), at(40_000), "01"), line(at(40_000), at(PORT), "01"));
  expect(countOpen([both], { port: PORT })).toBe(1);
});

test("an empty table, an empty file and a cut line are nothing", () => {
  expect(countOpen([], { port: PORT })).toBe(0);
  expect(countOpen([table(), "", "   3: 0100007F:1F90 01"], { port: PORT })).toBe(0);
});

test("by inode, only a process's own connections from clients count, and not its own to others", () => {
  const tables = [
    table(
      line("00000000:1F90", "00000000:0000", "0A", "1"),
      line(at(PORT), at(40_000), "01", "2"),
      line(at(PORT), at(40_001), "01", "3"),
      // To its database.
      line(at(40_002), at(5432), "01", "4"),
      line(at(PORT), at(40_003), "06", "0"),
    ),
    table(line(at6(PORT), at6(40_004), "08", "5")),
  ];
  expect(countOpen(tables, { inodes: new Set(["1", "2", "4", "5"]) })).toBe(2);
  expect(countOpen(tables, { inodes: new Set() })).toBe(0);
});

/** Inodes of the sockets that this process has open. */
async function ownInodes(): Promise<Set<string>> {
  const links = (await readdir("/proc/self/fd")).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => ""));
  return new Set((await Promise.all(links)).flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []));
}

test.each(["127.0.0.1", "::1"])("the kernel's own tables are read for a service on %s", async (host) => {
  const accepted: Socket[] = [];
  await using server = createServer((socket) => accepted.push(socket.on("error", () => {})));
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const effects = trafficEffects();
  expect(await openAt(address.port, effects)).toBe(0);

  const client = connect({ host, port: address.port }).on("error", () => {});
  await eventually(async () => accepted.length === 1 && (await openAt(address.port, effects)) === 1);
  const tables = await readTcpTables(effects);
  expect(countOpen(tables, { inodes: await ownInodes() })).toBeGreaterThanOrEqual(1);
  client.destroy();
  for (const socket of accepted) socket.destroy();
  await eventually(async () => (await openAt(address.port, effects)) === 0);
});
