import { expect, test } from "bun:test";
import { emptyJournal, type Journal } from "../../../src/schema/journal.ts";
import { layoutOf } from "../../../src/steps/layout.ts";
import type { BuildPlan } from "./builds.ts";
import { instanceFacts, provision } from "./facts.ts";
import { journalOf, runAlone } from "./lone_agent.ts";
import { stage, type Stage } from "./stage.ts";

/* What a boot leaves down, on a host that cannot ask ZooKeeper. */

/** A host that served v1 by its commands when its power went; it has it again. */
function booted(seed: string, v1: Partial<BuildPlan> = {}, more: Partial<Journal> = {}): Stage {
  const world = stage(seed, { service: { instances: 2 } });
  const { host, service } = world;
  provision(host, service, world.build({ id: "v1", restart: service.restart, ...v1 }));
  const journal: Journal = {
    ...emptyJournal,
    attempt: { number: 4, deploy: "d1", build: "v1", served: true },
    restarted: { build: "v1", processes: ["1", "2"].map((instance) => ({ pid: 7, startTicks: 70, instance })) },
    proven: ["v1"],
    boot: { id: `${host.name}-boot-1`, begun: 0, over: true },
    ...more,
  };
  host.disk.append(host.disk.create(layoutOf(service.root).state), Buffer.from(JSON.stringify(journal)));
  host.disk.flushAll();
  world.pass(3_000);
  host.powerCut();
  host.powerOn();
  return world;
}

const served = ({ host, service }: Stage) =>
  instanceFacts(host, service).map(({ serves }) => (serves?.isWell === true ? serves.build : null));

test("it waits for a while for what is wished by now, and is started without", () => {
  const world = booted("alone");
  runAlone(world.host);
  world.pass(25_000);
  expect(served(world)).toEqual([null, null]);
  world.pass(15_000);
  expect(served(world)).toEqual(["v1", "v1"]);
  expect(journalOf(world).boot).toEqual({ id: "web-01-boot-2", begun: 1, over: true });
});

test("a build that failed here is started by nobody", () => {
  const world = booted(
    "failed",
    {},
    {
      proven: [],
      failed: {
        deploy: "d1",
        build: "v1",
        failure: { code: "check-failed", message: "m", hint: "h", step: "soak", log: "", atMs: 1 },
        attempt: 4,
        healthy: false,
      },
    },
  );
  runAlone(world.host);
  world.pass(60_000);
  expect(served(world)).toEqual([null, null]);
  expect(journalOf(world).boot).toEqual({ id: "web-01-boot-2", begun: 0, over: true });
});

test("what cannot be started is tried three times, told, and left alone", () => {
  const world = booted("broken", { character: { kind: "start-fails" } });
  const agent = runAlone(world.host);
  world.pass(120_000);
  expect(journalOf(world).boot).toEqual({ id: "web-01-boot-2", begun: 3, over: true });
  const errors = agent.said.filter(({ level }) => level === "error").map(({ message }) => message);
  expect(errors).toHaveLength(3);
  expect(errors[0]).toStartWith("After the boot of this host: Cannot start the service: ");
  expect(agent.ended()).toBeNull();
});
