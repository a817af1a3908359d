import { expect, test } from "bun:test";
import { meetsLimit } from "../figure.ts";
import { added, peak } from "./hosts_report.ts";
import { measureSessions } from "./sessions.ts";

test("the busiest stretch is found wherever it begins", () => {
  expect(peak([], 100)).toBe(0);
  expect(peak([0, 99, 100, 150, 199, 300], 100)).toBe(3);
  expect(peak([0, 100, 200], 100)).toBe(1);
  expect(peak([250, 10, 240, 260], 100)).toBe(3);
});

test("what several processes say is added up", () => {
  const one = { servers: { a: 1, b: 2 }, lost: 1, triesAtMs: [1], connectedAtMs: [2] };
  const other = { servers: { b: 3 }, lost: 2, triesAtMs: [3], connectedAtMs: [] };
  expect(added([one, other])).toEqual({ servers: { a: 1, b: 5 }, lost: 3, triesAtMs: [1, 3], connectedAtMs: [2] });
});

test("a small fleet whose crowded leader is killed is measured, and loses no session", async () => {
  const figures = await measureSessions({ hosts: 60, sessionTimeoutMs: 6_000, note: () => undefined });
  expect(figures.map(({ name }) => name)).toEqual(["sessions-lost", "sessions-back", "sessions-peak"]);
  expect(figures.filter((figure) => !meetsLimit(figure))).toEqual([]);
  const [lost, back, most] = figures;
  // Half of them are there on purpose, and a third of the others by chance; all lose their server when the leader dies.
  expect(lost?.detail["onKilledServer"]).toBeGreaterThanOrEqual(30);
  expect(lost?.detail["cameBack"]).toBe(60);
  expect(back?.value).toBeGreaterThan(0);
  expect(most?.value).toBeGreaterThan(0);
}, 120_000);
