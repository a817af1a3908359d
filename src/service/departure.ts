import { asDeployError, DeployError } from "../core/errors.ts";
import type { Situation } from "../core/situation.ts";
import type { Step } from "../core/step.ts";
import { canStop } from "../restart/stop.ts";
import { supervisorFor } from "../restart/supervisor.ts";
import type { StopSignals } from "../support/abort.ts";
import type { Journal } from "../schema/journal.ts";
import { supervisorEffectsFor } from "./command_context.ts";
import { lookAtService, untilHealthy, untilShown } from "./health.ts";
import type { HoldSlot } from "./hold_slot.ts";
import { start } from "./revive.ts";
import type { ServiceHost } from "./service_host.ts";
import type { ServiceState } from "./service_state.ts";
import { stopService } from "./stop_rung.ts";

/** How long after a stop that was called off it is tried again, in milliseconds. */
const TRIED_AGAIN_MS = 15_000;

export interface DepartureEffects {
  readonly state: ServiceState;
  readonly host: ServiceHost;
  readonly hold: Pick<HoldSlot, "isHeld" | "begin" | "comeBack">;
  readonly say: (level: "info" | "warn" | "error", message: string, facts: object) => void;
  /** Waits until something changes, or for so long. */
  readonly pause: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly onChange: () => void;
}

/** Takes the service out of service on a host that leaves the fleet, and brings it back where it is to stay after all. */
export class Departure {
  readonly #effects: DepartureEffects;

  constructor(effects: DepartureEffects) {
    this.#effects = effects;
  }

  /** What the decision needs to know beyond what is observed. */
  async facts(signal: AbortSignal): Promise<Pick<Situation, "leave" | "mayLeave">> {
    const { state, hold, onChange } = this.#effects;
    const { leave } = state.snapshot;
    const { activation, leaving } = state.journal.now;
    if (leave.kind !== "asked") state.notLeaving = "";
    if (leave.kind !== "asked" || activation !== null) return { leave, mayLeave: false };
    if (leaving !== undefined && leaving.phase !== "starting") return { leave, mayLeave: true };
    const before = state.notLeaving;
    state.notLeaving = await this.#whyNot();
    if (state.notLeaving !== before) state.changed();
    return { leave, mayLeave: state.notLeaving === "" && (await hold.isHeld(onChange, signal)) };
  }

  async take(
    step: Extract<Step, { step: "begin-leave" | "stop" | "return" | "start-again" }>,
    { soon, now }: StopSignals,
  ): Promise<void> {
    switch (step.step) {
      case "begin-leave":
        return this.#begin(soon);
      case "stop":
        return this.#stop(now, soon);
      case "return":
        return this.#comeBack(soon);
      case "start-again":
        return this.#startAgain(step, now);
    }
  }

