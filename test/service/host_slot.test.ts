import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { SPEAKS } from "../../src/core/format.ts";
import { halted, turnedRound } from "../../src/core/deploy.ts";
import type { DeployRecord } from "../../src/schema/deploy_record.ts";
import { hostStatusSchema, type HostStatus, type Slot } from "../../src/schema/znodes.ts";
import { HostSlot } from "../../src/service/host_slot.ts";
import { TreeFormat, type FormatGate } from "../../src/store/format.ts";
import { deployPath, deploysPath, slotPath, slotsPath, statusesPath, statusPath } from "../../src/store/paths.ts";
import { StatusPublisher } from "../../src/store/publish.ts";
import { encode, ensurePath, readRecord } from "../../src/store/records.ts";
import { systemClock, type Clock } from "../../src/support/clock.ts";
import { ZooKeeper } from "../../src/zookeeper/client.ts";
import { startDevServer, type DevServer } from "../../src/zookeeper/server/dev_server.ts";
import { Session } from "../../src/zookeeper/session.ts";
import { recordIn } from "../harness/deploy_records.ts";
import { eventually } from "../harness/eventually.ts";
import { knownFormat } from "../harness/format.ts";
import { hostStatus } from "../harness/host_status.ts";
import { rejection } from "../harness/rejection.ts";

const since = "2026-01-01T00:00:00.000Z";
const now = new Date(since);
const never = new AbortController().signal;
const by = { who: "ana", why: "", now };

const ready = hostStatus({ wish: { build: "v2", deploy: "d1" }, step: "ready" });
const begun: HostStatus = { ...ready, step: "begun", begun: true };
const slot: Slot = { deploy: "d1", attempt: 1, build: "v2", since, record: 0 };

let stack: AsyncDisposableStack;
let server: DevServer;
/** Everybody else: the conductor and people. */
let zk: ZooKeeper;

beforeEach(async () => {
  stack = new AsyncDisposableStack();
  server = stack.adopt(await startDevServer({ clock: systemClock, tickMs: 50 }), (each) => each.close());
  zk = stack.adopt(new ZooKeeper({ clock: systemClock, servers: server.connectString }), (each) => each.close());
  await zk.set("/", encode({ format: SPEAKS }));
  for (const path of [deploysPath("web"), slotsPath("web"), statusesPath("web")]) await ensurePath(zk, path);
  await zk.create(deployPath("web", "d1"), encode(recordIn("rolling")));
  await zk.create(statusPath("web", "a"), encode(ready));
  await zk.create(slotPath("web", "a"), encode(slot));
});
afterEach(() => stack.disposeAsync());

interface AgentOptions {
  readonly format?: FormatGate;
  readonly clock?: Clock;
  readonly sessionTimeoutMs?: number;
  /** What somebody else does between what the host has read and each `multi` that it sends. */
  readonly meanwhile?: () => Promise<unknown>;
}

/** The agent's side. Its publisher runs. */
function agent({ format = knownFormat, clock = systemClock, sessionTimeoutMs = 5_000, meanwhile }: AgentOptions = {}) {
  const whole = stack.use(new Session({ clock: systemClock, servers: server.connectString, sessionTimeoutMs }));
  const session = meanwhile === undefined ? whole : overtaken(whole, meanwhile);
  const publisher = new StatusPublisher(session, "web", "a", format, systemClock);
  const stop = new AbortController();
  const running = publisher.run(stop.signal);
  stack.defer(async () => {
    stop.abort();
    await running;
  });
  return { session, publisher, host: new HostSlot(session, "web", "a", publisher, format, clock) };
}

