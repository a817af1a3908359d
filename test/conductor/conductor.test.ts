import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { ConductorOptions } from "../../src/conductor/conductor.ts";
import { rollBack } from "../../src/store/roll_back.ts";
import { addBuild } from "../../src/store/builds.ts";
import { readHead } from "../../src/store/deploys.ts";
import {
  agentPath,
  agentsPath,
  deployPath,
  enabledPath,
  failuresPath,
  gatePath,
  servicesPath,
  slotPath,
  slotsPath,
  statusPath,
} from "../../src/store/paths.ts";
import { encode } from "../../src/store/records.ts";
import { forgetHost } from "../../src/store/host_care.ts";
import { removeService } from "../../src/store/remove_service.ts";
import { setService } from "../../src/store/services.ts";
import { registerHost } from "../../src/store/registry.ts";
import { systemClock } from "../../src/support/clock.ts";
import { startDevServer, type DevServer } from "../../src/zookeeper/server/dev_server.ts";
import { op } from "../../src/zookeeper/client.ts";
import { tcpDial, type Dial } from "../../src/zookeeper/dial.ts";
import type { Session } from "../../src/zookeeper/session.ts";
import { NOW, failureOf, Site, slotOf, statusOf, readOverview } from "../store/site.ts";
import { eventually } from "../harness/eventually.ts";
import { FakeHost, Outage, saidBy, type Fate } from "./fake_host.ts";
import { conductAt } from "./running.ts";

let server: DevServer;
let site: Site;
let stack: AsyncDisposableStack;
let outage: Outage;

beforeEach(async () => {
  server = await startDevServer({ clock: systemClock, tickMs: 50 });
  site = await Site.open(server.connectString, "/tree", { max: 2, budget: 1, soakMs: 0 });
  stack = new AsyncDisposableStack();
  outage = new Outage();
});
afterEach(async () => {
  await stack.disposeAsync();
  await site[Symbol.asyncDispose]();
  await server.close();
});

/** Packets that conductors have sent; several requests may go in one. */
let packets = 0;
function counting(dial: Dial): Dial {
  return async (...how) => {
    const wire = await dial(...how);
    return {
      write: (bytes) => {
        packets += 1;
        return wire.write(bytes);
      },
      terminate: () => wire.terminate(),
    };
  };
}

function conduct(log?: ConductorOptions["log"]): Session {
  const dial = counting(tcpDial(systemClock));
  return stack.use(conductAt(site.connectString, { dial, ...(log === undefined ? {} : { log }) })).session;
}

async function startHost(name: string, fate?: (build: string) => Fate, role?: "fleet" | "canary"): Promise<FakeHost> {
  const { connectString } = site;
  const options = { connectString, outage, ...(fate && { fate }), ...(role && { role }) };
  return stack.use(await FakeHost.start(name, options));
}

async function startHosts(count: number, fate?: (build: string) => Fate): Promise<FakeHost[]> {
  return Promise.all(Array.from({ length: count }, (_, index) => startHost(`h${index}`, fate)));
}

async function stateOf(id: string): Promise<string> {
  return (await site.record(id)).state;
}

const holders = async (): Promise<string[]> => [...(await site.gate()).gate.slots.keys()];
const failures = async () => Object.fromEntries((await site.gate()).gate.failed);

test("a deploy to five hosts is done with no more of them out than the limit says", async () => {
  conduct();
  const hosts = await startHosts(5);
  await site.deploy("d1", "v1");
  await eventually(async () => (await stateOf("d1")) === "done");
  expect(hosts.every(({ build }) => build === "v1")).toBe(true);
  expect(outage.most).toBeGreaterThan(0);
  expect(outage.most).toBeLessThanOrEqual(2);
  await eventually(async () => (await holders()).length === 0);
  expect(await failures()).toEqual({});
});

test("two conductors at once do no harm", async () => {
  conduct();
  conduct();
  const hosts = await startHosts(8);
  await site.deploy("d1", "v1");
  await eventually(async () => (await stateOf("d1")) === "done");
  await site.deploy("d2", "v2");
  await eventually(async () => (await stateOf("d2")) === "done");
  expect(hosts.every(({ build }) => build === "v2")).toBe(true);
  expect(outage.most).toBeLessThanOrEqual(2);
});

