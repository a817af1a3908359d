import { expect, test } from "bun:test";
import { CALM } from "./fleet/calm_plan.ts";
import { Fleet } from "./fleet/fleet.ts";
import { Script } from "./fleet/script.ts";
import type { WorldPlan } from "./fleet/world_plan.ts";

const PLAN: WorldPlan = { ...CALM, hosts: 8, max: 2, servers: 3, sessionTimeoutS: 30 };
const SETTLED_MS = 60_000;
const IDLE_MS = 600_000;

/** Every change that somebody asked for in ten minutes in which nothing happens, made or refused. */
function changesAtRest(): string[] {
  const fleet = new Fleet("idle", PLAN);
  const script = new Script(fleet);
  const asked: string[] = [];
  let isAtRest = false;
  fleet.ensemble.onCommit(({ request, changes, refused }) => {
    for (const { path } of changes) {
      const found = fleet.ensemble.read(path);
      fleet.tree.apply({ path, data: found === undefined ? null : new TextDecoder().decode(found.data) });
    }
    if (isAtRest && request.kind === "write")
      asked.push(`${JSON.stringify(request.write)}${refused ? ", refused" : ""}`);
  });
  const pause = (ms: number): Promise<void> => new Promise((resolve) => void fleet.time.after(ms, resolve));
  const acts = async (): Promise<void> => {
    await script.furnish();
    await script.canaryAndFleet();
    await pause(SETTLED_MS);
    isAtRest = true;
  };
  const failures: unknown[] = [];
  acts().catch((error: unknown) => void failures.push(error));
  fleet.time.run(3_600_000, () => isAtRest || failures.length > 0);
  fleet.time.run(fleet.time.nowMs + IDLE_MS);
  expect(failures).toEqual([]);
  expect(isAtRest).toBeTrue();
  return asked;
}

// A change is the whole ensemble's work, and one that is refused no less: thousands of hosts ask at any time.
test("a fleet at rest asks ZooKeeper for no change", () => {
  expect(changesAtRest()).toEqual([]);
});
