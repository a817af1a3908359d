import { availableParallelism } from "node:os";
import { plantedBugs } from "../planted/bug.ts";
import { hunt, type Hunted } from "../planted/hunt.ts";

/**
 * Hunts the planted bugs and tells of each.
 *
 * @param only the name of the one that is wanted
 * @returns whether all were found
 */
export async function huntPlanted(print: (line: string) => void, only?: string): Promise<boolean> {
  const bugs = await plantedBugs(only);
  const width = Math.max(...bugs.map(({ name }) => name.length));
  const startedAt = performance.now();
  let found = 0;
  for await (const hunted of hunt(bugs, availableParallelism())) {
    if (hunted.outcome.kind === "found") found += 1;
    print(lineOf(hunted, width));
  }
  const seconds = (performance.now() - startedAt) / 1000;
  print(`${found} of ${bugs.length} planted bugs found in ${seconds.toFixed(0)} s`);
  return found === bugs.length;
}

function lineOf({ bug, outcome, seconds }: Hunted, width: number): string {
  const name = bug.name.padEnd(width);
  switch (outcome.kind) {
    case "found":
      return `${name}  ${seconds.toFixed(1).padStart(5)} s  ${outcome.broken.invariant}, by ${outcome.by}`;
    case "does not apply":
      return `DOES NOT APPLY: ${name}  ${bug.says}`;
    case "not found":
      return `NOT FOUND: ${name}  in ${outcome.played} worlds and ${seconds.toFixed(0)} s  ${bug.says}`;
  }
}