test("a build that fails halts beyond its budget, and the way back ends on what was there", async () => {
  conduct();
  const hosts = await startHosts(6, (build) => (build === "v2" ? "bad" : "good"));
  await site.deploy("d1", "v1");
  await eventually(async () => (await stateOf("d1")) === "done");
  await site.deploy("d2", "v2");
  await eventually(async () => (await stateOf("d2")) === "halted");
  expect(Object.keys(await failures()).length).toBeLessThanOrEqual(3);
  await rollBack(site.zk, { service: "web", who: "me", why: "", now: NOW });
  await eventually(async () => (await stateOf("d2")) === "rolled back");
  expect(hosts.every(({ build }) => build === "v1")).toBe(true);
});

test("hosts that a build kills are lost, and are no more than budget and limit together", async () => {
  conduct();
  const hosts = await startHosts(6, (build) => (build === "v2" ? "dies" : "good"));
  await site.deploy("d1", "v1");
  await eventually(async () => (await stateOf("d1")) === "done");
  await site.deploy("d2", "v2");
  await eventually(async () => (await stateOf("d2")) === "halted", 15_000);
  expect(outage.out.size).toBeLessThanOrEqual(3);
  const lost = Object.values(await failures());
  expect(lost.length).toBeGreaterThan(1);
  expect(lost.every(({ healthy, reason }) => !healthy && reason.includes("lost"))).toBe(true);
  expect(hosts.filter(({ build }) => build === "v1")).toHaveLength(6);
}, 20_000);

test("canaries go first, and the fleet only once somebody says so", async () => {
  conduct();
  const canary = await startHost("c", undefined, "canary");
  const hosts = await startHosts(3);
  await site.deploy("d1", "v1");
  await eventually(async () => (await stateOf("d1")) === "done");
  await site.deploy("d2", "v2", "canary");
  await eventually(async () => (await stateOf("d2")) === "awaiting promotion");
  expect(canary.build).toBe("v2");
  expect(hosts.every(({ build }) => build === "v1")).toBe(true);
});

test("a host that joins when all is done is brought along", async () => {
  conduct();
  await startHosts(2);
  await site.deploy("d1", "v1");
  await eventually(async () => (await stateOf("d1")) === "done");
  const late = await startHost("late");
  await eventually(() => late.build === "v1");
});

test("a wish written by hand is carried out like any other", async () => {
  conduct();
  const hosts = await startHosts(3);
  await site.zk.set(enabledPath("web"), "v1");
  await eventually(() => hosts.every(({ build }) => build === "v1"));
  const { children } = await site.zk.children("/services/web/deploys");
  await eventually(async () => (await stateOf(children[0] ?? "")) === "done");
});

test("when a conductor's session ends in the middle another finishes the work", async () => {
  const first = conduct();
  const hosts = await startHosts(6);
  await site.deploy("d1", "v1");
  await eventually(() => hosts.some(({ build }) => build === "v1"));
  server.expire(first.client.sessionId);
  conduct();
  await eventually(async () => (await stateOf("d1")) === "done");
  expect(outage.most).toBeLessThanOrEqual(2);
  expect((await site.zk.children(agentsPath)).children).toHaveLength(6);
});

test("while the wish cannot be read nobody is granted a slot, which is said once, and afterwards all goes on", async () => {
  const hosts = await startHosts(3);
  await site.deploy("d1", "v1");
  const isReady = async ({ name }: FakeHost) => (await saidBy(site.zk, name))?.step === "ready";
  await eventually(async () => (await Promise.all(hosts.map(isReady))).every(Boolean));
  const wish = (await site.zk.get(enabledPath("web"))).data;
  // The hosts read it as well, and try again.
  await site.host("healed", "fleet", { step: "serving", health: "healthy", build: "v1", attempt: 2 });
  for (const host of hosts) await host[Symbol.asyncDispose]();
  for (const { name } of hosts) await site.zk.create(agentPath(name), "{}", { mode: "ephemeral" });
  await site.zk.set(enabledPath("web"), "{");
  const said: string[] = [];
  const granted: unknown[] = [];
  conduct((level, message, { grant }) => {
    if (level === "warn") said.push(message);
    if (grant !== undefined) granted.push(grant);
  });
  // In the round in which a host is healed slots would be granted; the second heal shows that the first round is over.
  for (const attempt of [0, 1]) {
    await site.moves({ kind: "fail", host: "healed", failure: failureOf({ healthy: false, attempt }) });
    await eventually(async () => (await failures())["healed"]?.healthy === true);
  }
  expect([await holders(), granted]).toEqual([[], []]);
  expect(said).toEqual(["no slot is granted while the wish cannot be read"]);
  await site.zk.set(enabledPath("web"), wish);
  await eventually(async () => (await holders()).length === 2);
  expect(said).toHaveLength(1);
});

