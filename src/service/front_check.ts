import { DeployError } from "../core/errors.ts";
import type { CheckSpec, ProbeSpec } from "../core/resolved_recipe.ts";
import type { ServiceConfig } from "../schema/agent_config.ts";
import { probeUntilHealthy, type ProbeEffects } from "../probe/probe.ts";

const INTERVAL_MS = 100;
const REQUEST_TIMEOUT_MS = 5_000;
const ANY_GOOD_STATUS = Array.from({ length: 200 }, (_, at) => 200 + at);

/**
 * The request that goes through the front once traffic is on again: the one that the host's file names, else, where the
 * front is a port of this host and the check asks the instance's own, the check's on that port. Null where there is
 * nothing to ask.
 */
export function frontProbe(
  traffic: ServiceConfig["traffic"],
  check: CheckSpec | null,
  instancePort: number | null,
): ProbeSpec | null {
  if (traffic.probe !== undefined) return probeOf(traffic.probe);
  if (!("port" in traffic) || check === null) return null;
  const { probe } = check;
  switch (probe.kind) {
    case "http": {
      const url = new URL(probe.url);
      // A check on a port of its own speaks of something that clients do not see.
      if (Number(url.port) !== instancePort) return null;
      url.port = String(traffic.port);
      // Any instance may answer, so nothing is asked of the body: it may name the build before.
      return { kind: "http", url: url.href, expectStatus: probe.expectStatus, timeoutMs: probe.timeoutMs };
    }
    case "tcp":
      return probe.port === instancePort ? { ...probe, port: traffic.port } : null;
    case "command":
      return null;
  }
}

function probeOf(named: string): ProbeSpec {
  const tcp = /^tcp:\/\/(?:\[([^\]]+)\]|([^:/]+)):(\d{1,5})$/.exec(named);
  if (tcp !== null) {
    return { kind: "tcp", host: tcp[1] ?? tcp[2] ?? "", port: Number(tcp[3]), timeoutMs: REQUEST_TIMEOUT_MS };
  }
  return { kind: "http", url: named, expectStatus: ANY_GOOD_STATUS, timeoutMs: REQUEST_TIMEOUT_MS };
}

/** Asks until it is answered once. @throws DeployError `traffic-failed` after `timeoutMs`, `aborted` */
export async function probeFront(spec: ProbeSpec, timeoutMs: number, effects: ProbeEffects, signal: AbortSignal) {
  const health = await probeUntilHealthy(
    {
      spec,
      intervalMs: INTERVAL_MS,
      successes: 1,
      minHealthyMs: 0,
      deadlineMs: timeoutMs,
      signal,
    },
    effects,
  );
  if (health.kind === "healthy") return;
  const asked = spec.kind === "http" ? spec.url : spec.kind === "tcp" ? `${spec.host}:${spec.port}` : spec.run;
  throw new DeployError(
    `Cannot see the service behind ${asked}: ${health.attempts} requests in ${timeoutMs / 1000} s, ` +
      `the last one: ${health.last.ok ? "passed" : health.last.reason}.`,
    {
      code: "traffic-failed",
      hint: "The instance itself is healthy; look at traffic.probe in the agent's file and at what stands in front.",
    },
  );
}
