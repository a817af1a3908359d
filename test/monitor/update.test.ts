import { expect, test } from "bun:test";
import { newModel } from "../../src/monitor/model.ts";
import { screen } from "../../src/monitor/screen.ts";
import { update } from "../../src/monitor/update.ts";
import { noon } from "../ctl/terminal.ts";
import { scenes } from "../view/scenes.ts";
import { after, key, MOMENTS, reading, typing } from "./moments.ts";

const size = { columns: 80, rows: 24 };
const nowMs = noon.getTime();
const opened = (overview = scenes.rolling()) => after(newModel("web", size, nowMs), reading(overview));

test("what changes a deploy asks first, by service and build, and does it for y alone", () => {
  const asked = after(opened(), key("p"));
  expect(asked.prompt).toMatchObject({ kind: "confirm", act: "pause", service: "web", build: "9b1e0d4" });
  expect(asked.prompt).toHaveProperty("question", expect.stringMatching(/9b1e0d4 to web/));
  const { effects, model } = update(asked, key("y"));
  expect(effects).toEqual([
    { kind: "act", act: "pause", service: "web", build: "9b1e0d4", deploy: "20260701-115000-ab12" },
  ]);
  expect(model.prompt.kind).toBe("acting");
  for (const other of [key("n"), key("Y"), { kind: "key", key: { kind: "enter" } } as const]) {
    const refused = update(asked, other);
    expect(refused.effects).toEqual([]);
    expect(refused.model.prompt.kind).toBe("none");
  }
});

test.each([
  ["P", /nothing to promote/],
  ["c", /nothing to resume/],
])("%s makes no sense while it rolls, and is told so", (pressed, why) => {
  const { prompt } = after(opened(), key(pressed));
  expect(prompt.kind).toBe("told");
  expect(prompt.kind === "told" ? prompt.line.map(({ text }) => text).join("") : "").toMatch(why);
});

test("what was told goes by itself", () => {
  const told = after(opened(), key("P"));
  expect(after(told, { kind: "tick", nowMs: nowMs + 9_000 }).prompt.kind).toBe("told");
  expect(after(told, { kind: "tick", nowMs: nowMs + 11_000 }).prompt.kind).toBe("none");
});

test("the cursor stays on its host when others come and go", () => {
  const down = after(opened(), key("j"), key("j"), key("j"));
  const { cursor } = down;
  expect(cursor).toBe("web-03");
  expect(after(down, reading(scenes.stuck())).cursor).toBe(cursor);
  const gone = after(down, reading(scenes.done()), reading(scenes.canary()), key("j"));
  expect(gone.cursor).not.toBeNull();
});

test("a filter shows the hosts that have all its words, and esc shows all", () => {
  const big = MOMENTS["200-hosts"]?.(size);
  if (big === undefined) throw new Error("there is no such moment");
  const typed = after(big, key("/"), ...typing("eu-a fai"));
  expect(typed.filter).toBe("eu-a fai");
  expect(screen(typed).text(23)).toContain("/eu-a fai");
  const kept = after(typed, { kind: "key", key: { kind: "enter" } });
  expect(kept.prompt.kind).toBe("none");
  expect(screen(kept).text(23)).toContain("/eu-a fai");
  expect(after(kept, { kind: "key", key: { kind: "escape" } }).filter).toBe("");
});

test("q leaves a page, and quits from the fleet", () => {
  const host = after(opened(), key("j"), { kind: "key", key: { kind: "enter" } });
  expect(host.page.kind).toBe("host");
  expect(update(host, key("q")).effects).toEqual([]);
  expect(update(host, key("q")).model.page.kind).toBe("fleet");
  expect(update(opened(), key("q")).effects).toEqual([{ kind: "quit" }]);
  expect(update(host, { kind: "key", key: { kind: "interrupt" } }).effects).toEqual([{ kind: "quit" }]);
});

test("ZooKeeper that is away is told with how old all of it is, and what is shown stays", () => {
  const away = after(
    opened(),
    { kind: "away", reason: "no answer", nowMs: nowMs + 5_000 },
    { kind: "tick", nowMs: nowMs + 65_000 },
  );
  const shown = screen(away);
  const text = Array.from({ length: 24 }, (_, row) => shown.text(row)).join("\n");
  expect(text).toContain("ZooKeeper is away for 1m 05s");
  expect(text).toContain("web-01");
  expect(after(away, reading(scenes.rolling())).link.kind).toBe("fresh");
});

test("of all services the one that needs a person is looked at first, and 1-9 go to the others", () => {
  const all = after(
    newModel(null, size, nowMs),
    reading(scenes.empty(), { ...scenes.halted(), service: "db" }, scenes.rolling()),
  );
  expect(all.page.kind).toBe("services");
  expect(all.selected).toBe("db");
  const third = after(all, key("3"));
  expect(third.page.kind).toBe("fleet");
  expect(third.watched?.overview.service).toBe("web");
});