test("a slot that cannot be read counts as taken while its host may be at work, and is taken away when it rests", async () => {
  const said: string[] = [];
  const isSaid = (level: string, word: string): boolean =>
    said.some((each) => each.startsWith(level) && each.includes(word));
  for (const host of ["busy", "away"]) {
    await site.host(host, "fleet", { step: "restart", begun: true, build: "v3" });
    await site.zk.create(slotPath("web", host), "{");
  }
  await site.zk.delete(agentPath("away"));
  await site.zk.create(slotPath("web", "forgotten"), "{");
  const hosts = await startHosts(3);
  await site.deploy("d1", "v1");
  const isReady = async ({ name }: FakeHost) => (await saidBy(site.zk, name))?.step === "ready";
  await eventually(async () => (await Promise.all(hosts.map(isReady))).every(Boolean));
  conduct((level, message, facts) => said.push(`${level} ${message} ${JSON.stringify(facts)}`));
  // A change in each of several rounds.
  for (const attempt of [1, 2, 3]) {
    const told = { deploy: "d1", attempt, build: "v3", reason: "", again: 0, healthy: true, since: NOW.toISOString() };
    await site.host(`told-${attempt}`, "fleet", { step: "failed", failure: told });
    await eventually(async () => Object.keys(await failures()).length === attempt);
  }
  expect([await holders(), outage.most]).toEqual([[], 0]);
  // The one of a host that is not of the service holds nobody up.
  const unreadable = async () => [...(await site.gate()).gate.unreadable.slots];
  expect(await unreadable()).toEqual(["away", "busy"]);
  for (const host of ["away", "busy"]) expect(isSaid("warn", slotPath("web", host))).toBe(true);

  await site.zk.set(statusPath("web", "busy"), encode(statusOf({ step: "idle" })));
  await eventually(() => hosts.every(({ build }) => build === "v1"));
  expect(outage.most).toBe(1);
  expect(await unreadable()).toEqual(["away"]);
  // It may be one of this deploy's, so that is not over, until a person says so.
  for (const host of ["busy", "told-1", "told-2", "told-3"]) await site.zk.delete(agentPath(host));
  await eventually(async () => (await holders()).length === 0);
  expect(await stateOf("d1")).toBe("rolling");
  await site.zk.delete(slotPath("web", "away"));
  await eventually(async () => (await stateOf("d1")) === "done");
  expect(isSaid("info", "every record of the service can be read again")).toBe(true);
  // Once for each time that it was other records.
  expect(said.filter((each) => each.startsWith("warn")).length).toBeLessThanOrEqual(3);
});

