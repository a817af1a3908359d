import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { reportFailure } from "../../src/store/gate.ts";
import { grantSlot } from "../../src/store/grants.ts";
import { forgetHost, unlockHost } from "../../src/store/host_care.ts";
import { ServiceMirror } from "../../src/store/mirror.ts";
import { agentPath, statusPath } from "../../src/store/paths.ts";
import { readAgentOf } from "../../src/store/registry.ts";
import { systemClock } from "../../src/support/clock.ts";
import { rejection } from "../harness/rejection.ts";
import { servers } from "./servers.ts";
import { never, NOW, Site } from "./site.ts";

const clock = { ...systemClock, now: () => NOW.getTime() };

const since = NOW.toISOString();
const failure = { reason: "it does not start", build: "v1", healthy: false, since };

describe.each(servers)("with %s", (_name, start) => {
  let server: { connectString: string } & AsyncDisposable;
  let site: Site;
  let count = 0;

  beforeAll(async () => void (server = await start()));
  afterAll(() => server[Symbol.asyncDispose]());
  beforeEach(async () => {
    site = await Site.open(server.connectString, `/care-${(count += 1)}`, { max: 2, budget: 3 });
    for (const host of ["a", "b"]) await site.host(host);
    await site.deploy("d1", "v1");
    await site.state("d1", "rolling");
  });
  afterEach(() => site[Symbol.asyncDispose]());

  test("unlocking a failed host gives its capacity back and leaves the failure in the budget", async () => {
    const move = { service: "web", deploy: "d1", host: "a", signal: never };
    await reportFailure(site.zk, move, failure, null, NOW);
    expect(await unlockHost(site.zk, "web", "a", clock)).toEqual(["d1"]);
    expect((await site.gate("d1")).gate.failed["a"]).toMatchObject({ healthy: true, build: "v1" });
    expect(await unlockHost(site.zk, "web", "a", clock)).toEqual([]);
  });

  test("a host whose agent is connected cannot be forgotten, one that is gone takes its slot with it", async () => {
    await grantSlot(site.zk, "web", await site.gate("d1"), await site.basis("a"), "a", { attempt: 1, since });
    const refused = await rejection(forgetHost(site.zk, "web", "a", clock));
    expect(refused).toMatchObject({ code: "conflict" });
    expect((await site.gate("d1")).gate.slots["a"]).toBeDefined();

    await site.zk.delete(agentPath("a"));
    await forgetHost(site.zk, "web", "a", clock);
    expect([...(await ServiceMirror.look(site.zk, "web", ["hosts"])).hosts.keys()]).toEqual(["b"]);
    expect(await site.zk.exists(statusPath("web", "a"))).toBeNull();
    const { gate } = await site.gate("d1");
    expect(gate.slots).toEqual({});
    expect(gate.failed["a"]?.healthy).toBe(true);
  });

  test("a node of a host's agent that is not ephemeral is no agent that is connected", async () => {
    await site.zk.delete(agentPath("a"));
    const record = { version: "0", bootId: "b", statusAddress: null, pid: 1, since };
    await site.zk.create(agentPath("a"), JSON.stringify(record));
    expect([...(await ServiceMirror.look(site.zk, "web")).agents.keys()]).toEqual(["b"]);
    await forgetHost(site.zk, "web", "a", clock);
    expect([...(await ServiceMirror.look(site.zk, "web", ["hosts"])).hosts.keys()]).toEqual(["b"]);
  });

  test("a host whose agent runs other services can be forgotten of this one", async () => {
    await site.zk.delete(agentPath("a"));
    const record = { version: "0", bootId: "b", statusAddress: null, pid: 1, since, services: ["api"] };
    await site.zk.create(agentPath("a"), JSON.stringify(record), { mode: "ephemeral" });
    expect([...(await ServiceMirror.look(site.zk, "web")).agents.keys()]).toEqual(["b"]);
    expect(await readAgentOf(site.zk, "api", "a")).toMatchObject(record);
    await forgetHost(site.zk, "web", "a", clock);
    expect([...(await ServiceMirror.look(site.zk, "web", ["hosts"])).hosts.keys()]).toEqual(["b"]);
  });

  test("a host that never registered is named as unknown, with the nearest one", async () => {
    const error = await rejection(unlockHost(site.zk, "web", "bb", clock));
    expect(error).toMatchObject({ code: "host-unknown", hint: 'Did you mean "b"?' });
  });
});
