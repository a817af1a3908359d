import { describe, expect, test } from "bun:test";
import { colourPaint, paintedLine, plainPaint } from "../../src/cli/paint.ts";
import { timelineLines } from "../../src/ctl/timeline_text.ts";
import { timelines } from "../view/timelines.ts";
import { expectGolden } from "../harness/golden.ts";

const told = Object.fromEntries(Object.entries(timelines).map(([name, make]) => [name, make()]));

function toldOf(name: string) {
  const found = told[name];
  if (found === undefined) throw new Error(`there is no timeline "${name}"`);
  return found;
}

describe.each(Object.keys(timelines))("the timeline %s", (name) => {
  test.each([40, 80, 120, 160])("is drawn in %d columns", async (columns) => {
    const lines = timelineLines(toldOf(name), columns).map((line) => paintedLine(line, plainPaint));
    for (const line of lines) expect(Bun.stringWidth(line)).toBeLessThanOrEqual(columns);
    await expectGolden(`${name}-${columns}`, lines.join("\n"), "timeline");
  });
});

test("colours change no character", () => {
  for (const name of Object.keys(timelines)) {
    const lines = timelineLines(toldOf(name), 80);
    const painted = lines.map((line) => paintedLine(line, colourPaint)).join("\n");
    expect(Bun.stripANSI(painted)).toBe(lines.map((line) => paintedLine(line, plainPaint)).join("\n"));
  }
});

test("a single failure among thousands shows, however narrow the picture", () => {
  for (let columns = 40; columns <= 160; columns += 7) {
    const text = timelineLines(toldOf("5000-hosts"), columns).map((line) => paintedLine(line, plainPaint));
    expect(text.filter((line) => line.includes("│")).join("")).toContain("✗");
  }
});
