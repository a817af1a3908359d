import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { hostRecordSchema } from "../../src/schema/znodes.ts";
import { forgetHost, unlockHost } from "../../src/store/host_care.ts";
import { ServiceMirror } from "../../src/store/mirror.ts";
import { agentPath, hostPath, statusPath } from "../../src/store/paths.ts";
import { encode, readRecord } from "../../src/store/records.ts";
import { readAgentOf, setRole } from "../../src/store/registry.ts";
import { clockOf, systemClock } from "../../src/support/clock.ts";
import { conductAt } from "../conductor/running.ts";
import { eventually } from "../harness/eventually.ts";
import { rejection } from "../harness/rejection.ts";
import { servers } from "./servers.ts";
import { failureOf, NOW, Site, slotOf, statusOf } from "./site.ts";

const clock = { ...systemClock, now: () => NOW.getTime() };
const by = { who: "me", clock };

/** On which a pause takes no time, and every look is 200 ms later. */
function hastyClock() {
  let nowMs = 0;
  const after = (ms: number, work: () => void) => {
    nowMs += ms;
    return systemClock.after(0, work);
  };
  return clockOf({ ...systemClock, now: () => NOW.getTime(), monotonicMs: () => nowMs, after });
}

const since = NOW.toISOString();
const agent = { version: "0", bootId: "b", statusAddress: null, pid: 1, since };

