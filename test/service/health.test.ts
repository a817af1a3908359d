import { expect, test } from "bun:test";
import { lookAtService } from "../../src/service/health.ts";
import { finish } from "../../src/service/activation.ts";
import { permissionToBegin } from "../../src/service/host_slot.ts";
import { restartOf } from "../../src/core/restart_progress.ts";
import { emptyJournal, type Journal } from "../../src/schema/journal.ts";
import type { Slot } from "../../src/schema/znodes.ts";
import { unreadSnapshot, type WishSnapshot } from "../../src/store/read_wish.ts";
import { rolledTo } from "../sim/host/activations.ts";
import type { Character } from "../sim/host/character.ts";
import { provision } from "../sim/host/facts.ts";
import { agentFile, type ServicePlan } from "../sim/host/host_file.ts";
import { stage } from "../sim/host/stage.ts";
import { openAgent } from "./one_service.ts";

const wishFor = (build: string, deploy: string): WishSnapshot => ({
  ...unreadSnapshot,
  target: { kind: "build", build, deploy },
});

/** A host that serves a v1 of this character, whose agent is about to begin. */
async function serving(
  character: Character,
  { service: plan = {}, journal = emptyJournal }: { service?: Partial<ServicePlan>; journal?: Journal } = {},
) {
  const world = stage("health", { service: plan });
  const { host, service } = world;
  provision(host, service, world.build({ id: "v1", character, restart: service.restart }));
  host.disk.append(host.disk.create(`${service.root}/state.json`), Buffer.from(JSON.stringify(journal)));
  host.disk.flushAll();
  world.pass(5_000);
  const file = agentFile("box", "nowhere:1", [service]);
  const open = () => world.play(openAgent(host.newLife().machine, service.root, file));
  return { world, open };
}

test("an agent that finds its service on the way up after a power cut says so, and not that it is well", async () => {
  const journal: Journal = { ...emptyJournal, attempt: { number: 1, deploy: "d1", build: "v1" }, proven: ["v1"] };
  const { world, open } = await serving({ kind: "slow", startMs: 4_000 }, { service: { restart: "term" }, journal });
  world.host.powerCut();
  world.host.powerOn();
  const { agent, said } = await open();
  agent.onSnapshot(wishFor("v1", "d1"));
  expect(said).toEqual([]);
  const { signal } = new AbortController();
  void agent.run({ soon: signal, now: signal });
  world.pass(1_000);
  expect(said.map(({ health }) => health)).not.toContain("healthy");
  expect(said.length).toBeGreaterThan(0);
  world.pass(30_000);
  expect(said.at(-1)).toMatchObject({ health: "healthy", step: "serving" });
});

test.each([
  ["well", { kind: "good" }, true],
  ["ill", { kind: "ill" }, false],
] as const)("a service that is %s is said to be so", async (_, character, healthy) => {
  const { world, open } = await serving(character);
  const { host, state } = await open();
  await world.play(lookAtService(host, state));
  expect(state.healthy).toBe(healthy);
});

test("an unhealthy service is told with why and since when, until it is well again", async () => {
  const journal: Journal = {
    ...emptyJournal,
    attempt: { number: 1, deploy: "d1", build: "v1", served: true },
    proven: ["v1"],
  };
  const { world, open } = await serving(
    { kind: "sickens", afterMs: 30_000 },
    { service: { restart: "term" }, journal },
  );
  const { agent, said, lines } = await open();
  agent.onSnapshot(wishFor("v1", "d1"));
  const { signal } = new AbortController();
  void agent.run({ soon: signal, now: signal });
  world.pass(20_000);
  expect(said.at(-1)).toMatchObject({ step: "serving", health: "healthy" });
  expect(said.at(-1)?.ill).toBeUndefined();
  world.pass(60_000);
  expect(said.at(-1)).toMatchObject({
    health: "unhealthy",
    ill: { why: expect.stringMatching(/^its check failed: /) },
  });
  const { ill } = said.at(-1) ?? {};
  world.pass(60_000);
  expect(said.at(-1)?.ill).toEqual(ill);
  expect(lines.filter((line) => line.startsWith("warn: the service is unhealthy: its check failed: "))).toHaveLength(1);
});

