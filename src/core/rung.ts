import type { HostStep } from "../schema/znodes.ts";
import type { Step } from "./plan.ts";

/** The steps that others see as a place on the ladder. */
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

/** A newer wish ends these in the middle. */
export function isInterruptible({ step }: Step): boolean {
  return step === "fetch" || step === "verify" || step === "extract" || step === "install" || step === "soak";
}
