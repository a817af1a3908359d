import { beforeAll, describe, expect, test } from "bun:test";
import type { LoadReport } from "./load.ts";
import { AT_ONCE, atOnce } from "./pool.ts";
import { RIGHT_ROLLS, rollByHand, WRONG_ROLLS } from "./wrong_rolls.ts";

/*
 * The load must see restarts that are wrong. When a test here fails, the figures of the others prove nothing.
 */

/** Each sort of mistake once, and beside them the same without one. The bench has them with every back end. */
const controls = [...RIGHT_ROLLS, ...WRONG_ROLLS].filter(({ name }) => /^nft|rule-by-rule$/.test(name));
/** So many copies show what four would. */
const COPIES = 2;
const PATIENCE_MS = 300_000;

describe("copies that are restarted by hand, under load", () => {
  const running = new Map<string, Promise<LoadReport>>();

  beforeAll(() => {
    const work = atOnce(AT_ONCE, controls, (control) => rollByHand(control, COPIES));
    for (const [number, { name }] of controls.entries()) running.set(name, work[number] ?? Promise.reject());
  });

  test.each(controls.filter(({ shows }) => shows !== null))(
    "the load sees it when a restart is wrong: $name",
    async ({ name, shows }) => {
      const report = await running.get(name);
      expect(report?.http.classes[shows ?? "garbled"]).toBeGreaterThan(0);
      expect(report?.http.classes.garbled).toBe(0);
    },
    PATIENCE_MS,
  );

  test.each(controls.filter(({ shows }) => shows === null))(
    "the load sees nothing when none is: $name",
    async ({ name }) => {
      const report = await running.get(name);
      expect(report?.http.samples.filter(({ kind }) => kind !== "late")).toEqual([]);
      expect(report?.http.failed).toBe(0);
    },
    PATIENCE_MS,
  );
});
