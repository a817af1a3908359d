import { expect, test } from "bun:test";
import fc from "fast-check";
import { Output } from "../../src/cli/output.ts";
import { LiveBlock } from "../../src/ctl/live_block.ts";
import { systemClock } from "../../src/support/clock.ts";
import { span, type SpanLine } from "../../src/view/spans.ts";

/** The lines that a terminal of endless height shows that is sent these codes. */
function shownAfter(sent: string): string[] {
  const lines: string[] = [];
  let row = 0;
  for (const [part, count, final] of sent.matchAll(/\u001b\[([?0-9;]*)([A-Za-z])|\n|\r|[^\u001b\n\r]+/g)) {
    if (final === "A") row -= Number(count);
    else if (final === "J") lines.length = Math.min(lines.length, row);
    else if (part === "\n") row += 1;
    else if (final === undefined && part !== "\r") lines[row] = (lines[row] ?? "") + part;
    if (row < 0) throw new Error("it goes above the first line");
  }
  return lines;
}

function onTerminal(env: Readonly<Record<string, string>> = { NO_COLOR: "1" }): {
  block: LiveBlock;
  sent: () => string;
} {
  const out: string[] = [];
  const write = (text: string): void => void out.push(text);
  const process = {
    stdout: { write },
    stderr: { write },
    stdoutIsTerminal: true,
    env,
    signal: new AbortController().signal,
    clock: systemClock,
    version: "0",
  };
  return { block: new LiveBlock(new Output(process, false)), sent: () => out.join("") };
}

const line = (text: string): SpanLine => [span(text, "good")];
const words = fc.constantFrom("a", "b ✓", "c", "d");
const acts = fc.array(
  fc.oneof(
    fc.record({ tell: fc.array(words, { maxLength: 3 }) }),
    fc.record({ show: fc.array(words, { maxLength: 3 }) }),
  ),
  { maxLength: 12 },
);

test("whatever is told and shown, what was told stays in order with the block below it, and at the end without", () => {
  fc.assert(
    fc.property(acts, (all) => {
      const { block, sent } = onTerminal();
      const told: string[] = [];
      let below: string[] = [];
      for (const act of all) {
        if ("tell" in act) {
          told.push(...act.tell);
          block.tell(act.tell);
        } else {
          below = act.show;
          block.show(act.show.map(line));
        }
        expect(shownAfter(sent())).toEqual([...told, ...below]);
      }
      block[Symbol.dispose]();
      expect(shownAfter(sent())).toEqual(told);
    }),
  );
});

test("a block that says the same is not sent again, and text from strangers moves nothing", () => {
  const { block, sent } = onTerminal();
  block.show([line("one")]);
  const before = sent();
  block.show([line("one")]);
  expect(sent()).toBe(before);
  block.tell(["web-01\u001b[9A is down"]);
  expect(shownAfter(sent())).toEqual(["web-01\\x1b[9A is down", "one"]);
});

test("a block that shows nothing sends nothing", () => {
  const { block, sent } = onTerminal();
  block.show([]);
  block[Symbol.dispose]();
  expect(sent()).toBe("");
});
