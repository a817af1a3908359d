import { afterEach, beforeEach, expect, test } from "bun:test";
import { SPEAKS } from "../../src/core/format.ts";
import { Candidacy } from "../../src/conductor/candidacy.ts";
import { announce, type PresenceRecord } from "../../src/agent/presence.ts";
import { TreeFormat, type FormatGate } from "../../src/store/format.ts";
import { agentPath, agentsPath, conductorPath } from "../../src/store/paths.ts";
import { encode, ensurePath } from "../../src/store/records.ts";
import { systemClock } from "../../src/support/clock.ts";
import { op, ZooKeeper } from "../../src/zookeeper/client.ts";
import { startDevServer, type DevServer } from "../../src/zookeeper/server/dev_server.ts";
import { Session } from "../../src/zookeeper/session.ts";
import { eventually } from "../harness/eventually.ts";
import { knownFormat } from "../harness/format.ts";
import { startProxy } from "../harness/proxy.ts";

let server: DevServer;
let observer: ZooKeeper;
let stack: AsyncDisposableStack;

beforeEach(async () => {
  server = await startDevServer({ clock: systemClock, tickMs: 50 });
  observer = new ZooKeeper({ clock: systemClock, servers: server.connectString });
  stack = new AsyncDisposableStack();
});
afterEach(async () => {
  await stack.disposeAsync();
  await observer.close();
  await server.close();
});

function stand(
  host: string,
  servers = server.connectString,
  { session, format }: { session: Session; format: FormatGate } = {
    session: stack.use(new Session({ clock: systemClock, servers })),
    format: knownFormat,
  },
) {
  const stop = new AbortController();
  const problems: unknown[] = [];
  const candidate = { host, session, elected: false, changes: [] as boolean[], stop, problems };
  const running = new Candidacy(session, host, format, systemClock).run(
    (elected) => {
      candidate.elected = elected;
      candidate.changes.push(elected);
    },
    (error) => problems.push(error),
    stop.signal,
  );
  stack.defer(async () => {
    stop.abort();
    await running;
  });
  return candidate;
}

async function candidates(): Promise<string[]> {
  return (await observer.children(conductorPath)).children.toSorted();
}

test("of many agents one conducts and a handful stand by", async () => {
  const all = Array.from({ length: 9 }, (_, index) => stand(`h${index}`));
  await eventually(async () => (await candidates()).length === 5 && all.filter(({ elected }) => elected).length === 1);
});

test("when the conductor's session ends the next one takes over", async () => {
  const first = stand("a");
  await eventually(() => first.elected);
  const second = stand("b");
  await eventually(async () => (await candidates()).length === 2);
  expect(second.elected).toBe(false);
  server.expire(first.session.client.sessionId);
  await eventually(() => second.elected);
  // The first stands again, behind the second, and knows that it conducts no more.
  await eventually(() => !first.elected && first.session.epoch === 2);
  await eventually(async () => (await candidates()).length === 2);
  expect(first.changes).toEqual([true, false]);
});

test("an agent that ends hands over", async () => {
  const first = stand("a");
  await eventually(() => first.elected);
  const second = stand("b");
  await eventually(async () => (await candidates()).length === 2);
  first.stop.abort();
  await first.session.close();
  await eventually(() => second.elected);
  expect(first.elected).toBe(false);
});

test("a candidate whose creation was answered by a lost connection does not stand behind itself", async () => {
  const proxy = stack.use(await startProxy(server.port));
  let created = false;
  server.faults.failOperation = ({ path }) => {
    // Carried out, and the answer dropped.
    if (!created && path?.startsWith(`${conductorPath}/candidate-`) === true) {
      created = true;
      server.faults.dropReplies = true;
    }
    return undefined;
  };
  const agent = stand("a", proxy.connectString);
  await eventually(() => created);
  server.faults.failOperation = undefined;
  proxy.cut();
  server.faults.dropReplies = false;
  await eventually(() => agent.elected);
  expect(await candidates()).toHaveLength(1);
});

test("whoever does not understand the tree gives its place up, and stands again when it does", async () => {
  const session = stack.use(new Session({ clock: systemClock, servers: server.connectString }));
  const format = stack.use(new TreeFormat(session, "0", systemClock, () => {}));
  const first = stand("a", server.connectString, { session, format });
  await eventually(() => first.elected);
  const second = stand("b");
  await eventually(async () => (await candidates()).length === 2);
  await observer.set("/", encode({ format: 99 }));
  await eventually(() => !first.elected && second.elected);
  await eventually(async () => (await candidates()).length === 1);
  await observer.set("/", encode({ format: SPEAKS }));
  await eventually(async () => (await candidates()).length === 2);
  expect(first.elected).toBe(false);
});

function presence(changes: Partial<PresenceRecord> = {}): PresenceRecord {
  return {
    version: "0",
    bootId: "this boot",
    statusAddress: null,
    pid: process.pid,
    since: "2026-01-01T00:00:00.000Z",
    speaks: SPEAKS,
    lock: "/srv/deployd/.agent.lock",
    ...changes,
  };
}

function arrive(
  record: PresenceRecord,
  { session, format }: { session: Session; format: FormatGate } = {
    session: stack.use(new Session({ clock: systemClock, servers: server.connectString })),
    format: knownFormat,
  },
) {
  const stop = new AbortController();
  stack.defer(() => stop.abort());
  const told = { waiting: [] as string[], ousted: [] as unknown[], done: false, session };
  void announce({
    session,
    format,
    host: "h",
    record,
    onWaiting: (problem) => told.waiting.push(problem),
    onOusted: (error) => told.ousted.push(error),
    clock: systemClock,
    signal: stop.signal,
  }).then(() => (told.done = true));
  return told;
}

