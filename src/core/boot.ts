import type { Situation } from "./situation.ts";
import type { Step } from "./step.ts";
import type { Activation, Journal, RestartProgress } from "../schema/journal.ts";

/**
 * A boot in the middle of an activation takes down what was restarted before it. Where nobody else starts that again it is no
 * fault of the build's, and it has to be restarted once more. Where only deployd starts it, what does not show its build is
 * down too: of what deployd has started nothing outlives a boot.
 */
export function bootToNote(
  { actual, bootId }: Pick<Situation, "actual" | "bootId">,
  activation: Activation,
  { left }: RestartProgress,
): Extract<Step, { step: "note-boot" }> | null {
  if (activation.bootId === bootId) return null;
  // An agent that did not remember the boot began this: nothing is known of a boot in between.
  if (activation.bootId === undefined) return { step: "note-boot", down: [] };
  const names =
    actual.startedBy === "supervisor"
      ? actual.stopped
      : actual.instances.filter(({ served }) => served.kind !== "build").map(({ name }) => name);
  return { step: "note-boot", down: names.filter((name) => !left.includes(name)) };
}

/** How often, in one boot, it is tried to start what that has left down. */
const MOST_REVIVALS = 3;

/**
 * What this host served runs again after a boot, whoever starts it else: once, with no slot, since nobody is taken out of
 * service by it, and whatever the deploy is at. From the moment that it was seen to run a stop is somebody's wish.
 */
export function afterBoot(situation: Situation): Extract<Step, { step: "revive" | "boot-over" }> | null {
  const { actual, bootId, journal, isUnwanted, target } = situation;
  const { boot } = journal;
  if (boot?.id === bootId && boot.over) return null;
  const over = { step: "boot-over" } as const;
  // Of what ran before this boot nothing is known, and so of no stop.
  if (boot === undefined || actual.current.kind !== "link" || !wasServed(journal, actual.current.build)) return over;
  if (actual.instances.every(({ served }) => served.kind !== "down")) return over;
  if (isUnwanted) return over;
  // A ZooKeeper that lost its wishes may have them again, and one that has not been heard may wish something else by now.
  if (target.kind === "none" || (target.kind === "unknown" && !situation.isAlone)) return null;
  // Somebody else is about to start it, or it is nobody's that deployd could start: that may yet change.
  if (actual.stopped.length === 0) return null;
  if (boot.id === bootId && boot.begun >= MOST_REVIVALS) return over;
  return { step: "revive", build: actual.current.build, instances: actual.stopped };
}

/** It has passed its check here, and did not fail afterwards. */
function wasServed({ proven, restarted, failed }: Journal, build: string): boolean {
  return proven.includes(build) || (restarted?.build === build && failed?.build !== build);
}

/** Whether somebody has to look who starts what is down: only then is anybody asked. */
export function looksAfterBoot({ activation, boot }: Journal, bootId: string): boolean {
  return boot?.id !== bootId || !boot.over || (activation !== null && activation.bootId !== bootId);
}
