import { expect, test } from "bun:test";
import { restartOf } from "../../src/core/restart_progress.ts";
import { unreadSnapshot } from "../../src/store/read_wish.ts";
import { rolledTo } from "../sim/host/activations.ts";
import type { Character } from "../sim/host/character.ts";
import { agentFile } from "../sim/host/host_file.ts";
import { provision } from "../sim/host/facts.ts";
import { stage } from "../sim/host/stage.ts";
import { openAgent } from "./one_service.ts";

const SOAK_MS = 60_000;

/** A host whose v2 has been restarted and soaks when a wish for v3 comes; what came of v2 a while after. */
async function cutShort(character: Character): Promise<{ isProven: boolean; failure: string | null }> {
  const world = stage("soak cut short");
  const { host, service } = world;
  provision(host, service, world.build({ id: "v1" }));
  rolledTo(world, { id: "v2", character, check: { intervalS: 20, successes: 1 } }, restartOf([]), {}, SOAK_MS);
  world.pass(3_000);
  const { machine } = host.newLife();
  const { agent, journal } = await world.play(
    openAgent(machine, service.root, agentFile("box", "nowhere:1", [service])),
  );
  const { signal } = new AbortController();
  agent.onSnapshot({ ...unreadSnapshot, target: { kind: "build", build: "v2", deploy: "d2" } });
  void agent.run({ soon: signal, now: signal });
  world.pass(10_000);
  expect(journal.now.activation?.phase.kind).toBe("forward");
  agent.onSnapshot({ ...unreadSnapshot, target: { kind: "build", build: "v3", deploy: "d3" } });
  world.pass(25_000);
  const { proven, activation, failed } = journal.now;
  const phase = activation?.phase;
  const failure = phase !== undefined && "failure" in phase ? phase.failure : failed?.failure;
  return { isProven: proven.includes("v2"), failure: failure?.code ?? null };
}

test("a build that has died in its soak is not proven because a newer wish came", async () => {
  expect(await cutShort({ kind: "dies", afterMs: 9_000 })).toEqual({ isProven: false, failure: "check-failed" });
});

test("a build that is well when a newer wish cuts its soak short is proven", async () => {
  expect(await cutShort({ kind: "good" })).toEqual({ isProven: true, failure: null });
});
