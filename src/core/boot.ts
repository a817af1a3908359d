import type { Situation, Step } from "./plan.ts";
import type { Activation, Roll } from "./types.ts";

/**
 * A boot in the middle of an activation takes down what was restarted before it. Where nobody but deployd starts that
 * again it is no fault of the build's, and it has to be restarted once more. What does not show its build is down too: of
 * what deployd has started nothing outlives a boot.
 */
export function bootToNote(
  { actual, bootId }: Pick<Situation, "actual" | "bootId">,
  activation: Activation,
  { left }: Roll,
): Extract<Step, { step: "note-boot" }> | null {
  if (activation.bootId === bootId) return null;
  // An agent that did not remember the boot began this: nothing is known of a boot in between.
  if (activation.bootId === undefined || actual.startedBy === "supervisor") return { step: "note-boot", down: [] };
  const down = actual.instances.filter(({ name, served }) => !left.includes(name) && served.kind !== "build");
  return { step: "note-boot", down: down.map(({ name }) => name) };
}