async function owner(): Promise<bigint | undefined> {
  return (await observer.exists(agentPath("h")))?.ephemeralOwner;
}

test("an agent that does not understand the tree announces itself only when it does", async () => {
  await ensurePath(observer, agentsPath);
  await observer.set("/", encode({ format: 99 }));
  const session = stack.use(new Session({ clock: systemClock, servers: server.connectString }));
  const format = stack.use(new TreeFormat(session, "0", systemClock, () => {}));
  await eventually(() => format.problem !== null);
  const agent = arrive(presence(), { session, format });
  // An announcement takes fewer round trips than these.
  for (let trips = 0; trips < 10; trips++) await session.client.sync("/");
  const { mzxid } = await observer.set("/", "");
  await eventually(() => agent.done);
  expect((await observer.exists(agentPath("h")))?.czxid).toBeGreaterThan(mzxid);
});

test("the node that a killed agent of this machine left is taken over at once", async () => {
  await ensurePath(observer, agentsPath);
  await observer.create(agentPath("h"), encode(presence()), { mode: "ephemeral" });
  const agent = arrive(presence());
  await eventually(() => agent.done, 2_000);
  expect(await owner()).toBe(agent.session.client.sessionId);
  expect(agent.waiting).toEqual([""]);
});

test.each([
  ["another machine", { bootId: "another" }],
  ["another agent on this machine", { lock: "/elsewhere/.agent.lock" }],
])("the name that %s holds is waited for", async (_who, changes) => {
  await ensurePath(observer, agentsPath);
  const holder = new ZooKeeper({ clock: systemClock, servers: server.connectString });
  await holder.create(agentPath("h"), encode(presence(changes)), { mode: "ephemeral" });
  const agent = arrive(presence());
  await eventually(() => agent.waiting.length > 0);
  expect(agent.waiting[0]).toContain('Cannot be host "h"');
  expect(agent.done).toBe(false);
  await holder.close();
  await eventually(() => agent.done);
  expect(agent.waiting.at(-1)).toBe("");
  expect(agent.ousted).toEqual([]);
});

test("an agent whose name was taken while its session had expired is told", async () => {
  const agent = arrive(presence());
  await eventually(() => agent.done);
  const before = agent.session.client.sessionId;
  server.faults.refuse = true;
  server.expire(before);
  server.faults.refuse = false;
  // Whoever is first: the agent's own next session may be, so the node is made over and over until it is somebody else's.
  await eventually(async () => {
    const id = await owner();
    if (id !== undefined && id !== observer.sessionId) await observer.delete(agentPath("h")).catch(() => {});
    await observer.create(agentPath("h"), encode(presence({ bootId: "x" })), { mode: "ephemeral" }).catch(() => {});
    return (await owner()) === observer.sessionId;
  });
  await eventually(() => agent.ousted.length > 0);
});

test("a node of its name that is no agent's is taken away and told, before the agent comes and while it is there", async () => {
  await ensurePath(observer, agentsPath);
  await observer.create(agentPath("h"), encode(presence({ bootId: "an older one" })));
  const agent = arrive(presence());
  await eventually(() => agent.done);
  expect(await owner()).toBe(agent.session.client.sessionId);
  expect(agent.waiting[0]).toContain("is not ephemeral");
  expect(agent.waiting.at(-1)).toBe("");
  for (let round = 1; round <= 3; round++) {
    const { length } = agent.waiting;
    await observer.multi([op.delete(agentPath("h")), op.create(agentPath("h"), "by hand")]);
    await eventually(async () => (await owner()) === agent.session.client.sessionId);
    await eventually(() => agent.waiting.at(-1) === "");
    expect(agent.waiting.slice(length)[0]).toContain("is not ephemeral");
  }
  expect(agent.ousted).toEqual([]);
});

test("a node of its name that cannot be taken away is named for as long as it stands", async () => {
  await ensurePath(observer, agentsPath);
  await observer.create(agentPath("h"), "by hand");
  await observer.create(`${agentPath("h")}/child`);
  const agent = arrive(presence());
  await eventually(() => agent.waiting.some((problem) => problem.includes("NOT_EMPTY")));
  expect(agent.done).toBe(false);
  await observer.delete(`${agentPath("h")}/child`);
  await eventually(() => agent.done);
  expect([await owner(), agent.waiting.at(-1)]).toEqual([agent.session.client.sessionId, ""]);
});

test("an agent comes back into a tree that was emptied under it, and says what is missing until then", async () => {
  await ensurePath(observer, "/tree/agents");
  const servers = `${server.connectString}/tree`;
  const session = stack.use(new Session({ clock: systemClock, servers, onError: () => {} }));
  const agent = arrive(presence(), { session, format: knownFormat });
  await eventually(() => agent.done);
  const { sessionId } = session.client;
  server.expire(sessionId);
  await observer.multi([op.delete("/tree/agents"), op.delete("/tree")]).catch(async () => {
    await observer.delete("/tree/agents/h").catch(() => {});
    await observer.multi([op.delete("/tree/agents"), op.delete("/tree")]);
  });
  await eventually(() => agent.waiting.at(-1)?.includes("there is no tree") ?? false);
  await ensurePath(observer, "/tree");
  await eventually(async () => (await observer.exists("/tree/agents/h"))?.ephemeralOwner === session.client.sessionId);
  await eventually(() => agent.waiting.at(-1) === "");
  expect([session.epoch, agent.ousted]).toEqual([2, []]);
});
