import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { SPEAKS } from "../../src/core/format.ts";
import { emptyJournal } from "../../src/schema/journal.ts";
import type { DeployError } from "../../src/core/errors.ts";
import { followWish } from "../../src/store/follow.ts";
import type { WishSnapshot } from "../../src/store/read_wish.ts";
import { assertFormat, TreeFormat } from "../../src/store/format.ts";
import { StatusPublisher } from "../../src/store/publish.ts";
import { agentPath, servicePath, servicesPath, statusPath } from "../../src/store/paths.ts";
import { encode, ensurePath, readRecord } from "../../src/store/records.ts";
import { setService } from "../../src/store/services.ts";
import { hostStatusSchema, treeRecordSchema } from "../../src/schema/znodes.ts";
import { systemClock } from "../../src/support/clock.ts";
import { startDevServer, type DevServer } from "../../src/zookeeper/server/dev_server.ts";
import { ZooKeeper } from "../../src/zookeeper/client.ts";
import { Session } from "../../src/zookeeper/session.ts";
import { eventually } from "../harness/eventually.ts";
import { rejection } from "../harness/rejection.ts";
import { servers } from "./servers.ts";
import { Site, statusOf } from "./site.ts";

const NEWER = SPEAKS + 1;

describe.each(servers)("with %s", (_name, start) => {
  let server: { connectString: string } & AsyncDisposable;
  let site: Site;
  let count = 0;

  beforeAll(async () => void (server = await start()));
  afterAll(() => server[Symbol.asyncDispose]());
  beforeEach(async () => void (site = await Site.open(server.connectString, `/format-${(count += 1)}`)));
  afterEach(() => site[Symbol.asyncDispose]());

  async function root(): Promise<unknown> {
    return (await readRecord(site.zk, "/", treeRecordSchema))?.value ?? null;
  }

  test("whoever makes the tree says which format it has, and nobody says it over", async () => {
    expect(await root()).toEqual({ format: SPEAKS });
    await site.zk.set("/", encode({ format: SPEAKS, from: "elsewhere" }));
    await setService(site.zk, "api", {});
    expect(await root()).toEqual({ format: SPEAKS, from: "elsewhere" });
  });

  test("a tree that says none and has services is an older one: it is refused, and nobody says it is another", async () => {
    await site.zk.set("/", "");
    const problem = await rejection(assertFormat(site.zk, "0.1.0"));
    expect(problem).toMatchObject({ code: "format-unknown", message: expect.stringContaining("format 1,") });
    await setService(site.zk, "api", {});
    expect(await root()).toBeNull();
  });

  test("a tree that says none and has no service is understood, and stamped before its first service is made", async () => {
    await site.zk.create("/fresh");
    await using zk = new ZooKeeper({ clock: systemClock, servers: `${site.connectString}/fresh` });
    await ensurePath(zk, servicesPath);
    await ensurePath(zk, agentPath("a"));
    await assertFormat(zk, "0.1.0");
    const before = await zk.exists("/");
    await setService(zk, "web", {});
    await assertFormat(zk, "0.1.0");
    expect((await readRecord(zk, "/", treeRecordSchema))?.value).toEqual({ format: SPEAKS });
    const [stamped, made] = [await zk.exists("/"), await zk.exists(servicePath("web"))];
    expect(stamped?.mzxid).toBeGreaterThan(before?.mzxid ?? 0n);
    expect(made?.czxid).toBeGreaterThan(stamped?.mzxid ?? 0n);
  });

  test("a tree that is not there yet is none that anybody could refuse", async () => {
    await using zk = new ZooKeeper({ clock: systemClock, servers: `${server.connectString}/nowhere` });
    await assertFormat(zk, "0.1.0");
  });

  test("a newer tree is refused, and so is an older one, and one whose format nobody can read", async () => {
    await site.zk.set("/", encode({ format: NEWER }));
    expect(await rejection(assertFormat(site.zk, "0.1.0"))).toMatchObject({ code: "format-unknown" });
    await site.zk.set("/", encode({ format: 1 }));
    expect(await rejection(assertFormat(site.zk, "0.1.0"))).toMatchObject({ code: "format-unknown" });
    await site.zk.set("/", "somebody else's");
    expect(await rejection(assertFormat(site.zk, "0.1.0"))).toMatchObject({ code: "zookeeper-data-invalid" });
  });
});

