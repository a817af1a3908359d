import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { Conductor, type ConductorOptions } from "../../src/conductor/conductor.ts";
import { FleetReport } from "../../src/conductor/fleet_report.ts";
import { Troubles } from "../../src/store/troubles.ts";
import { rollBack } from "../../src/store/roll_back.ts";
import { addBuild } from "../../src/store/builds.ts";
import { readHead } from "../../src/store/deploys.ts";
import { releaseSlot, reportFailure } from "../../src/store/gate.ts";
import { readGrant } from "../../src/store/grants.ts";
import {
  agentPath,
  agentsPath,
  deployPath,
  enabledPath,
  gatePath,
  grantsPath,
  servicesPath,
  statusPath,
} from "../../src/store/paths.ts";
import { encode, readRecord } from "../../src/store/records.ts";
import { forgetHost } from "../../src/store/host_care.ts";
import { removeService } from "../../src/store/remove_service.ts";
import { setService } from "../../src/store/services.ts";
import { registerHost, setRole } from "../../src/store/registry.ts";
import { readWish } from "../service/wish.ts";
import { hostStatusSchema, type HostStatus } from "../../src/schema/znodes.ts";
import { systemClock } from "../../src/support/clock.ts";
import { ZooKeeper } from "../../src/zookeeper/client.ts";
import { startDevServer, type DevServer } from "../../src/zookeeper/server/dev_server.ts";
import { tcpDial, type Dial } from "../../src/zookeeper/dial.ts";
import { Session } from "../../src/zookeeper/session.ts";
import { never, NOW, Site, statusOf, readOverview } from "../store/site.ts";
import { eventually } from "../harness/eventually.ts";

let server: DevServer;
let site: Site;
let stack: AsyncDisposableStack;
/** Hosts out of service at once, at the most. */
let most = 0;
const out = new Set<string>();