  /** However that ends, the host is one of the fleet again, and what is wrong with it is seen as on any other. */
  async #startAgain({ build, instances }: Extract<Step, { step: "start-again" }>, signal: AbortSignal): Promise<void> {
    const { state, host, say } = this.#effects;
    let restarted: Journal["restarted"] = null;
    try {
      if (build !== null) restarted = await startThrough(host, { build, instances }, signal);
    } catch (thrown) {
      if (signal.aborted) throw thrown;
      const error = asDeployError(thrown, `Cannot start "${state.service}" again on this host, which stays`);
      say("error", error.explained, { build });
    }
    await lookAtService(host, state);
    await state.journal.record({ kind: "returned", restarted });
    state.changed();
  }

  async #begin(signal: AbortSignal): Promise<void> {
    const { state, host, hold, say, pause } = this.#effects;
    const { leave } = state.snapshot;
    const { leaving } = state.journal.now;
    const { bootId } = host.machine;
    // Begun in an earlier boot: it is out of service by that still.
    const asked = leave.kind === "asked" ? leave : leaving;
    if (asked === undefined) return;
    const begun = async (): Promise<void> => {
      await state.journal.record({ kind: "leave-begun", who: asked.who, why: asked.why, bootId });
      say("info", "this host leaves: its service is taken out of service", { who: asked.who, why: asked.why });
      state.enter("idle");
    };
    if (leaving !== undefined && leaving.phase !== "starting") return begun();
    const status = { ...state.statusAt("idle"), begun: true, leaving: { phase: "stopping" as const, problem: "" } };
    if (!(await hold.begin(status, begun, signal))) await pause(TRIED_AGAIN_MS, signal);
  }

  async #comeBack(signal: AbortSignal): Promise<void> {
    const { state, hold, say, pause } = this.#effects;
    const begun = async (): Promise<void> => {
      await state.journal.record({ kind: "return-begun" });
      say("info", "this host stays: its service is started again", {});
      state.changed();
    };
    const status = { ...state.statusAt("idle"), leaving: { phase: "starting" as const, problem: "" } };
    if (!(await hold.comeBack(status, begun, signal))) await pause(TRIED_AGAIN_MS, signal);
  }

  async #stop(signal: AbortSignal, soon: AbortSignal): Promise<void> {
    const { state, host, say, pause } = this.#effects;
    try {
      await stopService(host, state, signal);
      await requireDown(host);
    } catch (thrown) {
      if (signal.aborted) throw thrown;
      const error = asDeployError(thrown, `Cannot stop "${state.service}" on this host, which leaves`);
      if (state.notLeaving !== error.explained) say("error", `${error.explained} It is tried again.`, {});
      state.notLeaving = error.explained;
      state.changed();
      return pause(TRIED_AGAIN_MS, soon);
    }
    state.notLeaving = "";
    await state.journal.record({ kind: "left" });
    say("info", "this host has left: its service is stopped", {});
    state.changed();
  }

  /** Why this host does not stop its service, whoever asks; "" where it does. */
  async #whyNot(): Promise<string> {
    const { state, host } = this.#effects;
    if (!host.section.may_leave) return refused(state.service, "its agent.toml says may_leave = false");
    for (const instance of host.instances) {
      const current = await host.current(instance);
      const recipe = await current?.resolvedRecipe().catch(() => null);
      const restart = recipe?.restart ?? null;
      if (current === null || restart === null) continue;
      if (restart.by === "command" && restart.stop === undefined)
        return refused(state.service, "its build has no restart.stop");
      if (!canStop(supervisorFor(restart, supervisorEffectsFor(current.command, host.policy.pidFiles))))
        return refused(state.service, `restart.by = "${restart.by}" of its build knows no stop`);
    }
    return "";
  }
}

/** What cannot be told to stop, or did not end, still serves: whoever switches the machine off then cuts its clients. */
async function requireDown(host: ServiceHost): Promise<void> {
  const { actual } = await host.observe();
  const up = actual.instances.flatMap(({ name, served }) =>
    served.kind === "build" ? [`${name} (${served.build})`] : [],
  );
  if (up.length === 0) return;
  throw new DeployError(`Cannot say that the service is stopped: ${up.join(", ")} still runs.`, {
    code: "restart-failed",
    hint: "Look at the service's own stop, and end by hand what is left of it.",
    retry: true,
  });
}

function refused(service: string, why: string): string {
  return new DeployError(`Cannot stop "${service}" here, so that this host leaves: ${why}.`, {
    code: "policy-refused",
    hint: "Hold the host instead (deployd ctl hosts hold), and stop its service by hand.",
  }).explained;
}

/** How long a process may take to show which build it runs, in milliseconds. */
const SEEN_MS = 1_000;

/**
 * Starts these instances, and gives all of them their traffic when they are healthy.
 *
 * @throws DeployError where one cannot be started, or does not become healthy; it has no traffic then
 */
async function startThrough(
  host: ServiceHost,
  { build, instances }: { readonly build: string; readonly instances: readonly string[] },
  signal: AbortSignal,
): Promise<Journal["restarted"]> {
  await Promise.all(instances.map((name) => start(host, { build, deploy: "", name }, signal)));
  const { actual, processes } = await untilShown(host, instances, SEEN_MS, signal);
  for (const instance of host.instances) {
    const { command, resolvedRecipe } = host.build(build, "", instance);
    const { check } = await resolvedRecipe();
    if (check !== null) await untilHealthy(check, command, signal);
  }
  if (host.trafficControl.off.length > 0) await host.trafficControl.turnOn(host.trafficControl.off, signal);
  const isSeen = actual.instances.every(({ served }) => served.kind !== "down");
  return isSeen ? { build, processes, config: host.configDigest } : null;
}
