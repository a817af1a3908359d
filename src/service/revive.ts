import { asDeployError } from "../core/errors.ts";
import { goesBack } from "../core/deploy_state.ts";
import type { Actual, Situation } from "../core/situation.ts";
import type { Step } from "../core/step.ts";
import { assertRestartAllowed } from "../core/policy.ts";
import { supervisorFor } from "../restart/supervisor.ts";
import type { WishSnapshot } from "../store/read_wish.ts";
import { supervisorEffectsFor } from "./command_context.ts";
import { untilShown } from "./health.ts";
import type { ActivationEffects } from "./activation.ts";
import type { StopSignals } from "../support/abort.ts";
import type { ServiceHost } from "./service_host.ts";

/** How long a service that a boot has left down waits to hear what ZooKeeper wishes, in milliseconds. */
const ALONE_AFTER_MS = 30_000;
/** How long a process may take to show which build it runs, in milliseconds. */
const SEEN_MS = 1_000;

/**
 * Starts what this host served and a boot has left down. That is no activation: the build was proven here, there is no
 * other to go back to, and a failure is not the deploy's.
 */
export class Revival {
  readonly #effects: Pick<ActivationEffects, "host" | "state" | "say">;
  readonly #pause: (signal: AbortSignal) => Promise<void>;
  readonly #aloneAtMs: number;

  /** @param pause waits until the next try */
  constructor(
    effects: Pick<ActivationEffects, "host" | "state" | "say">,
    pause: (signal: AbortSignal) => Promise<void>,
  ) {
    this.#effects = effects;
    this.#pause = pause;
    this.#aloneAtMs = effects.host.machine.clock.monotonicMs() + ALONE_AFTER_MS;
  }

  /** What the decision needs to know beyond what is observed. */
  facts(actual: Actual): Pick<Situation, "isUnwanted" | "isAlone"> {
    const { host, state } = this.#effects;
    return {
      isUnwanted: isUnwanted(state.snapshot, actual),
      // Another machine of its name may serve: then it is for people to say whether this one should as well.
      isAlone: !state.isNameTaken && host.machine.clock.monotonicMs() >= this.#aloneAtMs,
    };
  }

  /** @throws DeployError where the journal cannot be written */
  async take(step: Extract<Step, { step: "revive" | "boot-over" }>, { soon, now }: StopSignals): Promise<void> {
    const { host, state } = this.#effects;
    if (step.step === "boot-over") return state.journal.record({ kind: "boot-over", bootId: host.machine.bootId });
    if (!(await this.#begin(step, now))) await this.#pause(soon);
  }

  /** @returns false where something could not be started, which is then logged */
  async #begin({ build, instances }: Extract<Step, { step: "revive" }>, signal: AbortSignal): Promise<boolean> {
    const { host, state, say } = this.#effects;
    say("info", "starting what the boot of this host has left down", { build, instances });
    await state.journal.record({ kind: "revival-begun", bootId: host.machine.bootId });
    const { attempt } = state.journal.now;
    const deploy = attempt?.build === build ? attempt.deploy : "";
    const outcomes = await Promise.allSettled(instances.map((name) => start(host, { build, deploy, name }, signal)));
    signal.throwIfAborted();
    const failed = outcomes.find((outcome) => outcome.status === "rejected");
    const what = `Cannot start "${state.service}" after the boot of this host`;
    state.unstarted = failed === undefined ? "" : asDeployError(failed.reason, what).explained;
    if (failed !== undefined) say("error", `After the boot of this host: ${state.unstarted}`, { build });
    const { actual, processes } = await untilShown(host, instances, SEEN_MS, signal);
    // While an instance is down, the stamps of its former processes stay: without them it would count as unknown.
    if (actual.instances.every(({ served }) => served.kind !== "down"))
      await state.journal.record({ kind: "revived", build, processes, config: host.configDigest });
    return failed === undefined;
  }
}

/**
 * Whether the build that `current` points at is not to be started any more: it is barred, or a rollback leads away from
 * it.
 */
function isUnwanted({ target, build, deploy }: WishSnapshot, { current }: Actual): boolean {
  if (target.kind !== "build" || current.kind !== "link") return false;
  if (target.build === current.build) return build?.barred !== undefined;
  return deploy !== null && goesBack(deploy) && deploy.build === current.build;
}

/** Starts an instance of the build that was served here. */
export async function start(
  host: ServiceHost,
  { build, deploy, name }: { readonly build: string; readonly deploy: string; readonly name: string },
  signal: AbortSignal,
): Promise<void> {
  const { command, resolvedRecipe } = host.build(build, deploy, host.instance(name));
  const { restart } = await resolvedRecipe();
  if (restart === null) return;
  assertRestartAllowed(restart, host.policy);
  const supervisor = supervisorFor(restart, supervisorEffectsFor(command, host.policy.pidFiles));
  await supervisor.revival?.start(signal);
}