beforeEach(async () => {
  server = await startDevServer({ clock: systemClock, tickMs: 50 });
  site = await Site.open(server.connectString, "/tree", { max: 2, budget: 1, soakMs: 0 });
  stack = new AsyncDisposableStack();
  most = 0;
  out.clear();
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

function conduct(log: ConductorOptions["log"] = () => {}): Session {
  const session = stack.use(
    new Session({ clock: systemClock, servers: site.connectString, dial: counting(tcpDial(systemClock)) }),
  );
  const stop = new AbortController();
  const troubles = new Troubles(log);
  const report = new FleetReport(systemClock);
  const running = new Conductor({ clock: systemClock, session, sessionTimeoutMs: 200, log, troubles, report }).run(
    stop.signal,
  );
  stack.defer(async () => {
    stop.abort();
    await running;
  });
  return session;
}

/** A host that does what an agent does as far as ZooKeeper can see: it asks, waits for its grant, and gives it back. */
class FakeHost {
  readonly name: string;
  readonly #zk: ZooKeeper;
  readonly #bad: (build: string) => "good" | "bad" | "dies";
  build: string | null = null;
  #attempt = 0;
  #taken = "";
  #failed = "";
  #stopped = false;

  private constructor(name: string, zk: ZooKeeper, bad: (build: string) => "good" | "bad" | "dies") {
    this.name = name;
    this.#zk = zk;
    this.#bad = bad;
  }

  static async start(
    name: string,
    bad: (build: string) => "good" | "bad" | "dies" = () => "good",
    role: "fleet" | "canary" = "fleet",
  ): Promise<FakeHost> {
    const zk = stack.use(new ZooKeeper({ clock: systemClock, servers: site.connectString, sessionTimeoutMs: 2_000 }));
    const host = new FakeHost(name, zk, bad);
    await registerHost(zk, "web", name);
    if (role === "canary") await setRole(zk, "web", name, role);
    await zk.create(statusPath("web", name), encode(host.#status("idle")));
    const record = { version: "0", bootId: "b", statusAddress: null, pid: 1, since: NOW.toISOString() };
    await zk.create(agentPath(name), encode(record), { mode: "ephemeral" });
    const running = host.#run();
    stack.defer(async () => {
      host.#stopped = true;
      await running;
    });
    return host;
  }

  #status(step: HostStatus["step"], wish: HostStatus["wish"] = null): HostStatus {
    const health = this.build === null ? "nothing" : "healthy";
    return statusOf({ build: this.build, health, wish, step, attempt: this.#attempt });
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      await this.#round();
      await Bun.sleep(5);
    }
  }

  async #round(): Promise<void> {
    const wish = await readWish(this.#zk, "web", this.name);
    if (wish === null || this.#failed === `${wish.deploy}/${wish.build}`) return;
    const move = { service: "web", deploy: wish.deploy, host: this.name, signal: never };
    if (this.#taken !== `${wish.deploy}/${wish.build}`) {
      this.#taken = `${wish.deploy}/${wish.build}`;
      this.#attempt += 1;
      const step = this.build === wish.build ? "serving" : "ready";
      await this.#zk.set(statusPath("web", this.name), encode(this.#status(step, wish)));
    }
    if (this.build === wish.build) return;
    const grant = await readGrant(this.#zk, "web", wish.deploy, this.name, () => {});
    if (grant?.attempt !== this.#attempt) return;
    out.add(this.name);
    most = Math.max(most, out.size);
    // Long enough for a conductor that counts wrong to let another one out as well.
    await Bun.sleep(20);
    const fate = this.#bad(wish.build);
    if (fate === "dies") {
      this.#stopped = true;
      await this.#zk.close();
      return;
    }
    out.delete(this.name);
    if (fate === "good") {
      this.build = wish.build;
      await releaseSlot(this.#zk, move, this.#status("serving", wish));
      return;
    }
    this.#failed = this.#taken;
    const failure = { reason: "bad", build: wish.build, healthy: true, since: NOW.toISOString() };
    await reportFailure(this.#zk, move, failure, this.#status("failed", wish), NOW);
  }
}

async function startHosts(count: number, bad?: (build: string) => "good" | "bad" | "dies"): Promise<FakeHost[]> {
  return Promise.all(Array.from({ length: count }, (_, index) => FakeHost.start(`h${index}`, bad)));
}

async function stateOf(id: string): Promise<string> {
  return (await site.gate(id)).record.state;
}

test("a deploy to five hosts is done with no more of them out than the limit says", async () => {
  conduct();
  const hosts = await startHosts(5);
  await site.deploy("d1", "v1");
  await eventually(async () => (await stateOf("d1")) === "done");
  expect(hosts.every(({ build }) => build === "v1")).toBe(true);
  expect(most).toBeGreaterThan(0);
  expect(most).toBeLessThanOrEqual(2);
  expect((await site.gate("d1")).gate).toEqual({ slots: {}, failed: {} });
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
  expect(most).toBeLessThanOrEqual(2);
});

test("a build that fails halts beyond its budget, and the way back ends on what was there", async () => {
  conduct();
  const hosts = await startHosts(6, (build) => (build === "v2" ? "bad" : "good"));
  await site.deploy("d1", "v1");
  await eventually(async () => (await stateOf("d1")) === "done");
  await site.deploy("d2", "v2");
  await eventually(async () => (await stateOf("d2")) === "halted");
  expect(Object.keys((await site.gate("d2")).gate.failed).length).toBeLessThanOrEqual(3);
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
  const { gate } = await site.gate("d2");
  expect(out.size).toBeLessThanOrEqual(3);
  expect(Object.values(gate.failed).every(({ healthy }) => !healthy)).toBe(true);
  expect(hosts.filter(({ build }) => build === "v1")).toHaveLength(6);
}, 20_000);

test("canaries go first, and the fleet only once somebody says so", async () => {
  conduct();
  const canary = await FakeHost.start("c", undefined, "canary");
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
  const late = await FakeHost.start("late");
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
  expect(most).toBeLessThanOrEqual(2);
  expect((await site.zk.children(agentsPath)).children).toHaveLength(6);
});

test("while a gate cannot be read nobody is granted a slot, which is said once, and afterwards all goes on", async () => {
  await site.deploy("d1", "v1");
  await site.state("d1", "done");
  const gate = encode((await site.gate("d1")).gate);
  await site.zk.set(gatePath("web", "d1"), "{");
  await site.deploy("d2", "v2");
  const hosts = await startHosts(3);
  const waiting = async (host: string) => {
    const said = await readRecord(site.zk, statusPath("web", host), hostStatusSchema);
    return said?.value.step === "ready";
  };
  await eventually(async () => (await Promise.all(hosts.map(({ name }) => waiting(name)))).every(Boolean));
  await site.host("healed", "fleet", { step: "serving", health: "healthy", build: "v1" });
  const said: string[] = [];
  let grants = 0;
  conduct((level, message) => {
    if (level === "warn") said.push(message);
    if (message === "conductor: grant") grants += 1;
  });
  // In the round in which a host is healed slots would be granted; the second heal shows that the first round is over.
  for (const since of [NOW, new Date(NOW.getTime() + 1)].map((time) => time.toISOString())) {
    const failure = { reason: "", build: "v2", healthy: false, since };
    await site.zk.set(gatePath("web", "d2"), encode({ slots: {}, failed: { healed: failure } }));
    await eventually(async () => (await site.gate("d2")).gate.failed["healed"]?.healthy === true);
  }
  expect(hosts.every(({ build }) => build === null)).toBe(true);
  expect(grants).toBe(0);
  expect(said).toEqual([expect.stringMatching(/no slot is granted while deploy d1 cannot be read/)]);
  await site.zk.set(gatePath("web", "d1"), gate);
  await eventually(async () => (await stateOf("d2")) === "done");
  expect(hosts.every(({ build }) => build === "v2")).toBe(true);
  expect(said).toHaveLength(1);
});

test("only an ephemeral node is a living agent: a host with another is not asked, and is when its agent comes", async () => {
  conduct();
  await registerHost(site.zk, "web", "ghost");
  await site.zk.create(agentPath("ghost"), "{}");
  const ready = statusOf({ step: "ready", wish: { build: "v1", deploy: "d1" }, attempt: 1 });
  await site.zk.create(statusPath("web", "ghost"), encode(ready));
  const hosts = await startHosts(2);
  await site.deploy("d1", "v1");
  await eventually(async () => {
    const { slots, failed } = (await site.gate("d1")).gate;
    expect([slots["ghost"], failed["ghost"]]).toEqual([undefined, undefined]);
    return hosts.every(({ build }) => build === "v1") && Object.keys(slots).length === 0;
  });
  // And one that was not there when the conductor began.
  await registerHost(site.zk, "web", "late");
  await site.zk.create(statusPath("web", "late"), encode(ready));
  await site.zk.create(agentPath("late"), "{}");
  for (let round = 0; round < 20; round++) {
    await site.zk.set(statusPath("web", "late"), encode(ready));
    await Bun.sleep(20);
    expect(Object.keys((await site.gate("d1")).gate.slots)).toEqual([]);
  }
  await site.zk.delete(agentPath("ghost"));
  await site.zk.create(agentPath("ghost"), "{}", { mode: "ephemeral" });
  await eventually(async () => (await site.gate("d1")).gate.slots["ghost"] !== undefined);
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
  expect((await site.gate("d1")).gate.slots).toEqual({});
  // And when the file names it again.
  await site.zk.set(agentPath("former"), encode({ ...record, services: ["api", "web"] }));
  await eventually(async () => (await site.gate("d1")).gate.slots["former"] !== undefined);
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
  await eventually(async () => (await site.gate("d1")).gate.slots["h0"] !== undefined);
  await setService(site.zk, "web", { max: 1 });
  await site.deploy("d2", "v2");
  await eventually(async () => (await stateOf("d2")) === "done");
  expect(hosts.map(({ build }) => build)).toEqual(["v2", "v2"]);
  await eventually(async () => Object.keys((await site.gate("d1")).gate.slots).length === 0);
});

test("a service that is removed under it, and made again, is conducted as any other", async () => {
  const told: string[] = [];
  conduct((level, message) => told.push(`${level}: ${message}`));
  await site.host("old");
  await site.deploy("d1", "v1");
  await site.state("d1", "done");
  await site.zk.delete(agentPath("old"));
  await forgetHost(site.zk, "web", "old", systemClock);
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

  test("its grants are made again, and the deploy goes on", async () => {
    await deleted(grantsPath("web", "d2"));
    await eventually(async () => (await newest()) === "v2 done");
  });

  test("of a deploy with all that belongs to it the wish is made a deploy again", async () => {
    await deleted(gatePath("web", "d2"), grantsPath("web", "d2"), deployPath("web", "d2"));
    await eventually(async () => (await newest()) === "v2 done");
  });

  // Who is out of service because of a deploy stands in its gate alone, and a new one would say that nobody is. Slots that are
  // nodes of their own, held against the hosts' statuses, can be made again; until then a person decides, and `status` says so.
  for (const deploy of ["d1", "d2"]) {
    test.failing(`the gate of ${deploy === "d1" ? "an older deploy" : "the deploy"} is made again`, async () => {
      await deleted(gatePath("web", deploy));
      await eventually(async () => (await newest()) === "v2 done", 2_000);
    });

    test(`the gate of ${deploy === "d1" ? "an older deploy" : "the deploy"} is told, and a person who removes the rest has it go on`, async () => {
      const [said] = await deleted(gatePath("web", deploy));
      expect(said).toContain(`no slot is granted while deploy ${deploy} cannot be read`);
      const { problems } = await readOverview(site.zk, "web");
      expect(problems.join(" ")).toContain(gatePath("web", deploy));
      await site.zk.delete(grantsPath("web", deploy));
      await site.zk.delete(deployPath("web", deploy));
      await eventually(async () => (await newest()) === "v2 done");
    });
  }
});
