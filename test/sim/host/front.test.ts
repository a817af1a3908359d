import { expect, test } from "bun:test";
import { rejection } from "../../harness/rejection.ts";
import { currentAfterPowerCut, currentFact, inService, instanceFacts, isInService, provision } from "./facts.ts";
import { agentFile } from "./host_file.ts";
import { agentConfig } from "../../../src/agent/config.ts";
import { stage, type Stage } from "./stage.ts";
import { ASKING } from "../../harness/asking.ts";

const { signal } = new AbortController();

function served(seed: string, traffic: "nft" | "reject" | "none"): Stage {
  const world = stage(seed, { service: { instances: 3, traffic, minAvailable: 2 } });
  provision(world.host, world.service, world.build({ id: "v1" }));
  world.pass(2_000);
  return world;
}

function backend({ host, service }: Stage) {
  const { machine } = host.life === null ? host.newLife() : { machine: null };
  if (machine === null) throw new Error("an agent lives already");
  const { traffic } = machine;
  const spec =
    service.traffic === "nft" ? ({ by: "nft", port: service.frontPort ?? 0 } as const) : ({ by: "reject" } as const);
  return { machine, traffic: traffic.backend(spec, service.name, service.instances, 1_000) };
}

const withTraffic = ({ host, service }: Stage): string =>
  instanceFacts(host, service)
    .filter(({ hasTraffic }) => hasTraffic)
    .map(({ instance }) => instance)
    .join("");

test("a rule sends new connections to the instances that it names, until the kernel begins anew", async () => {
  const world = served("front", "nft");
  expect(withTraffic(world)).toBe("");
  const { traffic } = backend(world);
  await world.play(traffic.steer(["1", "2", "3"], signal));
  expect(withTraffic(world)).toBe("123");
  expect(isInService(world.host, world.service)).toBe(true);
  await world.play(traffic.steer(["1"], signal));
  expect(withTraffic(world)).toBe("1");
  expect(inService(world.host, world.service)).toBe(1);
  expect(isInService(world.host, world.service)).toBe(false);
  world.host.killAgent();
  expect(withTraffic(world)).toBe("1");
  world.host.powerCut();
  world.host.powerOn();
  expect(withTraffic(world)).toBe("");
});

test("where clients come by themselves a rule keeps them away", async () => {
  const world = served("reject", "reject");
  expect(withTraffic(world)).toBe("123");
  const { traffic } = backend(world);
  await world.play(traffic.steer(["2", "3"], signal));
  expect(withTraffic(world)).toBe("23");
  await world.play(traffic.remove(signal));
  expect(withTraffic(world)).toBe("123");
});

test("steering to where everything is steered already changes nothing", async () => {
  const world = served("again", "nft");
  const { traffic } = backend(world);
  await world.play(traffic.steer(["1"], signal));
  const effects = world.host.effects;
  await world.play(traffic.steer(["1"], signal));
  expect(world.host.effects).toBe(effects);
});

test("clients of an instance that gets no new ones leave one by one", async () => {
  const world = served("clients", "nft");
  const { traffic, machine } = backend(world);
  await world.play(traffic.steer(["1", "2", "3"], signal));
  const busy = async (): Promise<number> => {
    const counts = await Promise.all(["1", "2", "3"].map((name) => world.play(traffic.busy(name, signal))));
    return counts.reduce<number>((sum, count) => sum + (count ?? 0), 0);
  };
  const before = await busy();
  expect(before).toBeGreaterThan(0);
  world.pass(60_000);
  expect(await busy()).toBe(before);
  world.host.front.clings = 1;
  await world.play(traffic.steer([], signal));
  expect(await busy()).toBeGreaterThan(0);
  world.pass(150_000);
  expect(await busy()).toBe(0);
  expect(await world.play(machine.traffic.openAt(8001))).toBe(0);
});

test("the front answers with what an instance behind it says", async () => {
  const world = served("through", "nft");
  const { traffic, machine } = backend(world);
  const ask = () =>
    world.play(
      machine.probes.http(
        { kind: "http", url: "http://127.0.0.1:8000/health", expectStatus: [200], expectBody: "v1", timeoutMs: 500 },
        signal,
        ASKING,
      ),
    );
  expect((await ask())?.reason).toBe("connection refused");
  await world.play(traffic.steer(["2"], signal));
  expect(await ask()).toBeNull();
  expect(
    await world.play(
      machine.probes.tcp({ kind: "tcp", host: "127.0.0.1", port: 8000, timeoutMs: 500 }, signal, ASKING),
    ),
  ).toBeNull();
});

test("a back end that does not answer says so", async () => {
  const world = served("broken", "nft");
  const { traffic } = backend(world);
  world.host.front.isBroken = true;
  expect(await rejection(world.play(traffic.steer(["1"], signal)))).toMatchObject({ code: "traffic-failed" });
  expect(await rejection(world.play(traffic.taken(["1"], 1_000, signal)))).toMatchObject({ code: "traffic-failed" });
});

test("without a front nothing is steered and nothing counted", async () => {
  const world = served("none", "none");
  const { machine } = world.host.newLife();
  const none = machine.traffic.backend({ by: "none" }, "web", world.service.instances, 1_000);
  await world.play(none.steer([], signal));
  expect(await world.play(none.busy("1", signal))).toBeNull();
  expect(await world.play(none.refused(signal))).toBeNull();
  expect(withTraffic(world)).toBe("123");
  expect(world.host.effects).toBe(0);
});

test("current is seen as it is, and as a power cut may leave it", async () => {
  const world = served("current", "none");
  const { host, service } = world;
  expect(currentFact(host, service)).toEqual({ kind: "release", build: "v1", isGenuine: true });
  const { machine } = host.newLife();
  await world.play(machine.disk.makeLink(`${service.root}/next`, "releases/v2"));
  await world.play(machine.disk.rename(`${service.root}/next`, `${service.root}/current`));
  expect(currentFact(host, service)).toEqual({ kind: "torn", what: `a link to ${service.root}/releases/v2` });
  expect(currentAfterPowerCut(host, service)).toEqual(new Set(["v2", "v1"]));
  await world.play(machine.disk.removeFile(`${service.root}/current`));
  expect(currentFact(host, service)).toEqual({ kind: "absent" });
});

test("the agent's own file is one that it reads", () => {
  const { service } = served("file", "nft");
  const config = agentConfig(agentFile("web-01", "zk:2181", [service]), "agent.toml", {}, "web-01");
  expect(config.services["web"]?.instances).toHaveLength(3);
  expect(config.services["web"]?.traffic).toMatchObject({ by: "nft", port: 8000 });
});

test("an instance that is told to lets its clients go, and takes that back", async () => {
  const world = served("told", "none");
  const { machine } = world.host.newLife();
  const open = async (): Promise<number> => world.play(machine.traffic.openAt(8001));
  const before = await open();
  expect(before).toBeGreaterThan(0);
  expect(await world.play(machine.probes.post("http://127.0.0.1:8001/drain", signal, ASKING))).toBe("");
  world.pass(5_000);
  expect(await open()).toBe(0);
  expect(await world.play(machine.probes.post("http://127.0.0.1:8001/resume", signal, ASKING))).toBe("");
  expect(await open()).toBe(before);
  expect(await world.play(machine.probes.post("http://127.0.0.1:8009/drain", signal, ASKING))).toBe("");
});