describe.each(servers)("with %s", (_name, start) => {
  let server: { connectString: string } & AsyncDisposable;
  let site: Site;
  let count = 0;

  beforeAll(async () => void (server = await start()));
  afterAll(() => server[Symbol.asyncDispose]());
  beforeEach(async () => {
    site = await Site.open(server.connectString, `/care-${(count += 1)}`, { max: 2, budget: 3 });
    for (const host of ["a", "b"]) await site.host(host, "fleet", { step: "idle" });
    await site.deploy("d1", "v1");
    await site.state("d1", "rolling");
  });
  afterEach(() => site[Symbol.asyncDispose]());

  const fails = (host: string, attempt = 1) =>
    site.moves({ kind: "fail", host, failure: failureOf({ attempt, healthy: false }) });
  const holds = async (host: string) => {
    await site.moves({ kind: "grant", host, slot: slotOf({ record: 1 }) });
    await site.zk.set(statusPath("web", host), encode(statusOf({ step: "restart", begun: true })));
  };
  const recordOf = async (host: string) =>
    (await readRecord(site.zk, hostPath("web", host), hostRecordSchema))?.value ?? null;

  test("unlocking a failed host gives its capacity back and leaves the failure in the budget", async () => {
    await setRole(site.zk, "web", "a", "canary");
    await fails("a");
    await using _conductor = conductAt(site.connectString);
    expect(await unlockHost(site.zk, "web", "a", by)).toEqual({ deploy: "d1", isDone: true });
    expect((await site.gate()).gate.failed.get("a")).toEqual(failureOf());
    const unlocked = { deploy: "d1", attempt: 1, who: "me", time: since };
    expect(await recordOf("a")).toEqual({ role: "canary", unlocked });
    expect(await unlockHost(site.zk, "web", "a", by)).toEqual({ deploy: null, isDone: true });
  });

  test.each([true, false])(
    "a slot that a host holds, its agent there (%p) or not, becomes a failure that takes no capacity",
    async (isThere) => {
      await holds("a");
      if (!isThere) await site.zk.delete(agentPath("a"));
      expect(await unlockHost(site.zk, "web", "a", { who: "me", clock: hastyClock() })).toMatchObject({
        isDone: false,
      });
      await site.round();
      const { slots, failed } = (await site.gate()).gate;
      expect([slots.size, failed.get("a")]).toEqual([0, expect.objectContaining({ healthy: true, attempt: 1 })]);
    },
  );

  test("without a conductor the word stands, and is carried out when there is one", async () => {
    await fails("a");
    const hasty = hastyClock();
    expect(await unlockHost(site.zk, "web", "a", { who: "me", clock: hasty })).toEqual({ deploy: "d1", isDone: false });
    expect(hasty.monotonicMs()).toBeGreaterThanOrEqual(10_000);
    expect((await site.gate()).gate.failed.get("a")?.healthy).toBe(false);
    // Said again, it is the same.
    expect(await unlockHost(site.zk, "web", "a", { who: "you", clock: hasty })).toMatchObject({ isDone: false });
    expect((await recordOf("a"))?.unlocked?.who).toBe("you");
    await using _conductor = conductAt(site.connectString);
    await eventually(async () => (await site.gate()).gate.failed.get("a")?.healthy);
  });

  test("the word is about one attempt: what comes of a later one is not disregarded", async () => {
    await fails("a");
    await unlockHost(site.zk, "web", "a", { who: "me", clock: hastyClock() });
    await fails("a", 2);
    await site.round();
    expect((await site.gate()).gate.failed.get("a")).toMatchObject({ attempt: 2, healthy: false });
  });

  test("a role that is set while somebody unlocks is not lost, nor is the word", async () => {
    await fails("a");
    await unlockHost(site.zk, "web", "a", { who: "me", clock: hastyClock() });
    await setRole(site.zk, "web", "a", "canary");
    expect(await recordOf("a")).toMatchObject({ role: "canary", unlocked: { attempt: 1 } });
  });

  test("a host whose agent is connected cannot be forgotten, one that is gone gives its capacity back", async () => {
    await using _conductor = conductAt(site.connectString);
    await holds("a");
    await fails("b");
    for (const host of ["a", "b"]) {
      const refused = await rejection(forgetHost(site.zk, "web", host));
      expect(refused).toMatchObject({ code: "conflict" });
    }
    expect([...(await site.gate()).gate.slots.keys()]).toEqual(["a"]);
    for (const host of ["a", "b"]) {
      await site.zk.delete(agentPath(host));
      await forgetHost(site.zk, "web", host);
      expect([await site.zk.exists(statusPath("web", host)), await recordOf(host)]).toEqual([null, null]);
    }
    await eventually(async () => {
      const { slots, failed } = (await site.gate()).gate;
      return slots.size === 0 && failed.size === 2 && [...failed.values()].every(({ healthy }) => healthy);
    });
  });

  test("what a forgotten host holds stays until somebody conducts, and who comes back meanwhile keeps it", async () => {
    await holds("a");
    await fails("b");
    for (const host of ["a", "b"]) {
      await site.zk.delete(agentPath(host));
      await forgetHost(site.zk, "web", host);
    }
    const before = await site.gate();
    expect([before.gate.slots.size, before.gate.failed.size]).toEqual([1, 1]);
    await site.host("a", "fleet", { step: "restart", begun: true });
    await site.round();
    const { slots, failed } = (await site.gate()).gate;
    expect([[...slots.keys()], failed.get("b")?.healthy]).toEqual([["a"], true]);
  });

  test("a node of a host's agent that is not ephemeral is no agent that is connected", async () => {
    await site.zk.delete(agentPath("a"));
    await site.zk.create(agentPath("a"), encode(agent));
    expect([...(await ServiceMirror.look(site.zk, "web")).agents.keys()]).toEqual(["b"]);
    await forgetHost(site.zk, "web", "a");
    expect([...(await ServiceMirror.look(site.zk, "web", ["hosts"])).hosts.keys()]).toEqual(["b"]);
  });

  test("a host whose agent runs other services can be forgotten of this one", async () => {
    await site.zk.delete(agentPath("a"));
    const record = { ...agent, services: ["api"] };
    await site.zk.create(agentPath("a"), encode(record), { mode: "ephemeral" });
    expect([...(await ServiceMirror.look(site.zk, "web")).agents.keys()]).toEqual(["b"]);
    expect(await readAgentOf(site.zk, "api", "a")).toMatchObject(record);
    await forgetHost(site.zk, "web", "a");
    expect([...(await ServiceMirror.look(site.zk, "web", ["hosts"])).hosts.keys()]).toEqual(["b"]);
  });

  test("a host that never registered is named as unknown, with the nearest one", async () => {
    for (const care of [unlockHost(site.zk, "web", "bb", by), forgetHost(site.zk, "web", "bb")])
      expect(await rejection(care)).toMatchObject({ code: "host-unknown", hint: 'Did you mean "b"?' });
  });
});
