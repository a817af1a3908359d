import { expect, test } from "bun:test";
import { soak } from "./soak.ts";

const MINUTE_MS = 60_000;

test(
  "a planted bug is found from outside",
  async () => {
    const { code, said } = await soak(
      "--planted",
      "slot-freed-on-expiry",
      "--agents",
      "8",
      "--seconds",
      "20",
      "--runs",
      "4",
    );
    expect(said).toContain("dead-holder");
    expect(code).toBe(0);
  },
  12 * MINUTE_MS,
);
