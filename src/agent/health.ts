import { DeployError } from "../core/errors.ts";
import type { CheckSpec } from "../core/recipe.ts";
import { probeOnce, probeUntilHealthy } from "../probe/probe.ts";
import { logLabel, probePortsFor, type CommandContext } from "./commands.ts";
import type { HostInstance } from "./commands.ts";
import type { ServiceHost } from "./service_host.ts";
import type { ServiceState } from "./service_state.ts";

/** Whether an instance answers its check now; one whose build has none is taken for well. */
export async function isHealthy(
  host: ServiceHost,
  state: ServiceState,
  instance: HostInstance,
  signal: AbortSignal,
): Promise<boolean> {
  const served = state.actual?.instances.find(({ name }) => name === instance.name)?.served;
  // Asked as the build that it runs would be: another build may have another check.
  const build = served?.kind === "build" ? served.build : null;
  const on = build === null ? await host.current(instance) : host.build(build, "", instance);
  if (on === null) return false;
  // A release that is gone, or a manifest that cannot be read: what runs cannot be asked, and is left in peace.
  const check = await on.recipe().then(
    (recipe) => recipe.check,
    () => null,
  );
  if (check === null) return served?.kind !== "down";
  return (await probeOnce(check.probe, probePortsFor(on.command), signal)).ok;
}

/** @throws DeployError `check-failed` with the last answer, `aborted` */
export async function untilHealthy(check: CheckSpec, command: CommandContext, signal: AbortSignal): Promise<void> {
  const health = await probeUntilHealthy(
    {
      spec: check.probe,
      intervalMs: check.intervalMs,
      successes: check.successes,
      minHealthyMs: check.minHealthyMs,
      deadlineMs: check.deadlineMs,
      signal,
    },
    probePortsFor(command),
  );
  if (health.kind === "healthy") return;
  const last = health.last.ok ? "the last one passed, but not often enough in a row" : health.last.reason;
  const who = command.instance === null || command.instance.alone ? "" : ` on instance ${command.instance.name}`;
  throw new DeployError(
    `Cannot call "${command.build}"${who} healthy: ${health.attempts} checks in ${check.deadlineMs / 1000} s, ${last}.`,
    {
      code: "check-failed",
      hint: `Look at the service's own log, and at ${command.layout.log(command.build, logLabel(command.instance, "restart"))}.`,
      cause: { tail: health.last.ok ? "" : health.last.detail },
    },
  );
}