test("a failure counts from the moment at which its host tells it, and takes capacity until that is back", async () => {
  const wish = { build: "v2", deploy: "d2" };
  await site.deploy("d1", "v1");
  await site.state("d1", "done");
  await site.deploy("d2", "v2");
  await site.state("d2", "rolling");
  for (const host of ["a", "b", "c"]) await site.host(host, "fleet", { wish, build: "v1", health: "healthy" });
  conduct();
  await eventually(async () => (await holders()).length === 2);
  for (const host of ["a", "b"]) {
    const told = { ...wish, attempt: 1, reason: "bad", again: 0, healthy: false, since: NOW.toISOString() };
    const back = statusOf({ wish, step: "restart", begun: true, rollingBack: true, build: "v2", failure: told });
    await site.zk.set(statusPath("web", host), encode(back));
    await eventually(async () => (await failures())[host] !== undefined);
    // One is within the budget. Its capacity is not free: the third host has to wait.
    expect(await holders()).toEqual(host === "a" ? ["b"] : []);
    expect(await stateOf("d2")).toBe(host === "a" ? "rolling" : "halted");
  }
  for (const host of ["a", "b"]) {
    const told = { ...wish, attempt: 1, reason: "bad", again: 0, healthy: true, since: NOW.toISOString() };
    const failed = statusOf({ wish, step: "failed", build: "v1", health: "healthy", failure: told });
    await site.zk.set(statusPath("web", host), encode(failed));
  }
  await eventually(async () => Object.values(await failures()).every(({ healthy }) => healthy));
  expect(await stateOf("d2")).toBe("halted");
});

test("a host that says something new all the time holds up nobody but itself", async () => {
  const wish = { build: "v1", deploy: "d1" };
  await site.deploy("d1", "v1");
  await site.host("noisy", "fleet", { wish });
  const over = new AbortController();
  const talking = (async () => {
    for (let said = 0; !over.signal.aborted; said += 1)
      await site.zk.set(statusPath("web", "noisy"), encode(statusOf({ wish, warning: `${said}` })));
  })();
  conduct();
  const hosts = await startHosts(5);
  await eventually(() => hosts.every(({ build }) => build === "v1"), 15_000);
  over.abort();
  await talking;
  expect(outage.most).toBeLessThanOrEqual(2);
}, 20_000);

test("only an ephemeral node is a living agent: a host with another is not asked, and is when its agent comes", async () => {
  conduct();
  await registerHost(site.zk, "web", "ghost");
  await site.zk.create(agentPath("ghost"), "{}");
  const ready = statusOf({ step: "ready", wish: { build: "v1", deploy: "d1" }, attempt: 1 });
  await site.zk.create(statusPath("web", "ghost"), encode(ready));
  const hosts = await startHosts(2);
  await site.deploy("d1", "v1");
  await eventually(async () => {
    const { slots, failed } = (await site.gate()).gate;
    expect([slots.get("ghost"), failed.get("ghost")]).toEqual([undefined, undefined]);
    return hosts.every(({ build }) => build === "v1") && slots.size === 0;
  });
  // And one that was not there when the conductor began.
  await registerHost(site.zk, "web", "late");
  await site.zk.create(statusPath("web", "late"), encode(ready));
  await site.zk.create(agentPath("late"), "{}");
  for (let round = 0; round < 20; round++) {
    await site.zk.set(statusPath("web", "late"), encode(ready));
    await Bun.sleep(20);
    expect(await holders()).toEqual([]);
  }
  await site.zk.delete(agentPath("ghost"));
  await site.zk.create(agentPath("ghost"), "{}", { mode: "ephemeral" });
  await eventually(async () => (await holders()).includes("ghost"));
});

test("a service that was taken out of a host's agent.toml holds no deploy up", async () => {
  conduct();
  await registerHost(site.zk, "web", "former");
  const record = { version: "0", bootId: "b", statusAddress: null, pid: 1, since: NOW.toISOString() };
  await site.zk.create(agentPath("former"), encode({ ...record, services: ["api"] }), { mode: "ephemeral" });
  await site.zk.create(
    statusPath("web", "former"),
    encode(statusOf({ step: "ready", wish: { build: "v1", deploy: "d1" }, attempt: 1 })),
  );
  const hosts = await startHosts(2);
  await site.deploy("d1", "v1");
  await eventually(async () => (await stateOf("d1")) === "done");
  expect(hosts.every(({ build }) => build === "v1")).toBe(true);
  expect(await holders()).toEqual([]);
  // And when the file names it again.
  await site.zk.set(agentPath("former"), encode({ ...record, services: ["api", "web"] }));
  await eventually(async () => (await holders()).includes("former"));
});

