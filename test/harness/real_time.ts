import { digestOfFile as digest, requireDigest } from "../../src/fetch/digest.ts";
import { packDirectory as pack } from "../../src/pack/pack_directory.ts";
import { download as fetchInto, type DownloadRequest } from "../../src/fetch/download.ts";
import { unpackArchive as extract } from "../../src/fetch/tree/unpack.ts";
import { endLeftRunning as endLeft, runCommand as run } from "../../src/host/processes.ts";
import { processesOf as processesBelow, processFact as factOf } from "../../src/host/scan.ts";
import { descendantsOf as descendantsBelow } from "../../src/host/scan_proc.ts";
import { systemTrust } from "../../src/host/system_trust.ts";
import { trafficEffects as portsOf } from "../../src/host/traffic_effects.ts";
import type { Digest } from "../../src/schema/names.ts";
import { systemClock } from "../../src/support/clock.ts";
import type { CommandRequest } from "../../src/support/command.ts";

/*
 * What src/ does with a clock that is handed in, on the machine's own time: for tests of what really happens.
 */

type WithoutClock<F> = F extends (request: infer R) => infer Result ? (request: Omit<R, "clock">) => Result : never;

export const packDirectory: WithoutClock<typeof pack> = (request) => pack({ ...request, clock: systemClock });
export const unpackArchive: WithoutClock<typeof extract> = (request) => extract({ ...request, clock: systemClock });
export const download = (request: DownloadRequest) =>
  fetchInto(request, { clock: systemClock, trust: systemTrust(process.env) });
export const digestOfFile = (path: string, signal?: AbortSignal) => digest(path, systemClock, signal);
export const runCommand = (request: CommandRequest) => run(request, systemClock);
export const endLeftRunning = (marker: string) => endLeft(marker, null, systemClock);
export const processFact = (pid: number) => factOf(pid, systemClock);
export const descendantsOf = (pid: number) => descendantsBelow(pid, systemClock);
export const processesOf = (
  root: string,
  options: { ignoreMarker?: boolean; uid?: number; mains?: readonly number[] } = {},
) => processesBelow({ root, uid: options.uid ?? null, mains: options.mains ?? [] }, systemClock, options);
export const trafficEffects = () => portsOf(systemClock);

export async function verifyFile(
  path: string,
  expected: { digest: Digest; size: number; label: string },
  signal?: AbortSignal,
): Promise<void> {
  requireDigest(await digestOfFile(path, signal), expected);
}
