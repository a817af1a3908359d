import type { ProbeSpec } from "../core/resolved_recipe.ts";
import type { RunCommand } from "../support/command.ts";
import { probeFailure, type ProbeFailure, timedOut } from "./result.ts";

/** Runs a command that exits with 0 if the service is well. @returns null if it did */
export async function probeCommand(
  spec: Extract<ProbeSpec, { kind: "command" }>,
  run: RunCommand,
  signal: AbortSignal,
): Promise<ProbeFailure | null> {
  const result = await run(spec.run, {
    background: "kill",
    timeoutMs: spec.timeoutMs,
    label: "check",
    as: "service",
    signal,
  });
  switch (result.kind) {
    case "timed-out":
      return { ...timedOut(spec.timeoutMs), ...detailOf(result.tail) };
    case "signalled":
      return probeFailure(`ended by ${result.signal}`, result.tail);
    case "exited":
      return result.code === 0 ? null : probeFailure(`exit ${result.code}`, result.tail);
  }
}

function detailOf(tail: string): { detail?: string } {
  const { detail } = probeFailure("", tail);
  return detail === undefined ? {} : { detail };
}
