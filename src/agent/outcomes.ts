import { rollOf, touchedBy } from "../core/roll.ts";
import type { Activation, ActivationPhase, Journal, StepFailure } from "../core/types.ts";
import type { GateKeeper } from "./gate_keeper.ts";
import type { ServiceHost } from "./service_host.ts";
import type { ServiceState } from "./service_state.ts";

export interface OutcomePorts {
  readonly state: ServiceState;
  readonly host: ServiceHost;
  readonly gate: GateKeeper;
  readonly say: (level: "info" | "error", message: string, facts: object) => void;
  readonly onEnd: (result: "served" | "failed") => void;
}

/** The build is proven. */
export async function finish({ state, host, gate, say, onEnd }: OutcomePorts, signal: AbortSignal): Promise<void> {
  const { activation, proven } = state.journal.now;
  if (activation === null) return;
  await host.observe();
  // On record before the slot is gone: without a slot the host must not come to doubt the build again and go back.
  await state.journal.change({ activation: { ...activation, phase: { kind: "proven" } } });
  await gate.release(activation.deploy, state.statusAt("serving"), signal, activation.counts);
  await state.journal.change({
    activation: null,
    asked: null,
    failed: null,
    installs: null,
    lastRoll: rollTold(activation),
    proven: [activation.build, ...proven.filter((build) => build !== activation.build)].slice(0, 2),
  });
  onEnd("served");
  say("info", "serving", { build: activation.build, deploy: activation.deploy });
}

/** What the restarts cost, for whoever asks later. */
export function rollTold({ counts, build, deploy }: Activation): Journal["lastRoll"] {
  return counts.instances === 0 ? null : { ...counts, build, deploy };
}

/** The activation failed: from here on the way leads back, or, when it led back already, nowhere. */
export async function turnBack({ state, host, say }: OutcomePorts, failure: StepFailure): Promise<void> {
  const { activation } = state.journal.now;
  if (activation === null || activation.phase.kind === "proven") return;
  state.proof = null;
  const { actual } = await host.observe();
  const phase: ActivationPhase =
    activation.phase.kind === "forward"
      ? {
          kind: "back",
          failure,
          restart: rollOf(touchedBy(activation.phase.restart, actual.instances, activation.previous)),
        }
      : { kind: "stuck", failure: activation.phase.failure, second: failure };
  await state.journal.change({ activation: { ...activation, phase } });
  say("error", failure.message, { build: activation.build, back: activation.previous });
  state.changed();
}

/** The end of the way back: what failed, and how the host is now, is still to be reported. */
export async function giveUp({ state, onEnd }: OutcomePorts, healthy: boolean): Promise<void> {
  const { activation } = state.journal.now;
  if (activation === null || (activation.phase.kind !== "back" && activation.phase.kind !== "stuck")) return;
  const { failure } = activation.phase;
  state.healthy = healthy;
  const { build, deploy, attempt } = activation;
  const after =
    activation.phase.kind === "stuck" && activation.phase.second !== null
      ? `Going back to "${activation.previous}" failed too: ${activation.phase.second.message}`
      : healthy
        ? `The host went back to "${activation.previous}" and is healthy.`
        : activation.previous === null
          ? "The host has no older build to go back to."
          : `Going back to "${activation.previous}" failed too: its restarts were begun and never ended well.`;
  await state.journal.change({
    activation: null,
    lastRoll: rollTold(activation),
    failed: {
      deploy,
      build,
      failure: { ...failure, hint: `${after} ${failure.hint}` },
      attempt,
      reported: false,
      healthy,
    },
  });
  onEnd("failed");
}

/** PREPARE came to nothing: the build is not tried again here, and the running service was never touched. */
export async function condemn({ state, say, onEnd }: OutcomePorts, failure: StepFailure): Promise<void> {
  const { target } = state.snapshot;
  if (target.kind !== "build") return;
  const { build, deploy } = target;
  await state.journal.change({
    failed: {
      deploy,
      build,
      failure,
      attempt: state.journal.now.attempt?.number ?? 0,
      reported: false,
      healthy: state.status().health !== "unhealthy",
    },
  });
  onEnd("failed");
  say("error", failure.message, { build, deploy });
}

/** Says the failure in ZooKeeper, where it counts against the budget. */
export async function report({ state, host, gate }: OutcomePorts, signal: AbortSignal): Promise<void> {
  const { failed } = state.journal.now;
  if (failed === null) return;
  await host.observe();
  await gate.fail(failed, state.statusAt("failed"), signal, state.journal.now.lastRoll);
  await state.journal.change({ failed: { ...failed, reported: true }, asked: null });
}
