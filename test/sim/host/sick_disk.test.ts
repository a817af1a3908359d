import { expect, test } from "bun:test";
import { rolledTo } from "./activations.ts";
import { instanceFacts, provision } from "./facts.ts";
import { hostService } from "./host_file.ts";
import { journalOf, runAlone, phaseIn } from "./lone_agent.ts";
import { stage, type Stage } from "./stage.ts";

const ailments = ["full", "readOnly"] as const;

/** As soon as its agent has the lock, without which none can start. */
function fallsIll({ host, time }: Stage, ailment: (typeof ailments)[number]): void {
  host.onEffect = ({ what }) => {
    if (what.startsWith("lock")) time.after(0, () => (host.disk[ailment] = true));
  };
}

/** A host whose agent has restarted the service into v2, and was killed before its check. */
function rolled(seed: string, character: "ill" | "good"): Stage {
  const world = stage(seed);
  provision(world.host, world.service, world.build({ id: "v1" }));
  rolledTo(world, { id: "v2", character: { kind: character }, check: { deadlineS: 5 } });
  world.pass(2_000);
  return world;
}

test("a check that fails on a disk that is read-only is told once, and decided when the disk is well", () => {
  const ailment = "readOnly";
  const world = rolled(`check ${ailment}`, "ill");
  const { host, service } = world;
  const { said, ended } = runAlone(host, [service]);
  world.pass(1_000);
  host.disk[ailment] = true;
  const effects = host.effects;
  world.pass(600_000);
  expect(ended()).toBeNull();
  expect(journalOf(world).activation?.phase.kind).toBe("forward");
  const told = said.filter(({ message }) => message.includes("What follows from it cannot be done yet"));
  expect(told.map(({ level }) => level)).toEqual(["warn"]);
  expect(told[0]?.message).toContain("state.json");
  // A try now and then.
  expect(host.effects - effects).toBeLessThan(200);
  host.disk[ailment] = false;
  world.pass(60_000);
  expect(ended()).toBeNull();
  expect(journalOf(world).failed).toMatchObject({
    build: "v2",
    healthy: true,
    failure: { code: "check-failed" },
  });
  expect(instanceFacts(host, service)[0]?.serves).toMatchObject({ build: "v1", isWell: true });
});

test.each(ailments)("a restart that cannot be written down on a disk that is %s does not begin", (ailment) => {
  const world = stage(`restart ${ailment}`);
  const { host, service } = world;
  provision(host, service, world.build({ id: "v1" }));
  rolledTo(world, { id: "v2" }, { begun: 0, batch: [], left: ["1"] });
  world.pass(2_000);
  fallsIll(world, ailment);
  const { ended } = runAlone(host, [service]);
  world.pass(600_000);
  expect(ended()).toBeNull();
  expect(instanceFacts(host, service)[0]?.serves).toMatchObject({ build: "v1", isWell: true });
  host.disk[ailment] = false;
  world.pass(60_000);
  expect(phaseIn(world)).toBe("finished");
  expect(instanceFacts(host, service)[0]?.serves).toMatchObject({ build: "v2", isWell: true });
});

test("what a restart cost may go unwritten, and its failure is told all the same", () => {
  const world = stage("cost");
  const { host, service } = world;
  provision(host, service, world.build({ id: "v1" }));
  rolledTo(world, { id: "v2", character: { kind: "start-fails" } }, { begun: 0, batch: [], left: ["1"] });
  world.pass(2_000);
  host.onEffect = ({ what }) => {
    if (what.includes("./svc start")) host.disk.readOnly = true;
  };
  const { said, ended } = runAlone(host, [service]);
  world.pass(120_000);
  expect(ended()).toBeNull();
  expect(said.some(({ message }) => message.includes("./svc start") && message.includes("cannot be done yet"))).toBe(
    true,
  );
  host.onEffect = () => {};
  host.disk.readOnly = false;
  world.pass(60_000);
  expect(journalOf(world).failed).toMatchObject({ build: "v2", failure: { code: "restart-failed" } });
});

test("a service whose directory cannot be made keeps no other from its work, and is made when it can be", () => {
  const world = rolled("neighbours", "good");
  const { host, service } = world;
  const other = { ...hostService({ name: "other", port: 9000 }), user: service.user };
  // Somebody has put a file where the directory should be.
  host.disk.append(host.disk.create(other.root), Buffer.from("mine"));
  const { said, ended } = runAlone(host, [other, service]);
  world.pass(60_000);
  expect(ended()).toBeNull();
  expect(phaseIn(world)).toBe("finished");
  const told = said.filter(({ facts }) => facts["service"] === "other");
  expect(told.map(({ message }) => message)).toEqual([
    expect.stringContaining(`Cannot make the directory "${other.root}"`),
  ]);
  host.disk.removeTree(other.root);
  world.pass(60_000);
  expect(host.disk.isDirectory(other.root)).toBe(true);
});

test.each(ailments)("an agent that starts on a disk that is %s looks after what it can", (ailment) => {
  const world = rolled(`start ${ailment}`, "good");
  const { host, service } = world;
  // What a former self left half written cannot be removed.
  host.disk.create(`${service.root}/.state.json.0123456789ab.tmp`);
  fallsIll(world, ailment);
  const { ended } = runAlone(host, [service]);
  world.pass(60_000);
  expect(ended()).toBeNull();
  host.disk[ailment] = false;
  world.pass(60_000);
  expect(phaseIn(world)).toBe("finished");
});