test("a wish by hand that nobody can follow is told once for each reason, and not with each try", async () => {
  const told: string[] = [];
  await startHosts(1);
  conduct((level, message, facts) => {
    if (message.includes("written by hand")) told.push(`${level}: ${message}: ${JSON.stringify(facts)}`);
  });
  await site.zk.set(enabledPath("web"), "v8");
  await eventually(() => told.length === 1);
  // A change in the service has the conductor try again at once.
  for (let round = 0; round < 20; round += 1) {
    await site.zk.set(statusPath("web", "h0"), encode(statusOf({ attempt: round })));
    await Bun.sleep(60);
  }
  await site.zk.set(enabledPath("web"), "v9");
  await eventually(() => told.length > 1);
  expect(told).toEqual([expect.stringMatching(/no build .*v8/), expect.stringMatching(/no build .*v9/)]);
  await site.zk.set(enabledPath("web"), "v1");
  await eventually(() => told.some((each) => each.startsWith("info: can follow the wish")));
});

test("a status that asks with a number that its host never reaches leaves no slot behind", async () => {
  conduct();
  const hosts = await startHosts(2);
  await site.deploy("d1", "v1");
  await eventually(async () => (await stateOf("d1")) === "done");
  const forged = statusOf({ step: "ready", wish: { build: "v1", deploy: "d1" }, attempt: 1e9 });
  await site.zk.set(statusPath("web", "h0"), encode(forged));
  await eventually(async () => (await holders()).includes("h0"));
  await setService(site.zk, "web", { max: 1 });
  await site.deploy("d2", "v2");
  await eventually(async () => (await stateOf("d2")) === "done");
  expect(hosts.map(({ build }) => build)).toEqual(["v2", "v2"]);
  await eventually(async () => (await holders()).length === 0);
});

test("a service that is removed under it, and made again, is conducted as any other", async () => {
  const told: string[] = [];
  conduct((level, message) => told.push(`${level}: ${message}`));
  await site.host("old");
  await site.deploy("d1", "v1");
  await site.state("d1", "done");
  await site.zk.delete(agentPath("old"));
  await forgetHost(site.zk, "web", "old");
  await removeService(site.zk, "web");
  expect((await site.zk.children(servicesPath)).children).toEqual([]);
  await setService(site.zk, "web", { max: 2, soakMs: 0 });
  const record = {
    url: "file:///v2.tar.gz",
    digest: `sha256:${"0".repeat(64)}` as const,
    size: 1,
    time: NOW.toISOString(),
  };
  await addBuild(site.zk, "web", "v2", record);
  const hosts = await startHosts(3);
  await site.deploy("d2", "v2");
  await eventually(async () => (await stateOf("d2")) === "done");
  expect(hosts.map(({ build }) => build)).toEqual(["v2", "v2", "v2"]);
  expect(told.filter((line) => !line.startsWith("info: "))).toEqual([]);
});

describe("a node that somebody deleted while hosts wait", () => {
  /** Of a conductor that is in no hurry: each of its rounds is told, and takes some ten requests. */
  const MOST = { lines: 12, packets: 150 };

  /** Two conductors' ticks, so that one that goes round and round is seen. */
  const TICKS_MS = 4_500;

  async function deleted(...paths: string[]): Promise<string[]> {
    const log: string[] = [];
    await site.deploy("d1", "v1");
    await site.state("d1", "done");
    await site.deploy("d2", "v2");
    for (const path of paths) await site.zk.delete(path);
    await startHosts(3);
    const before = packets;
    conduct((_level, message) => log.push(message));
    await Bun.sleep(TICKS_MS);
    expect(log.length).toBeLessThanOrEqual(MOST.lines);
    expect(packets - before).toBeLessThanOrEqual(MOST.packets);
    return log;
  }

  const newest = async (): Promise<string> => {
    const { latest } = await readHead(site.zk, "web");
    return `${latest?.record.build ?? ""} ${latest?.record.state ?? ""}`;
  };

  test("a deploy's record: the wish is made a deploy again", async () => {
    await deleted(deployPath("web", "d2"));
    await eventually(async () => (await newest()) === "v2 done");
  });

  // Who is out of service stands in the hosts' statuses as well, so a gate that is made again lets nobody out too early.
  for (const [what, path] of [
    ["the count", gatePath("web")],
    ["the slots", slotsPath("web")],
    ["the failures", failuresPath("web")],
  ] as const) {
    test(`${what} of the gate: it is told, the gate is made again, and the deploy goes on`, async () => {
      const log = await deleted(path);
      expect(log[0]).toBe("the gate of the service is made again: a node of it was missing");
      expect((await readOverview(site.zk, "web")).problems).toEqual([]);
      await eventually(async () => (await newest()) === "v2 done");
    });
  }
});

