import { z } from "zod";

/** What a process of hosts says of them; moments are milliseconds since 1970. */
export const hostsReport = z.object({
  /** How many are connected to which server now. */
  servers: z.record(z.string(), z.number()),
  /** How many sessions ended and had to be followed by another. */
  lost: z.number(),
  /** Every try to reach a server, and every moment when a session was connected again, since all were open. */
  triesAtMs: z.array(z.number()),
  connectedAtMs: z.array(z.number()),
});

export type HostsReport = z.infer<typeof hostsReport>;

export const hostsRoot = "/hosts";

export function hostPath(host: number): string {
  return `${hostsRoot}/host-${host}`;
}

/** What several processes say, in one. */
export function added(reports: readonly HostsReport[]): HostsReport {
  const servers: Record<string, number> = {};
  for (const report of reports) {
    for (const [server, count] of Object.entries(report.servers)) servers[server] = (servers[server] ?? 0) + count;
  }
  return {
    servers,
    lost: reports.reduce((sum, report) => sum + report.lost, 0),
    triesAtMs: reports.flatMap((report) => report.triesAtMs),
    connectedAtMs: reports.flatMap((report) => report.connectedAtMs),
  };
}

/** The most moments within one stretch of `widthMs`, wherever it begins. */
export function peak(momentsMs: readonly number[], widthMs: number): number {
  const sorted = momentsMs.toSorted((a, b) => a - b);
  let most = 0;
  let from = 0;
  for (const [index, momentMs] of sorted.entries()) {
    while ((sorted[from] ?? momentMs) <= momentMs - widthMs) from += 1;
    most = Math.max(most, index - from + 1);
  }
  return most;
}
