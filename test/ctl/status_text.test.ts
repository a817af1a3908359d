import { describe, expect, test } from "bun:test";
import { colourPaint, plainPaint } from "../../src/cli/paint.ts";
import { allServicesLines } from "../../src/ctl/services_text.ts";
import { statusDocument } from "../../src/ctl/status_document.ts";
import { statusLines } from "../../src/ctl/status_text.ts";
import { scene, scenes } from "../view/scenes.ts";
import { expectGolden } from "../harness/golden.ts";
import { noon } from "./terminal.ts";

describe("the status of a service", () => {
  for (const [name, overview] of Object.entries(scenes)) {
    test(`that is "${name}" reads as in the golden file`, async () => {
      await expectGolden(`status-${name}`, statusLines(overview(), { paint: plainPaint, now: noon }).join("\n"));
    });
  }

  test("shows the same words with and without colours", () => {
    for (const overview of Object.values(scenes)) {
      const coloured = statusLines(overview(), { paint: colourPaint, now: noon });
      const plain = statusLines(overview(), { paint: plainPaint, now: noon });
      expect(coloured.map((line) => Bun.stripANSI(line))).toEqual(plain);
    }
  });

  test("says who has frozen it, until that is over", () => {
    const done = scenes.done();
    const freeze = { who: "ana@laptop", why: "Christmas", time: noon.toISOString(), until: "2026-07-02T00:00:00Z" };
    const frozen = { ...done, settings: { ...done.settings, freeze } };
    const said = "frozen until 2026-07-02T00:00:00Z by ana@laptop: Christmas";
    expect(statusLines(frozen, { paint: plainPaint, now: noon }).join("\n")).toContain(said);
    const after = new Date("2026-07-02T00:00:01Z");
    expect(statusLines(frozen, { paint: plainPaint, now: after }).join("\n")).not.toContain("frozen");
  });

  test("never lets a build's output or a record reach the terminal raw", () => {
    const lines = statusLines(scenes.halted(), { paint: plainPaint, now: noon });
    expect(lines.join("\n")).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
  });

  test("fits the terminal: no line is wider, and the hosts that have no room are counted", () => {
    const hosts = Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`web-${n}`, { status: {} }]));
    const lines = statusLines(scene({}, hosts), { paint: colourPaint, now: noon, columns: 60, rows: 24 });
    expect(lines.length).toBeLessThanOrEqual(24);
    for (const line of lines) expect(Bun.stringWidth(line)).toBeLessThanOrEqual(60);
    expect(Bun.stripANSI(lines.at(-1) ?? "")).toMatch(/^ {2}and \d+ more$/);
  });

  test("is never higher than its terminal, however much there is to tell", () => {
    for (const overview of Object.values(scenes)) {
      for (const rows of [4, 6, 10, 24]) {
        const lines = statusLines(overview(), { paint: plainPaint, now: noon, columns: 30, rows });
        expect(lines.length).toBeLessThanOrEqual(rows);
        expect(lines[0]).toMatch(/^\S web |^· api/);
      }
    }
  });

  test("as JSON has a schema and the same facts", async () => {
    const documents = [scenes.stuck(), scenes.halted()].map((overview) => statusDocument(overview, noon));
    await expectGolden("status-json", documents.map((document) => JSON.stringify(document, null, 2)).join("\n"));
  });
});

test("the status of all services is a line each, what needs a person first", async () => {
  const services = [
    { service: "api", overview: scenes.empty() },
    { service: "done", overview: { ...scenes.done(), service: "done" } },
    { service: "back", overview: { ...scenes.rolledBack(), service: "back" } },
    { service: "ill", overview: { ...scenes.ill(), service: "ill" } },
    { service: "rolling", overview: { ...scenes.rolling(), service: "rolling" } },
    { service: "canary", overview: { ...scenes.canary(), service: "canary" } },
    { service: "stuck", overview: { ...scenes.stuck(), service: "stuck" } },
    { service: "halted", overview: { ...scenes.halted(), service: "halted" } },
    { service: "broken", problem: "Cannot use the record at /services/broken: max is missing." },
  ];
  await expectGolden("status-all", allServicesLines(services, { paint: plainPaint, now: noon }).join("\n"));
});