test("an instance without traffic serves nobody, however well it is", async () => {
  const journal: Journal = { ...emptyJournal, traffic: { by: "nft", off: ["1"], bootId: "web-01-boot-1" } };
  const { world, open } = await serving({ kind: "good" }, { journal });
  const { host, state } = await open();
  await world.play(lookAtService(host, state));
  expect(state.healthy).toBe(false);
});

test.each([
  ["well again", { kind: "good" }, true, "none"],
  ["still ill", { kind: "ill" }, true, "granted"],
  ["well, and had never been out of service", { kind: "good" }, undefined, "granted"],
] as const)("what becomes of a slot beyond max for a host that is %s", async (_, character, wasOut, kind) => {
  const { world, open } = await serving(character);
  const { host, state } = await open();
  state.snapshot = wishFor("v2", "d2");
  const observation = await world.play(host.observe());
  const actual = { ...observation.actual, release: "installed" as const };
  const granted: Slot = {
    deploy: "d2",
    attempt: 1,
    build: "v2",
    since: "2026-01-01T00:00:00.000Z",
    record: 1,
    ...(wasOut === undefined ? {} : { wasOut }),
  };
  const slot = { granted: async () => granted };
  const { signal } = new AbortController();
  const permission = await world.play(
    permissionToBegin({ host, state, slot }, { ...observation, actual }, () => {}, signal),
  );
  expect(permission).toEqual(kind === "granted" ? { kind, slot: granted } : { kind });
  // What it says lets whoever conducts take the slot back.
  if (kind === "none") expect(state.status().health).toBe("healthy");
});

test("a slot for another build than the one that is wished gives no leave", async () => {
  const { world, open } = await serving({ kind: "good" });
  const { host, state } = await open();
  state.snapshot = wishFor("v2", "d2");
  const observation = await world.play(host.observe());
  const actual = { ...observation.actual, release: "installed" as const };
  const slotFor = (build: string) => ({
    granted: async (): Promise<Slot> => ({
      deploy: "d2",
      attempt: 1,
      build,
      since: "2026-01-01T00:00:00.000Z",
      record: 1,
    }),
  });
  const { signal } = new AbortController();
  const kindFor = async (build: string) => {
    const effects = { host, state, slot: slotFor(build) };
    return (await world.play(permissionToBegin(effects, { ...observation, actual }, () => {}, signal))).kind;
  };
  expect(await kindFor("v2")).toBe("granted");
  expect(await kindFor("v3")).toBe("none");
});

test("a build that falls ill after its check is said to serve, and to be ill", async () => {
  const world = stage("ill at the end");
  const { host, service } = world;
  provision(host, service, world.build({ id: "v1" }));
  const restarted = { build: "v2", processes: [] };
  rolledTo(world, { id: "v2", character: { kind: "sickens", afterMs: 1_000 } }, restartOf([]), { restarted });
  world.pass(3_000);
  const file = agentFile("box", "nowhere:1", [service]);
  const opened = await world.play(openAgent(host.newLife().machine, service.root, file));
  opened.state.healthy = true;
  opened.state.isSeen = true;
  const [build, deploy] = ["v2", opened.journal.now.activation?.deploy ?? ""];
  opened.state.snapshot = wishFor(build, deploy);
  await world.play(opened.host.observe());
  await world.play(finish({ ...opened, say: () => {}, onEnd: () => {} }));
  expect(opened.said.at(-1)).toMatchObject({ step: "serving", begun: false, build: "v2", health: "unhealthy" });
  // Nothing that was said while it finished gives the slot back by another word.
  expect(opened.said.filter(({ begun, step }) => !begun && step !== "serving")).toEqual([]);
});
