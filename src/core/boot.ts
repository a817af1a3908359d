import type { Situation } from "./situation.ts";
import type { Step } from "./step.ts";
import type { Activation, Journal, RestartProgress } from "../schema/journal.ts";

/**
 * A reboot in the middle of an activation takes down instances that were restarted before it. Where a supervisor starts
 * them again, the boot is no fault of the build's, and only those still stopped have to be restarted once more. Where
 * only deployd starts them, an instance that does not show its build is down too: nothing that deployd has started
 * outlives a boot.
 */
export function bootToNote(
  { actual, bootId }: Pick<Situation, "actual" | "bootId">,
  activation: Activation,
  { left }: RestartProgress,
): Extract<Step, { step: "note-boot" }> | null {
  if (activation.bootId === bootId) return null;
  // An agent that did not yet record the boot began this activation, so whether a reboot came in between is not known.
  if (activation.bootId === undefined) return { step: "note-boot", down: [] };
  const names =
    actual.startedBy === "supervisor"
      ? actual.stopped
      : actual.instances.filter(({ served }) => served.kind !== "build").map(({ name }) => name);
  return { step: "note-boot", down: names.filter((name) => !left.includes(name)) };
}

/** How many times deployd tries, in one boot, to start what that boot has left down. */
const MOST_REVIVALS = 3;

/**
 * After a boot, what this host served is started again, whoever else may start it: once, whatever state the deploy is in,
 * and without a slot, since nothing is taken out of service by it. Once the service has been seen running in this boot, a
 * later stop is taken for somebody's intention.
 */
export function afterBoot(situation: Situation): Extract<Step, { step: "revive" | "boot-over" }> | null {
  const { actual, bootId, journal, isUnwanted, target } = situation;
  const { boot } = journal;
  if (boot?.id === bootId && boot.over) return null;
  const over = { step: "boot-over" } as const;
  // Nothing is known of what ran before this boot, so a service that is down may have been stopped on purpose.
  if (boot === undefined || actual.current.kind !== "link" || !wasServed(journal, actual.current.build)) return over;
  if (actual.instances.every(({ served }) => served.kind !== "down")) return over;
  if (isUnwanted) return over;
  // A ZooKeeper that lost its wishes may get them back, and one that has not answered yet may wish something else by now.
  if (target.kind === "none" || (target.kind === "unknown" && !situation.isAlone)) return null;
  // Somebody else is about to start it, or deployd could not start it anyway; either may change.
  if (actual.stopped.length === 0) return null;
  if (boot.id === bootId && boot.begun >= MOST_REVIVALS) return over;
  return { step: "revive", build: actual.current.build, instances: actual.stopped };
}

/** The build has passed its check here and did not fail afterwards. */
function wasServed({ proven, restarted, failed }: Journal, build: string): boolean {
  return proven.includes(build) || (restarted?.build === build && failed?.build !== build);
}

/** Whether it has to be found out who starts what is down; the supervisor is asked only then. */
export function looksAfterBoot({ activation, boot }: Journal, bootId: string): boolean {
  return boot?.id !== bootId || !boot.over || (activation !== null && activation.bootId !== bootId);
}
