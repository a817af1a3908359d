import { expect, test } from "bun:test";
import { restartOf } from "../../../src/core/restart_progress.ts";
import { rolledTo } from "./activations.ts";
import { instanceFacts, provision } from "./facts.ts";
import { runAlone, phaseIn } from "./lone_agent.ts";
import { stage } from "./stage.ts";

test.each([{ before: {} }, { before: { drainS: 20 } }])(
  "a build that is to be drained replaces one of $before that clients come to directly",
  ({ before }) => {
    const world = stage("drain");
    const { host, service } = world;
    provision(host, service, world.build({ id: "v1", ...before }));
    rolledTo(world, { id: "v2", drainS: 4 }, restartOf(["1"]));
    world.pass(3_000);
    expect(host.front.openAt(8001)).toBeGreaterThan(0);
    runAlone(host);
    world.pass(60_000);
    expect(phaseIn(world)).toBe("finished");
    expect(instanceFacts(host, service).map(({ serves }) => serves?.build)).toEqual(["v2"]);
  },
);