describe("an agent", () => {
  let server: DevServer;
  let site: Site;
  let session: Session;
  let format: TreeFormat;
  let told: (DeployError | null)[];

  beforeEach(async () => {
    server = await startDevServer({ clock: systemClock, tickMs: 50 });
    site = await Site.open(server.connectString, "/tree");
    session = new Session({ clock: systemClock, servers: site.connectString });
    told = [];
    format = new TreeFormat(session, "0.1.0", systemClock, (problem) => told.push(problem));
  });
  afterEach(async () => {
    await format[Symbol.asyncDispose]();
    await session.close();
    await site[Symbol.asyncDispose]();
    await server.close();
  });

  test("knows the format once it has read it, and hears when it changes", async () => {
    expect(format.isKnown).toBe(false);
    await format.known(new AbortController().signal);
    expect([format.isKnown, format.problem]).toEqual([true, null]);
    await site.zk.set("/", encode({ format: 7 }));
    await eventually(() => format.problem !== null);
    expect(format.isKnown).toBe(false);
    expect(format.problem?.explained).toMatch(/format 7.*deployd 0\.1\.0/);
    await site.zk.set("/", encode({ format: 8 }));
    await eventually(() => format.problem?.message.includes("format 8"));
    await site.zk.set("/", encode({ format: SPEAKS }));
    await format.known(new AbortController().signal);
    expect(told.map((problem) => problem?.code ?? null)).toEqual(["format-unknown", "format-unknown", null]);
  });

  test("understands a tree in which nothing is yet, and goes on by it once its first service is made", async () => {
    await site.zk.create("/fresh");
    await using zk = new ZooKeeper({ clock: systemClock, servers: `${site.connectString}/fresh` });
    const fresh = new Session({ clock: systemClock, servers: `${site.connectString}/fresh` });
    const problems: unknown[] = [];
    await using known = new TreeFormat(fresh, "0.1.0", systemClock, (problem) => problems.push(problem));
    await known.known(new AbortController().signal);
    let heard = 0;
    known.onChange(() => (heard += 1));
    await setService(zk, "web", {});
    await eventually(() => heard > 0);
    expect([known.isKnown, known.problem, ...problems]).toEqual([true, null]);
    await fresh.close();
  });

  test("leaves an older tree alone", async () => {
    await site.zk.set("/", encode({ format: 1 }));
    await eventually(() => format.problem !== null);
    expect(format.problem?.explained).toMatch(/format 1,.*none older than/);
    expect(format.isKnown).toBe(false);
  });

  test("takes a format that it cannot read for one that it does not know", async () => {
    await site.zk.set("/", "{");
    await eventually(() => format.problem?.code === "zookeeper-data-invalid");
    expect(format.isKnown).toBe(false);
  });

  test("reads the format anew in every session before it goes by it", async () => {
    await format.known(new AbortController().signal);
    const knownAtOnce: boolean[] = [];
    session.onEpoch(() => knownAtOnce.push(format.isKnown));
    server.expire(session.client.sessionId);
    await eventually(() => session.epoch === 2 && format.isKnown);
    expect(knownAtOnce).toEqual([false]);
    // The watch of the new session works as well.
    await site.zk.set("/", encode({ format: NEWER }));
    await eventually(() => format.problem !== null);
  });

  test("waits for the format no longer than it is asked to", async () => {
    await site.zk.set("/", encode({ format: NEWER }));
    await eventually(() => format.problem !== null);
    const stop = new AbortController();
    const waiting = format.known(stop.signal);
    stop.abort();
    await waiting;
    expect(format.isKnown).toBe(false);
  });

  test("follows no wish in a newer tree and says why, and goes on when it is one that it knows", async () => {
    const snapshots: WishSnapshot[] = [];
    const stop = new AbortController();
    const following = followWish(
      {
        session,
        format,
        service: "web",
        host: "a",
        clock: systemClock,
        remembered: () => emptyJournal,
        onSnapshot: (snapshot) => snapshots.push(snapshot),
        onProblem: () => {},
      },
      stop.signal,
    );
    await eventually(() => snapshots.at(-1)?.target.kind === "none");
    await site.zk.set("/", encode({ format: NEWER }));
    await eventually(() => snapshots.at(-1)?.target.kind === "unknown");
    expect(snapshots.at(-1)?.problem).toContain(`format ${NEWER}`);
    await site.deploy("d1", "v1");
    await site.zk.set("/", encode({ format: SPEAKS }));
    await eventually(() => snapshots.at(-1)?.target.kind === "build");
    const unknown = snapshots.findIndex(({ target }) => target.kind === "unknown");
    expect(snapshots.slice(0, unknown).some(({ target }) => target.kind === "build")).toBe(false);
    stop.abort();
    await following;
  });

  test("writes no status into a newer tree, and the last one when it is one that it knows", async () => {
    await site.host("a");
    await site.zk.set("/", encode({ format: NEWER }));
    await eventually(() => format.problem !== null);
    const stop = new AbortController();
    const publisher = new StatusPublisher(session, "web", "a", format, systemClock);
    const publishing = publisher.run(stop.signal);
    const before = (await site.zk.exists(statusPath("web", "a")))?.version;
    publisher.publish(statusOf({ attempt: 7 }));
    // Whatever the publisher had sent by the first answer would have come before the second.
    await session.client.sync("/");
    await session.client.sync("/");
    expect((await site.zk.exists(statusPath("web", "a")))?.version).toBe(before);
    publisher.publish(statusOf({ attempt: 8 }));
    await site.zk.set("/", encode({ format: SPEAKS }));
    const attempt = async () =>
      (await readRecord(site.zk, statusPath("web", "a"), hostStatusSchema))?.value.attempt === 8;
    await eventually(attempt);
    expect((await site.zk.exists(statusPath("web", "a")))?.version).toBe((before ?? 0) + 1);
    stop.abort();
    await publishing;
  });
});