/** The session, each `multi` of which comes a moment too late. */
function overtaken(session: Session, meanwhile: () => Promise<unknown>): Session {
  const { client } = session;
  const late = new Proxy(client, {
    get: (target, name) => {
      if (name === "multi") {
        return async (...given: Parameters<ZooKeeper["multi"]>) => {
          await meanwhile();
          return target.multi(...given);
        };
      }
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
  return new Proxy(session, {
    get: (target, name) => {
      const member: unknown = name === "client" ? late : Reflect.get(target, name, target);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
}

async function connected(options: AgentOptions = {}) {
  const made = agent(options);
  await eventually(() => made.session.state.kind === "connected");
  return made;
}

/** What the host's status says, and how often it was written. */
async function said() {
  const found = await readRecord(zk, statusPath("web", "a"), hostStatusSchema);
  if (found === null) throw new Error("there is no status");
  return { status: found.value, writes: found.version };
}

async function change(to: (record: DeployRecord) => DeployRecord): Promise<void> {
  await zk.set(deployPath("web", "d1"), encode(to(recordIn("rolling"))));
}

describe("a slot is granted", () => {
  test("to the attempt and the deploy that it names, and to no other", async () => {
    const { host } = await connected();
    expect(await host.granted("d1", 1, () => {}, never)).toEqual(slot);
    expect(await host.granted("d1", 2, () => {}, never)).toBeNull();
    expect(await host.granted("d2", 1, () => {}, never)).toBeNull();
  });

  test("when it comes, which is told, and no more when it is taken back", async () => {
    await zk.delete(slotPath("web", "a"));
    const { host } = await connected();
    let told = 0;
    const granted = () => host.granted("d1", 1, () => (told += 1), never);
    expect(await granted()).toBeNull();
    expect(told).toBe(0);
    await zk.create(slotPath("web", "a"), encode(slot));
    await eventually(() => told > 0);
    expect(await granted()).toEqual(slot);
    told = 0;
    await zk.delete(slotPath("web", "a"));
    await eventually(() => told > 0);
    expect(await granted()).toBeNull();
  });

  test("to nobody where it cannot be read, or is empty", async () => {
    const { host } = await connected();
    for (const text of ["{", "", '{"deploy":"d1"}']) {
      await zk.set(slotPath("web", "a"), text);
      await eventually(async () => (await host.granted("d1", 1, () => {}, never)) === null);
    }
  });

  test("to nobody while there is no session", async () => {
    server.faults.refuse = true;
    const { host } = agent();
    expect(await host.granted("d1", 1, () => {}, never)).toBeNull();
  });

  test("to nobody in a tree that is not understood, and again when it is", async () => {
    const session = stack.use(new Session({ clock: systemClock, servers: server.connectString }));
    const format = stack.use(new TreeFormat(session, "0", systemClock, () => {}));
    await format.known(never);
    const { host } = await connected({ format });
    expect(await host.granted("d1", 1, () => {}, never)).toEqual(slot);
    await zk.set("/", encode({ format: 99 }));
    await eventually(() => format.problem !== null);
    expect(await host.granted("d1", 1, () => {}, never)).toBeNull();
    await zk.set("/", encode({ format: SPEAKS }));
    await eventually(() => format.isKnown);
    expect(await host.granted("d1", 1, () => {}, never)).toEqual(slot);
  });
});

describe("a host begins", () => {
  test("in ZooKeeper first, with one write, and then in its journal", async () => {
    const { host } = await connected();
    const order: string[] = [];
    const journal = async (): Promise<void> => {
      const { status, writes } = await said();
      order.push(`journal, after ${writes} write: ${status.step}`);
    };
    expect(await host.begin(slot, begun, journal, never)).toBe(true);
    expect(order).toEqual(["journal, after 1 write: begun"]);
    expect((await said()).status).toEqual(begun);
  });

  test("and what it had to say before is not written after it", async () => {
    const { host, publisher } = await connected();
    publisher.publish({ ...ready, log: "older" });
    const isBegun = await host.begin(
      slot,
      begun,
      async () => {
        // The journal takes its time.
        publisher.publish(begun);
        await zk.sync("/");
      },
      never,
    );
    expect(isBegun).toBe(true);
    publisher.publish({ ...begun, step: "soak" });
    await eventually(async () => (await said()).status.step === "soak");
    const { writes } = await said();
    // The older word may have come before it; nothing came between.
    expect(writes).toBeLessThanOrEqual(3);
  });

  test("under a record that was changed and still allows it", async () => {
    const { host } = await connected();
    await change((record) => ({ ...record, why: "once" }));
    await change((record) => ({ ...record, why: "twice" }));
    expect(await host.begin(slot, begun, async () => {}, never)).toBe(true);
    expect((await said()).status).toEqual(begun);
  });

  test("under the record that the conductor has made of it since, whose version the slot names", async () => {
    const { host } = await connected();
    await change((record) => ({ ...record, why: "activating" }));
    expect(await host.begin({ ...slot, record: 1 }, begun, async () => {}, never)).toBe(true);
  });

  test("under a deploy that is done, as one does that comes back late", async () => {
    const { host } = await connected();
    await change(() => recordIn("done"));
    expect(await host.begin(slot, begun, async () => {}, never)).toBe(true);
  });

  test("with a status that fits, however much it has to say", async () => {
    const { host } = await connected();
    expect(await host.begin(slot, { ...begun, log: "x".repeat(20_000) }, async () => {}, never)).toBe(true);
    const { status } = await said();
    expect(Buffer.byteLength(JSON.stringify(status))).toBeLessThanOrEqual(4_000);
    expect(status).toMatchObject({ step: "begun", begun: true });
  });
});

describe("a host does not begin", () => {
  test.each<[string, () => Promise<unknown>]>([
    ["whose slot was taken back", () => zk.delete(slotPath("web", "a"))],
    ["whose deploy was halted", () => change((record) => halted(record, "b: it fails", now))],
    ["whose deploy was aborted", () => change(() => recordIn("aborted", { reason: "" }))],
    ["whose deploy was turned round", () => change((record) => turnedRound(record, by))],
    ["whose deploy is gone", () => zk.delete(deployPath("web", "d1"))],
    ["whose status is gone, so that nobody would see it", () => zk.delete(statusPath("web", "a"))],
  ])("%s", async (_what, happens) => {
    const { host } = await connected();
    // What it saw before is no leave.
    expect(await host.granted("d1", 1, () => {}, never)).toEqual(slot);
    await happens();
    let isJournalled = false;
    const journal = async (): Promise<void> => void (isJournalled = true);
    expect(await host.begin(slot, begun, journal, never)).toBe(false);
    expect(isJournalled).toBe(false);
    const found = await readRecord(zk, statusPath("web", "a"), hostStatusSchema);
    expect(found?.value ?? ready).toEqual(ready);
  });

  test("under a record that is changed whenever it has just been read, and tries that a few times", async () => {
    let changes = 0;
    const meanwhile = () => change((record) => ({ ...record, why: `change ${(changes += 1)}` }));
    const { host } = await connected({ meanwhile });
    expect(await host.begin(slot, begun, async () => {}, never)).toBe(false);
    expect(changes).toBe(5);
    expect((await said()).status).toEqual(ready);
  });

  test.each<[string, () => Promise<unknown>]>([
    ["its slot is taken back", () => zk.delete(slotPath("web", "a"))],
    ["its deploy is halted", () => change((record) => halted(record, "b: it fails", now))],
  ])("where %s in the last moment", async (_what, happens) => {
    const { host } = await connected({ meanwhile: happens });
    await change((record) => ({ ...record, why: "once" }));
    const current = { ...slot, record: 1 };
    expect(await host.begin(current, begun, async () => {}, never)).toBe(false);
    expect((await said()).status).toEqual(ready);
  });

  test("by a slot by which it could not, for five seconds: whoever conducts takes it back meanwhile", async () => {
    let nowMs = 1_000;
    const clock: Clock = { ...systemClock, monotonicMs: () => nowMs };
    const { host } = await connected({ clock });
    const granted = () => host.granted("d1", 1, () => {}, never);
    await change((record) => halted(record, "b: it fails", now));
    expect(await granted()).toEqual(slot);
    expect(await host.begin(slot, begun, async () => {}, never)).toBe(false);
    expect(await granted()).toBeNull();
    nowMs += 4_999;
    expect(await granted()).toBeNull();
    nowMs += 1;
    expect(await granted()).toEqual(slot);
  });

  test("where the answer is lost, and says again what is so", async () => {
    const { host, publisher } = await connected({ sessionTimeoutMs: 1_500 });
    publisher.publish({ ...ready, log: "as it is" });
    await eventually(async () => (await said()).status.log === "as it is");
    let isJournalled = false;
    const journal = async (): Promise<void> => void (isJournalled = true);
    server.faults.dropReplies = true;
    const beginning = rejection(host.begin(slot, begun, journal, never));
    expect(await beginning).toMatchObject({ code: "CONNECTION_LOSS" });
    server.faults.dropReplies = false;
    expect(isJournalled).toBe(false);
    // It was carried out, for all that this host knows: nobody may go on thinking so.
    const last = await eventually(async () => {
      const found = await said();
      return found.writes > 2 && found;
    });
    expect(last.status).toMatchObject({ step: "ready", begun: false, log: "as it is" });
  });

  test("where its journal cannot be written, and says again what is so", async () => {
    const { host, publisher } = await connected();
    publisher.publish({ ...ready, log: "as it is" });
    await eventually(async () => (await said()).status.log === "as it is");
    const full = (): Promise<never> => Promise.reject(new Error("no space"));
    expect(await rejection(host.begin(slot, begun, full, never))).toMatchObject({ message: "no space" });
    expect((await said()).status).toEqual(begun);
    publisher.publish({ ...ready, log: "as it is" });
    await eventually(async () => (await said()).status.log === "as it is");
    expect((await said()).status.begun).toBe(false);
  });
});