describe("slots that somebody deletes", () => {
  test("are noticed: who still asks is granted another", async () => {
    await site.host("a", "fleet", { wish: { build: "v1", deploy: "d1" } });
    await site.deploy("d1", "v1");
    conduct();
    await eventually(async () => (await holders()).length === 1);
    const first = (await site.zk.exists(slotPath("web", "a")))?.czxid;
    await site.zk.delete(slotPath("web", "a"));
    const another = async () => (await site.zk.exists(slotPath("web", "a")))?.czxid ?? first;
    await eventually(async () => (await another()) !== first);
  });

  test("free nobody's place while their hosts say that they have begun", async () => {
    const wish = { build: "v1", deploy: "d1" };
    await site.deploy("d1", "v1");
    await site.state("d1", "rolling");
    for (const host of ["a", "b"]) await site.host(host, "fleet", { wish, begun: true, step: "restart", build: "v3" });
    for (const host of ["c", "d"]) await site.host(host, "fleet", { wish, build: "v3", health: "healthy" });
    const moves: string[] = [];
    await Promise.all(["a", "b"].map((host) => site.zk.create(slotPath("web", host), encode(slotOf()))));
    conduct((_level, message, facts) => moves.push(`${message} ${JSON.stringify(facts)}`));
    await site.zk.multi(["a", "b"].map((host) => op.delete(slotPath("web", host))));
    // The conductor has heard of it when it counts what is said after it.
    const failure = {
      deploy: "d1",
      attempt: 1,
      build: "v1",
      reason: "",
      again: 0,
      healthy: true,
      since: NOW.toISOString(),
    };
    await site.host("e", "fleet", { wish, step: "failed", failure });
    await eventually(async () => (await failures())["e"] !== undefined);
    expect(await holders()).toEqual([]);
    expect(moves.filter((each) => each.includes("grant"))).toEqual([]);
    const serving = statusOf({ wish, step: "serving", build: "v1", health: "healthy" });
    await site.zk.set(statusPath("web", "b"), encode(serving));
    await eventually(async () => (await holders()).length === 1);
  });
});

test("a thousand hosts that serve at once are all released, with hardly a try in vain", async () => {
  const MOST_TRIES = 1.1;
  const hosts = Array.from({ length: 1_000 }, (_, at) => `h${at}`);
  const wish = { build: "v1", deploy: "d1" };
  await site.deploy("d1", "v1");
  await site.state("d1", "rolling");
  await Promise.all(
    hosts.map((host) => site.host(host, "fleet", { wish, begun: true, step: "soak", build: "v1", health: "healthy" })),
  );
  await Promise.all(hosts.map((host) => site.zk.create(slotPath("web", host), encode(slotOf()))));
  const { client } = conduct();
  let tries = 0;
  const multi = client.multi.bind(client);
  client.multi = async (ops, options) => {
    tries += ops.filter(({ type, path }) => type === "delete" && path.startsWith(slotsPath("web"))).length;
    return multi(ops, options);
  };
  const serving = encode(statusOf({ wish, step: "serving", build: "v1", health: "healthy" }));
  const [first = "", ...others] = hosts;
  await site.zk.set(statusPath("web", first), serving);
  await eventually(async () => (await holders()).length < hosts.length);
  // Not all at one moment: while the conductor goes by what one has said, the next one says it.
  for (const host of others) {
    void site.zk.set(statusPath("web", host), serving);
    if (Number(host.slice(1)) % 10 === 0) await site.zk.exists("/");
  }
  await eventually(async () => (await stateOf("d1")) === "done");
  expect(await holders()).toEqual([]);
  expect(tries).toBeGreaterThanOrEqual(hosts.length);
  expect(tries / hosts.length).toBeLessThanOrEqual(MOST_TRIES);
});
