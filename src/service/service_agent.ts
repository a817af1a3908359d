import { asDeployError, type DeployError } from "../core/errors.ts";
import { soakMsOf } from "../core/limits.ts";
import { decide } from "../core/plan.ts";
import type { Permission } from "../core/situation.ts";
import { type Step, isFollowedByPrepare, isInterruptible, isPrepare, rungOf, type Rung } from "../core/step.ts";
import type { Activation } from "../schema/journal.ts";
import type { WishSnapshot } from "../store/read_wish.ts";
import type { StopSignals } from "../support/abort.ts";
import { Bell } from "../support/bell.ts";
import type { Clock } from "../support/clock.ts";
import { collectFor, removeStaging } from "./collect.ts";
import { Departure } from "./departure.ts";
import type { FormerLife } from "./former_life.ts";
import type { HoldSlot } from "./hold_slot.ts";
import { permissionToBegin, type HostSlot } from "./host_slot.ts";
import { lookAtService } from "./health.ts";
import { note } from "./noting.ts";
import type { Observation } from "./observe.ts";
import { assertTraffic, openHost } from "./opening.ts";
import { activateStep, conclude, type ActivationEffects } from "./activation.ts";
import { installsAllowed, prepareStep } from "./prepare.ts";
import { Readying } from "./readying.ts";
import { Revival } from "./revive.ts";
import type { ServiceHost } from "./service_host.ts";
import type { ServiceState } from "./service_state.ts";
import { Setback } from "./setback.ts";
import { Settling } from "./settling.ts";
import { SteadyCheck } from "./steady_check.ts";

/** How often a host that has nothing to do checks whether that is still true. */
const LOOK_AGAIN_MS = 5_000;
export interface ServiceAgentOptions {
  readonly host: ServiceHost;
  readonly state: ServiceState;
  readonly slot: HostSlot;
  readonly hold: Pick<HoldSlot, "isHeld" | "begin" | "comeBack">;
  readonly former: Pick<FormerLife, "ask">;
  /** Runs one such piece of work at a time, over all services of this host: unpacking is what makes a host slow. */
  readonly heavy: <T>(work: () => Promise<T>) => Promise<T>;
  readonly log: (level: "info" | "warn" | "error", message: string, facts: Record<string, unknown>) => void;
  readonly onStep: (step: Rung, outcome: { seconds: number } | { failure: string }) => void;
  readonly onEnd: (result: "served" | "failed") => void;
}

/** What was observed, what was decided from it, and by whose leave. */
interface Round {
  readonly step: Step;
  readonly observation: Observation;
  readonly permission: Permission;
}

/**
 * Brings one service of this host to what ZooKeeper wishes, in rounds: observe, decide, do one step. Only the journal
 * carries over from one round to the next, so every round could be the first after a crash.
 */
export class ServiceAgent {
  readonly #options: ServiceAgentOptions;
  readonly #activation: ActivationEffects;
  readonly #clock: Clock;
  readonly #bell: Bell;
  readonly #setback: Setback;
  readonly #steady: SteadyCheck;
  readonly #settling: Settling;
  readonly #readying: Readying;
  #interrupt = new AbortController();
  #isOpen = false;
  /** Whether the last step was one after which, as a rule, another of PREPARE follows, whatever runs. */
  #isPreparing = false;
  readonly #revival: Revival;
  readonly #departure: Departure;

  constructor(options: ServiceAgentOptions) {
    const { state, host, onEnd, onStep } = options;
    this.#options = options;
    this.#clock = host.machine.clock;
    this.#bell = new Bell(this.#clock);
    const say: ActivationEffects["say"] = (level, message, facts) =>
      options.log(level, message, { service: state.service, ...facts });
    this.#activation = { state, host, onEnd, say };
    this.#setback = new Setback(this.#activation, (step, code) => onStep(step, { failure: code }));
    this.#revival = new Revival(this.#activation, (signal) => this.#bell.wait(LOOK_AGAIN_MS, signal));
    const pause = (ms: number, signal: AbortSignal) => this.#bell.wait(ms, signal);
    this.#departure = new Departure({ ...options, say, pause, onChange: this.#bell.ring });
    this.#steady = new SteadyCheck(state);
    this.#settling = new Settling(state.journal, this.#clock);
    this.#readying = new Readying({ ...options, onGaveWay: this.#onGaveWay, say });
  }

