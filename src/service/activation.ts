import { DeployError } from "../core/errors.ts";
import { isWellEnough } from "../core/journal_former.ts";
import { assertRestartAllowed, type RestartPolicy } from "../core/policy.ts";
import type { RestartSpec } from "../core/resolved_recipe.ts";
import type { Step } from "../core/step.ts";
import type { StepFailure } from "../schema/journal.ts";
import { keepBallast } from "../steps/ballast.ts";
import type { Files } from "../steps/files.ts";
import type { Layout } from "../steps/layout.ts";
import type { StopSignals } from "../support/abort.ts";
import { askService, lookAtService, withLastWords } from "./health.ts";
import { checkService, soakService } from "./proving.ts";
import { restartBatch } from "./restart_rung.ts";
import type { ActivateContext, ServiceHost } from "./service_host.ts";
import type { ServiceState } from "./service_state.ts";

export interface ActivationEffects {
  readonly state: ServiceState;
  readonly host: ServiceHost;
  readonly say: (level: "info" | "warn" | "error", message: string, facts: object) => void;
  readonly onEnd: (result: "served" | "failed") => void;
}

/** Runs one rung of ACTIVATE. @param interrupt aborted when a newer wish comes; it ends a soak and nothing else */
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
      // The service is proven already; when the agent is told to stop, the next agent goes on with the soak.
      return soakService(context, step.remainingMs, AbortSignal.any([stop.soon, interrupt]));
  }
}

/**
 * Points `current` at the build. Before it leads away from another build, the disk space that the way back to that one
 * needs is reserved.
 */
async function flip({ activation, command, resolvedRecipe, host, state }: ActivateContext): Promise<void> {
  // `current` must not point at a build that cannot be restarted here.
  requireRestartable((await resolvedRecipe()).restart, host);
  if (activation.phase.kind === "forward" && activation.previous !== null) {
    await state.journal.setAside();
    await prepareWayBack(command.layout, activation.previous, host.files);
    // Space for the service's own needs. It is an attempt only: nobody can promise how much the service needs.
    await keepBallast(command.layout, host.files).catch(() => {});
  }
  await flipStep(command.layout, command.build, host.files);
}

/** Points `current` at the build by one rename: a reader sees either the old release or the new one, never none. */
export async function flipStep(layout: Layout, build: string, files: Files): Promise<void> {
  await files.flip(layout.current, layout.linkTarget(build), layout.wayBack);
}

/** Makes the link by which `flipStep` comes back to this build; by then the disk may be full. */
async function prepareWayBack(layout: Layout, build: string, files: Files): Promise<void> {
  await files.flip(layout.wayBack, layout.linkTarget(build));
}

/**
 * Requires that this host can and may restart the service as a build says. All that its recipe and agent.toml say about
 * that is checked before the running service is touched, and again by whoever touches it.
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

/** What ends the work for a wish, well or not, or turns it round. */
export async function conclude(
  effects: ActivationEffects,
  step: Extract<Step, { step: "refuse" | "turn-back" | "give-up" | "finish" }>,
): Promise<void> {
  const atMs = effects.host.machine.clock.now();
  switch (step.step) {
    case "refuse":
      return condemn(effects, { ...step.failure, atMs });
    case "turn-back":
      return turnBack(effects, { ...step.failure, atMs });
    case "give-up":
      return giveUp(effects, step.healthy);
    case "finish":
      return finish(effects);
  }
}

/** Ends the activation: the build is proven, and the status says so from here on. */
export async function finish({ state, host, say, onEnd }: ActivationEffects): Promise<void> {
  await warnOfReboot({ state, host, say });
  const { activation } = state.journal.now;
  if (activation === null) return;
  // It may have become unhealthy since the last check, or its instances may have been healthy only in turns.
  await askService(host, state);
  await state.journal.record({ kind: "proven" });
  await state.journal.record({ kind: "finished", atMs: host.machine.clock.now() });
  state.enter("serving");
  onEnd("served");
  say("info", "serving", { build: activation.build, deploy: activation.deploy });
}

/** Tells whoever deploys, in time, that nobody would start after a reboot what is served now. */
async function warnOfReboot({ state, host, say }: Pick<ActivationEffects, "state" | "host" | "say">): Promise<void> {
  // Where that cannot be found out, the deploy ends all the same.
  state.warning = (await host.machine.manager.whyLeftDown().catch(() => null)) ?? "";
  if (state.warning !== "") say("warn", state.warning, {});
}

/**
 * The activation failed: from here the host goes back to the previous build, or, where it was on its way back already,
 * nowhere.
 */
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

/** The end of the way back: the status says what failed, and how the host is now. */
async function giveUp({ state, host, onEnd }: ActivationEffects, wentBack: boolean): Promise<void> {
  await lookAtService(host, state);
  const healthy = wentBack && state.healthy !== false;
  state.healthy = healthy;
  await state.journal.record({ kind: "given-up", healthy });
  state.enter("failed");
  onEnd("failed");
}

/** PREPARE failed for good: the build is not tried again here, and the running service was never touched. */
export async function condemn({ state, host, say, onEnd }: ActivationEffects, failure: StepFailure): Promise<void> {
  const { attempt } = state.journal.now;
  const told = attempt === null ? failure : await withLastWords(failure, attempt, host);
  const healthy = isWellEnough(state.journal.now, state.status().health);
  await state.journal.record({ kind: "condemned", failure: told, healthy });
  state.enter("failed");
  onEnd("failed");
  say("error", failure.message, { build: attempt?.build, deploy: attempt?.deploy });
}
