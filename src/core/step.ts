import type { Activation, StepFailure } from "../schema/journal.ts";
import type { HostStep } from "../schema/znodes.ts";

type IdleReason = "zookeeper-unread" | "no-wish" | "serving" | "failed" | "left";

export type Step =
  | { readonly step: "idle"; readonly reason: IdleReason }
  /** Give a number to a wish that was not seen before. */
  | { readonly step: "take-up"; readonly build: string; readonly deploy: string }
  /**
   * Record that the wished build was served without anything being done for it: from here on its supervisor looks after
   * it.
   */
  | { readonly step: "note-served"; readonly attempt: number }
  | { readonly step: "fetch" | "verify" | "extract" | "install"; readonly build: string; readonly deploy: string }
  /** This host cannot serve the wish, whatever is tried. */
  | { readonly step: "refuse"; readonly failure: Omit<StepFailure, "atMs"> }
  /** The build is prepared: say so, and wait for a slot. */
  | { readonly step: "ask" }
  | { readonly step: "begin"; readonly activation: Activation }
  /** Give up the activation for a newer wish, before anything was changed or between two batches. */
  | { readonly step: "abandon" }
  /** Record that the machine was rebooted, and which instances have to be restarted once more because of it. */
  | { readonly step: "note-boot"; readonly down: readonly string[] }
  /** Start what was served here and a boot has left down. */
  | { readonly step: "revive"; readonly build: string; readonly instances: readonly string[] }
  /** Record that nothing has to be started any more because of this boot. */
  | { readonly step: "boot-over" }
  | { readonly step: "flip" | "check"; readonly build: string; readonly back: boolean }
  | { readonly step: "restart"; readonly build: string; readonly back: boolean; readonly batch: readonly string[] }
  /** Watch the proven service for this long; for 0 ms it is checked once. */
  | { readonly step: "soak"; readonly build: string; readonly remainingMs: number }
  /** The activation's own failure: go back to the previous build, or, where there is none, stay and say so. */
  | { readonly step: "turn-back"; readonly failure: Omit<StepFailure, "atMs"> }
  /** The host may leave the fleet: say so, in ZooKeeper and in the journal. */
  | { readonly step: "begin-leave" }
  /** Take the service out of service, all of its instances. */
  | { readonly step: "stop" }
  /** The host that was leaving is to stay. */
  | { readonly step: "return" }
  /**
   * Start what was stopped on a host that stays; `instances` are those that do not run. Nothing is started of a build that
   * is not to run any more.
   */
  | { readonly step: "start-again"; readonly build: string | null; readonly instances: readonly string[] }
  | { readonly step: "finish" }
  | { readonly step: "give-up"; readonly healthy: boolean };

/** The steps that are shown to others as rungs of the ladder. */
export const rungs = [
  "fetch",
  "verify",
  "extract",
  "install",
  "flip",
  "restart",
  "check",
  "soak",
] as const satisfies readonly HostStep[];
export type Rung = (typeof rungs)[number];

export function rungOf(step: Step): Rung | null {
  switch (step.step) {
    case "fetch":
    case "verify":
    case "extract":
    case "install":
    case "flip":
    case "restart":
    case "check":
    case "soak":
      return step.step;
    default:
      return null;
  }
}

/** Whether a newer wish interrupts this step. */
export function isInterruptible({ step }: Step): boolean {
  return step === "fetch" || step === "verify" || step === "extract" || step === "install" || step === "soak";
}

/** Whether it is a rung of PREPARE, which touches nothing of what runs. */
export function isPrepare({ step }: Step): boolean {
  return step === "fetch" || step === "verify" || step === "extract" || step === "install";
}

/** Whether another rung of PREPARE comes after it, where nothing else comes between. */
export function isFollowedByPrepare(step: Step): boolean {
  return isPrepare(step) && step.step !== "install";
}