  /** A newer wish ends PREPARE at once; ACTIVATE takes it into account between two steps. */
  onSnapshot(snapshot: WishSnapshot): void {
    const { state } = this.#options;
    const changed = !Bun.deepEquals(state.snapshot.target, snapshot.target);
    // A build that was added meanwhile, or whose URL was corrected, is fetched at once, without waiting for the next try.
    const moved = state.step === "fetch" && state.snapshot.build?.url !== snapshot.build?.url;
    state.snapshot = snapshot;
    if (changed || moved) {
      state.trouble = null;
      this.#interrupt.abort(new Error(changed ? "a newer wish came" : "the build is elsewhere now"));
    }
    // The step "serving" was reported for the previous wish; it is not true for this one yet, even when the build is the
    // same.
    if (changed && state.step === "serving") state.enter("idle");
    state.changed();
    this.#bell.ring();
  }

  async run(stop: StopSignals): Promise<void> {
    while (!stop.soon.aborted) {
      this.#interrupt = new AbortController();
      let step: Step | null = null;
      const startedAt = this.#clock.monotonicMs();
      try {
        const round = await this.#next(stop.soon);
        ({ step } = round);
        const waits = step.step === "idle" || step.step === "ask";
        if (waits) this.#setback.over();
        this.#isPreparing = false;
        await this.#take(round, stop);
        this.#isPreparing = isFollowedByPrepare(step);
        if (!waits) this.#setback.over();
        const rung = rungOf(step);
        if (rung !== null) this.#options.onStep(rung, { seconds: (this.#clock.monotonicMs() - startedAt) / 1000 });
      } catch (thrown) {
        const error = asDeployError(thrown, `Cannot ${step?.step ?? "look"}`);
        if (stop.now.aborted || this.#isCalledOff(step, error, stop)) continue;
        await this.#setback.take(step, error, AbortSignal.any([stop.soon, this.#interrupt.signal]));
      }
    }
  }

  /**
   * An interrupted step may end with any error. A step that cannot be interrupted has failed, even when a newer wish came
   * meanwhile.
   */
  #isCalledOff(step: Step | null, error: DeployError, { soon }: StopSignals): boolean {
    if (!soon.aborted && !this.#interrupt.signal.aborted) return false;
    return error.code === "aborted" || (step !== null && isInterruptible(step));
  }

  /**
   * First of all, ends what a killed agent left and sets the traffic as the journal says: that agent may have been killed
   * while an instance was off. The steady check tries again where traffic cannot be set now; no restart begins before it
   * is.
   */
  async #open(signal: AbortSignal): Promise<void> {
    if (this.#isOpen) return;
    const { host, state } = this.#options;
    await openHost(host, state, this.#activation.say);
    this.#isOpen = true;
    if (state.journal.problem === null) await state.journal.setAside().catch(() => {});
    await assertTraffic(host, state, this.#activation.say, signal);
    // A failure to look is reported in this round, which looks again.
    await lookAtService(host, state).catch(() => {});
  }

  async #next(signal: AbortSignal): Promise<Round> {
    const { state, host } = this.#options;
    await this.#open(signal);
    const isPreparing = this.#isPreparing;
    const observation = await host.observe(isPreparing ? LOOK_AGAIN_MS : 0);
    await this.#assertJournal(signal);
    await state.remember();
    const journal = state.journal.now;
    const departure = await this.#departure.facts(signal);
    const permission = await permissionToBegin(this.#options, observation, this.#bell.ring, signal);
    const step = decide({
      target: state.snapshot.target,
      again: state.snapshot.again,
      restarts: state.snapshot.restarts,
      actual: observation.actual,
      journal,
      permission,
      proof: state.proof,
      isIll: state.illAt !== null && state.illAt === journal.attempt?.number,
      soakMs: state.snapshot.deploy === null ? 0 : soakMsOf(state.snapshot.deploy, state.snapshot.zone),
      maxInstalls: await installsAllowed(host, state.snapshot.target, observation.actual),
      batch: host.batch,
      bootId: host.machine.bootId,
      nowMs: this.#clock.monotonicMs(),
      ...departure,
      ...this.#revival.facts(observation.actual),
    });
    if (!isPreparing || isPrepare(step)) return { step, observation, permission };
    // For anything else what runs has to be looked at now.
    this.#isPreparing = false;
    return this.#next(signal);
  }

  /**
   * Without a usable journal it is not known what is half done, so the service is left as it is, and the status says so.
   */
  async #assertJournal(signal: AbortSignal): Promise<void> {
    const { state, host } = this.#options;
    if (state.journal.problem === null) return;
    try {
      await this.#steady.look(host);
    } finally {
      await state.journal.readAgain();
    }
    await assertTraffic(host, state, this.#activation.say, signal);
  }

  async #take({ step, observation, permission }: Round, stop: StopSignals): Promise<void> {
    const { state, host, heavy } = this.#options;
    const rung = rungOf(step);
    if (rung !== null) {
      if (rung !== state.step) this.#activation.say("info", rung, step);
      state.enter(rung);
    }
    switch (step.step) {
      case "idle":
        return this.#idle(step.reason, observation, stop.soon);
      case "take-up":
      case "note-served":
      case "note-boot":
      case "abandon":
        return note(this.#options, step, stop.soon);
      case "fetch":
      case "verify":
      case "extract":
      case "install": {
        const signal = AbortSignal.any([stop.soon, this.#interrupt.signal]);
        const build = host.build(step.build, step.deploy);
        const record = state.snapshot.build;
        await prepareStep(step.step, { record, host, state, heavy, onGaveWay: this.#onGaveWay, ...build }, signal);
        state.downloaded = null;
        return;
      }
      case "refuse":
      case "turn-back":
      case "give-up":
      case "finish":
        return conclude(this.#activation, step);
      case "ask":
        state.enter("ready");
        return this.#waitSteadily(stop.soon);
      case "begin":
        return this.#begin(step.activation, permission, stop.soon);
      case "revive":
      case "boot-over":
        return this.#revival.take(step, stop);
      case "begin-leave":
      case "stop":
      case "return":
      case "start-again":
        return this.#departure.take(step, stop);
      case "flip":
      case "restart":
      case "check":
      case "soak":
        return activateStep(this.#activation, step, stop, this.#interrupt.signal);
    }
  }

  /** Nothing is touched before ZooKeeper knows, and before the journal says, that this host has begun. */
  async #begin(activation: Activation, permission: Permission, signal: AbortSignal): Promise<void> {
    const { state, slot } = this.#options;
    const begun = async (): Promise<void> => {
      this.#settling.begun();
      state.proof = null;
      await state.journal.record({ kind: "begun", activation });
      state.enter("begun");
    };
    if (permission.kind !== "granted") return begun();
    const status = { ...state.statusAt("begun"), begun: true };
    if (await slot.begin(permission.slot, status, begun, signal)) return;
    state.enter("ready");
    await this.#bell.wait(LOOK_AGAIN_MS, signal);
  }

  async #idle(
    reason: Extract<Step, { step: "idle" }>["reason"],
    observation: Observation,
    signal: AbortSignal,
  ): Promise<void> {
    const { state, host } = this.#options;
    state.enter(reason === "serving" ? "serving" : reason === "failed" ? "failed" : "idle");
    // This comes before what a failing disk may refuse.
    if (reason === "serving") await this.#steady.look(host);
    await this.#settling.look(reason === "serving");
    // Removing a release costs as much as unpacking one, and the service has only just started.
    if (reason === "serving" && this.#settling.servingMs >= LOOK_AGAIN_MS) await collectFor(this.#options, observation);
    if (reason === "failed") await removeStaging(host.files, host.layout, state.snapshot.ready?.build ?? null);
    if (reason === "left") return this.#bell.wait(LOOK_AGAIN_MS, signal);
    if (reason !== "zookeeper-unread") await this.#readying.look(AbortSignal.any([signal, this.#interrupt.signal]));
    await this.#waitSteadily(signal);
  }

  /** Waits until something changes; meanwhile looks after the running service. */
  async #waitSteadily(signal: AbortSignal): Promise<void> {
    await this.#steady.look(this.#options.host);
    this.#options.state.changed();
    await this.#bell.wait(LOOK_AGAIN_MS, signal);
  }

  readonly #onGaveWay = (paths: readonly string[]): void =>
    this.#activation.say("warn", "the build's files at these paths are not used: the shared ones take their place", {
      paths,
    });
}
