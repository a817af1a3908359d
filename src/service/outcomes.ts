import type { StepFailure } from "../schema/journal.ts";
import type { GateKeeper } from "./gate_keeper.ts";
import { lookAtService, withLastWords } from "./health.ts";
import type { ServiceHost } from "./service_host.ts";
import type { ServiceState } from "./service_state.ts";

export interface OutcomeEffects {
  readonly state: ServiceState;
  readonly host: ServiceHost;
  readonly gate: Pick<GateKeeper, "release" | "fail">;
  readonly say: (level: "info" | "warn" | "error", message: string, facts: object) => void;
  readonly onEnd: (result: "served" | "failed") => void;
}

/** The build is proven. */
export async function finish({ state, host, gate, say, onEnd }: OutcomeEffects, signal: AbortSignal): Promise<void> {
  await warnOfReboot({ state, host, say });
  const { activation } = state.journal.now;
  if (activation === null) return;
  // It may have fallen ill since it was asked, or its instances were well in turns.
  await lookAtService(host, state);
  await state.journal.record({ kind: "proven" });
  await gate.release(activation.deploy, state.statusAt("serving"), signal, activation.counts);
  await state.journal.record({ kind: "finished", atMs: host.machine.clock.now() });
  onEnd("served");
  say("info", "serving", { build: activation.build, deploy: activation.deploy });
}

/** Whoever deploys is told, in time, that after a reboot nobody would start what is served now. */
async function warnOfReboot({ state, host, say }: Pick<OutcomeEffects, "state" | "host" | "say">): Promise<void> {
  // That it cannot be known keeps no deploy from its end.
  state.warning = (await host.machine.manager.whyLeftDown().catch(() => null)) ?? "";
  if (state.warning !== "") say("warn", state.warning, {});
}

/** The activation failed: from here on the way leads back, or, when it led back already, nowhere. */
export async function turnBack({ state, host, say }: OutcomeEffects, failure: StepFailure): Promise<void> {
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
export async function giveUp({ state, host, onEnd }: OutcomeEffects, wentBack: boolean): Promise<void> {
  await lookAtService(host, state);
  const healthy = wentBack && state.healthy !== false;
  state.healthy = healthy;
  await state.journal.record({ kind: "given-up", healthy });
  onEnd("failed");
}

/** PREPARE came to nothing: the build is not tried again here, and the running service was never touched. */
export async function condemn({ state, host, say, onEnd }: OutcomeEffects, failure: StepFailure): Promise<void> {
  const { attempt } = state.journal.now;
  const told = attempt === null ? failure : await withLastWords(failure, attempt, host);
  await state.journal.record({ kind: "condemned", failure: told, healthy: state.status().health !== "unhealthy" });
  onEnd("failed");
  say("error", failure.message, { build: attempt?.build, deploy: attempt?.deploy });
}

/** Says the failure in ZooKeeper, where it counts against the budget. */
export async function report({ state, host, gate }: OutcomeEffects, signal: AbortSignal): Promise<void> {
  const { failed } = state.journal.now;
  if (failed === null) return;
  await host.observe();
  await gate.fail(failed, state.statusAt("failed"), signal, state.journal.now.lastRestart);
  await state.journal.record({ kind: "reported" });
}
