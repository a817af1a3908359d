import { describe, expect, test } from "bun:test";
import { difference } from "../../src/monitor/difference.ts";
import { screen } from "../../src/monitor/screen.ts";
import { expectGolden } from "../harness/golden.ts";
import { longFailure, MOMENTS, SIZES } from "./moments.ts";
import { ShownTerminal } from "./shown_terminal.ts";

/** As a terminal shows it; `expectGolden` compares what people see, and below it what is marked. */
function shownText(name: string, size: (typeof SIZES)[number]): string {
  const terminal = new ShownTerminal(size.columns, size.rows);
  terminal.send(difference(null, screen(momentOf(name)(size)), true));
  return terminal.text().join("\n").trimEnd();
}

function momentOf(name: string) {
  const moment = MOMENTS[name];
  if (moment === undefined) throw new Error(`there is no moment "${name}"`);
  return moment;
}

describe.each(Object.keys(MOMENTS))("%s", (name) => {
  test.each(SIZES.map((size) => [`${size.columns}x${size.rows}`, size] as const))("at %s", async (at, size) => {
    await expectGolden(`${name}-${at}`, shownText(name, size), "monitor");
  });
});

test.each(SIZES.filter(({ columns }) => columns >= 80))(
  "of a failure nothing that matters is cut at $columns columns",
  (size) => {
    const words = (text: string): string => text.replace(/[\s|]+/g, "");
    const shown = words(shownText("halted", size));
    expect(shown).toContain(words(longFailure.sentence));
    expect(shown).toContain(words(longFailure.lastLogLine));
  },
);

test("at no size does anything go over the edge, and the first line always says what it is about", () => {
  for (const name of Object.keys(MOMENTS)) {
    // All are drawn from one reading: to make one of thousands of hosts takes longest.
    const model = momentOf(name)({ columns: 80, rows: 24 });
    for (let columns = 20; columns <= 130; columns += 11) {
      for (let rows = 3; rows <= 40; rows += 4) {
        const cells = screen({ ...model, size: { columns, rows } });
        const terminal = new ShownTerminal(columns, rows);
        terminal.send(difference(null, cells, true));
        expect(cells.text(0)).not.toBe("");
      }
    }
  }
});

test("every host has a cell, and a failure is never averaged away", () => {
  for (const size of SIZES) {
    const model = momentOf("5000-hosts")(size);
    const failed = model.watched?.hosts.filter(({ state }) => state === "failed").length ?? 0;
    expect(failed).toBeGreaterThan(50);
    const crosses = shownText("5000-hosts", size).split("✗").length - 1;
    // Beside those in the first lines; where several hosts share a cell, several failures may too.
    if (size.columns * (size.rows - 20) > 5_000) expect(crosses).toBeGreaterThanOrEqual(failed);
    expect(crosses).toBeGreaterThan(0);
  }
});
