import { DeployError } from "../core/errors.ts";
import { assertRestartAllowed, type RestartPolicy } from "../core/policy.ts";
import type { RestartSpec } from "../core/resolved_recipe.ts";
import type { Step } from "../core/step.ts";
import type { StepFailure } from "../schema/journal.ts";
import { keepBallast } from "../steps/ballast.ts";
import type { Files } from "../steps/files.ts";
import type { Layout } from "../steps/layout.ts";
import type { StopSignals } from "../support/abort.ts";
import { lookAtService, withLastWords } from "./health.ts";
import type { HostSlot } from "./host_slot.ts";
import { checkService, soakService } from "./proving.ts";
import { restartBatch } from "./restart_rung.ts";
import type { ActivateContext, ServiceHost } from "./service_host.ts";
import type { ServiceState } from "./service_state.ts";

export interface ActivationEffects {
  readonly state: ServiceState;
  readonly host: ServiceHost;
  readonly slot: Pick<HostSlot, "release" | "fail">;
  readonly say: (level: "info" | "warn" | "error", message: string, facts: object) => void;
  readonly onEnd: (result: "served" | "failed") => void;
}

/** One rung of ACTIVATE. @param interrupt aborted when a newer wish comes, which ends a soak and nothing else */
export async function activateStep(
  { host, state }: ActivationEffects,
  step: Extract<Step, { step: "flip" | "restart" | "check" | "soak" }>,
  stop: StopSignals,
  interrupt: AbortSignal,
): Promise<void> {
  const { activation } = state.journal.now;
  if (activation === null) return;
  const context = host.activation(activation, step.build);
  switch (step.step) {
    case "flip":
      return flip(context);
    case "restart":
      return restartBatch(context, step, stop.now);
    case "check":
      return checkService(context, stop.now);
    case "soak":
      // Proven already; when the agent is to stop, the next one soaks.
      return soakService(context, step.remainingMs, AbortSignal.any([stop.soon, interrupt]));
  }
}

/** Before it leads away from a build, what the way back to that one takes of the disk is set aside. */
async function flip({ activation, command, resolvedRecipe, host, state }: ActivateContext): Promise<void> {
  // What cannot be restarted must not be pointed at either.
  requireRestartable((await resolvedRecipe()).restart, host);
  if (activation.phase.kind === "forward" && activation.previous !== null) {
    await state.journal.setAside();
    await prepareWayBack(command.layout, activation.previous, host.files);
    // For the service's own needs, which nobody can promise anything about.
    await keepBallast(command.layout, host.files).catch(() => {});
  }
  await flipStep(command.layout, command.build, host.files);
}

/** Points `current` at the build. One rename: whoever looks sees the old release or the new one, never none. */
export async function flipStep(layout: Layout, build: string, files: Files): Promise<void> {
  await files.flip(layout.current, layout.linkTarget(build), layout.wayBack);
}

/** Makes the link by which `flipStep` comes back to this build, on a disk that may be full by then. */
async function prepareWayBack(layout: Layout, build: string, files: Files): Promise<void> {
  await files.flip(layout.wayBack, layout.linkTarget(build));
}

/**
 * Whether this host can and may restart the service as a build wants it. All that the files of both say is known before
 * the running service is touched, and is asked again by whoever touches it.
 *
 * @throws DeployError `policy-refused`, `recipe-invalid`
 */
export function requireRestartable(
  spec: RestartSpec | null,
  host: { readonly policy: RestartPolicy; readonly instances: readonly unknown[] },
): void {
  if (spec === null) return;
  assertRestartAllowed(spec, host.policy);
  if (spec.by === "systemd-socket" && host.instances.length > 1) {
    throw new DeployError(
      `Cannot restart ${host.instances.length} instances by systemd-socket: all of them would be ${spec.unit}.`,
      { code: "recipe-invalid", hint: "Blue and green are its two copies; leave instances out of the agent's file." },
    );
  }
}

/** The build is proven. */
export async function finish({ state, host, slot, say, onEnd }: ActivationEffects, signal: AbortSignal): Promise<void> {
  await warnOfReboot({ state, host, say });
  const { activation } = state.journal.now;
  if (activation === null) return;
  // It may have fallen ill since it was asked, or its instances were well in turns.
  await lookAtService(host, state);
  await state.journal.record({ kind: "proven" });
  await slot.release(activation.deploy, state.statusAt("serving"), signal, activation.counts);
  await state.journal.record({ kind: "finished", atMs: host.machine.clock.now() });
  onEnd("served");
  say("info", "serving", { build: activation.build, deploy: activation.deploy });
}

/** Whoever deploys is told, in time, that after a reboot nobody would start what is served now. */
async function warnOfReboot({ state, host, say }: Pick<ActivationEffects, "state" | "host" | "say">): Promise<void> {
  // That it cannot be known keeps no deploy from its end.
  state.warning = (await host.machine.manager.whyLeftDown().catch(() => null)) ?? "";
  if (state.warning !== "") say("warn", state.warning, {});
}

/** The activation failed: from here on the way leads back, or, when it led back already, nowhere. */
export async function turnBack({ state, host, say }: ActivationEffects, failure: StepFailure): Promise<void> {
  const { activation } = state.journal.now;
  if (activation === null || activation.phase.kind === "proven") return;
  state.proof = null;
  const { actual } = await host.observe();
  const { deploy, build, previous, phase } = activation;
  const failed = { deploy, build: phase.kind === "back" ? (previous ?? build) : build };
  const told = await withLastWords(failure, failed, host);
  await state.journal.record({ kind: "turned-back", failure: told, instances: actual.instances });
  say("error", failure.message, { build: activation.build, back: activation.previous });
  state.changed();
}

/** The end of the way back: what failed, and how the host is now, is still to be reported. */
export async function giveUp({ state, host, onEnd }: ActivationEffects, wentBack: boolean): Promise<void> {
  await lookAtService(host, state);
  const healthy = wentBack && state.healthy !== false;
  state.healthy = healthy;
  await state.journal.record({ kind: "given-up", healthy });
  onEnd("failed");
}

/** PREPARE came to nothing: the build is not tried again here, and the running service was never touched. */
export async function condemn({ state, host, say, onEnd }: ActivationEffects, failure: StepFailure): Promise<void> {
  const { attempt } = state.journal.now;
  const told = attempt === null ? failure : await withLastWords(failure, attempt, host);
  await state.journal.record({ kind: "condemned", failure: told, healthy: state.status().health !== "unhealthy" });
  onEnd("failed");
  say("error", failure.message, { build: attempt?.build, deploy: attempt?.deploy });
}

/** Says the failure in ZooKeeper, where it counts against the budget. */
export async function report({ state, host, slot }: ActivationEffects, signal: AbortSignal): Promise<void> {
  const { failed } = state.journal.now;
  if (failed === null) return;
  await host.observe();
  await slot.fail(failed, state.statusAt("failed"), signal, state.journal.now.lastRestart);
  await state.journal.record({ kind: "reported" });
}
