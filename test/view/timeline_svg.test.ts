import { expect, test } from "bun:test";
import { timelineSvg } from "../../src/view/timeline_svg.ts";
import { expectGolden } from "../harness/golden.ts";
import { timelines } from "./timelines.ts";

const pictures = Object.entries(timelines).map(([name, make]) => [name, timelineSvg(make(), `t-${name}`)] as const);

test.each(pictures)("the picture of %s is what the golden file says", async (name, svg) => {
  await expectGolden(`${name}.svg`, svg, "timeline");
});

test.each(pictures)(
  "the picture of %s has a name and a description, no style of its own, and nothing that runs",
  (_, svg) => {
    expect(svg).toMatch(/<title id="[^"]+">Hosts over time/);
    expect(svg).toMatch(/<desc id="[^"]+">It is/);
    expect(svg).not.toMatch(/style=|<style|<script|\son\w+=|href/);
    expect(svg).not.toMatch(/NaN|undefined|Infinity/);
  },
);

test("what strangers have written is text in it, and nothing else", () => {
  const told = timelines["done"]?.();
  if (told === undefined) throw new Error("there is no such timeline");
  const evil = `<script>alert("x")</script>&'`;
  const svg = timelineSvg({ ...told, service: evil, deploy: evil }, `"><script>`);
  expect(svg).not.toContain("<script");
});

test("a large fleet makes no larger picture than its samples", () => {
  const [, svg = ""] = pictures.find(([name]) => name === "5000-hosts") ?? [];
  expect(svg.length).toBeLessThan(120_000);
});
