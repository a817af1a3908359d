import { isDeepStrictEqual } from "node:util";
import { observe } from "./contract/contract.ts";
import { contractCases } from "./contract/list.ts";
import { targets } from "./contract/targets.ts";

/** Prints the contract as a table: a row for each case, a column for each target. Exit code 1 on any difference. */

type Match = "same" | "different";

const columns = await Promise.all(
  targets.map(async ({ start }) => {
    await using target = await start();
    const matches: Match[] = [];
    for (const [index, contractCase] of contractCases.entries()) {
      const seen: unknown = await observe(contractCase, target, `/case-${index}`, index).catch(
        (error: unknown) => error,
      );
      const same = isDeepStrictEqual(seen, contractCase.expected);
      if (!same) console.error(`${contractCase.name}\n  expected`, contractCase.expected, "\n  seen", seen);
      matches.push(same ? "same" : "different");
    }
    return matches;
  }),
);
const width = Math.max(...contractCases.map((each) => each.name.length));
const row = (name: string, cells: readonly string[]): string =>
  [name.padEnd(width), ...cells.map((cell, index) => cell.padEnd(targets[index]?.name.length ?? 0))].join(" | ");
console.log(
  row(
    "case",
    targets.map((each) => each.name),
  ),
);
for (const [index, { name }] of contractCases.entries()) {
  console.log(
    row(
      name,
      columns.map((matches) => matches[index] ?? ""),
    ),
  );
}
const sameCounts = columns.map((matches) => matches.filter((each) => each === "same").length);
console.log(
  row(
    `${contractCases.length} cases`,
    sameCounts.map((count) => `${count}`),
  ),
);
process.exitCode = sameCounts.every((count) => count === contractCases.length) ? 0 : 1;
