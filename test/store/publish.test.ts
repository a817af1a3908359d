import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { HostStatus } from "../../src/schema/znodes.ts";
import { statusPath } from "../../src/store/paths.ts";
import { StatusPublisher } from "../../src/store/publish.ts";
import { encode } from "../../src/store/records.ts";
import { clockOf, systemClock } from "../../src/support/clock.ts";
import { startDevServer, type DevServer } from "../../src/zookeeper/server/dev_server.ts";
import { Session } from "../../src/zookeeper/session.ts";
import { eventually } from "../harness/eventually.ts";
import { knownFormat } from "../harness/format.ts";
import { VirtualTime } from "../sim/time.ts";
import { failureOf, Site, statusOf } from "./site.ts";

let server: DevServer;
let site: Site;
let session: Session;
let time: VirtualTime;
let publisher: StatusPublisher;
let stop: AbortController;
let running: Promise<void>;
let problems: unknown[];

/** The publisher's clock stands still unless a test lets time pass; the connection has the machine's. */
beforeEach(async () => {
  server = await startDevServer({ clock: systemClock, tickMs: 50 });
  site = await Site.open(server.connectString, "/tree");
  await site.host("a", "fleet", { step: "idle" });
  session = new Session({ clock: systemClock, servers: site.connectString });
  await session.client.connected();
  time = new VirtualTime();
  const after = (ms: number, work: () => void) => time.after(ms, work);
  const clock = clockOf({ ...systemClock, monotonicMs: () => time.nowMs, after, afterIdly: after });
  problems = [];
  publisher = new StatusPublisher(session, "web", "a", knownFormat, clock, (error) => problems.push(error));
  stop = new AbortController();
  running = publisher.run(stop.signal);
});
afterEach(async () => {
  stop.abort();
  await running;
  await session.close();
  await site[Symbol.asyncDispose]();
  await server.close();
});

const published = async (): Promise<HostStatus> =>
  JSON.parse(new TextDecoder().decode((await site.zk.get(statusPath("web", "a"))).data)) as HostStatus;
const isPublished = (status: HostStatus) => eventually(async () => Bun.deepEquals(await published(), status));
const version = async (): Promise<number> => (await site.zk.exists(statusPath("web", "a")))?.version ?? -1;

/** Whatever was to be written at once is written: the server answers in the order in which it was asked. */
async function allIsSent(): Promise<void> {
  for (let turns = 0; turns < 3; turns += 1) {
    await systemClock.turn();
    await session.client.sync("/");
  }
}

const wait = async (ms: number): Promise<void> => {
  time.run(time.nowMs + ms);
  await allIsSent();
};

const quiet = (step: HostStatus["step"], change: Partial<HostStatus> = {}) =>
  statusOf({ step, begun: true, ...change });

describe("what others wait for is written at once", () => {
  test.each([
    ["that it asks for a slot", statusOf({ step: "ready", attempt: 2 })],
    ["that it has begun", statusOf({ step: "begun", begun: true })],
    ["that it serves", statusOf({ step: "serving" })],
    ["that it has failed", statusOf({ step: "failed" })],
    ["that its check has failed, while it goes back", quiet("restart", { failure: failureOf({ healthy: false }) })],
  ])("%s", async (_what, status) => {
    publisher.publish(status);
    await isPublished(status);
    expect(time.nowMs).toBe(0);
  });

  test("though a step before it has not lasted long enough", async () => {
    publisher.publish(quiet("flip"));
    await allIsSent();
    expect((await published()).step).toBe("idle");
    publisher.publish(statusOf({ step: "serving" }));
    await isPublished(statusOf({ step: "serving" }));
    expect(await version()).toBe(1);
    expect(time.nowMs).toBe(0);
  });

  test("once: what is said beside the same word waits like anything else", async () => {
    publisher.publish(statusOf({ step: "serving" }));
    await isPublished(statusOf({ step: "serving" }));
    publisher.publish(statusOf({ step: "serving", health: "unhealthy" }));
    await allIsSent();
    expect((await published()).health).toBe("nothing");
    await wait(250);
    expect((await published()).health).toBe("unhealthy");
  });

  test("and again with another attempt", async () => {
    for (const attempt of [1, 2, 3]) {
      publisher.publish(statusOf({ step: "ready", attempt }));
      await isPublished(statusOf({ step: "ready", attempt }));
    }
    expect(await version()).toBe(3);
  });

  test("but an older failure of another attempt is none", async () => {
    publisher.publish(quiet("check", { attempt: 2, failure: failureOf({ attempt: 1 }) }));
    await allIsSent();
    expect(await version()).toBe(0);
  });
});

describe("any other step is written when it has lasted 250 ms", () => {
  test("and not before", async () => {
    publisher.publish(quiet("restart"));
    await allIsSent();
    await wait(249);
    expect(await version()).toBe(0);
    await wait(1);
    await isPublished(quiet("restart"));
  });

  test("with all that came meanwhile as one write, of the last", async () => {
    for (const step of ["fetch", "verify", "extract", "install"] as const) {
      publisher.publish(quiet(step));
      await wait(60);
    }
    expect(await version()).toBe(0);
    await wait(60);
    await isPublished(quiet("install"));
    expect(await version()).toBe(1);
  });

  test("and what is there already is not written", async () => {
    publisher.publish(quiet("check"));
    await wait(250);
    expect(await version()).toBe(1);
    for (const step of ["soak", "check"] as const) publisher.publish(quiet(step));
    await wait(500);
    expect(await version()).toBe(1);
  });
});

describe("what somebody else has written", () => {
  beforeEach(async () => {
    publisher.publish(statusOf({ step: "serving" }));
    await isPublished(statusOf({ step: "serving" }));
  });

  test("is written over when it is found", async () => {
    await site.zk.set(statusPath("web", "a"), "by hand");
    publisher.found("by hand");
    await wait(250);
    await isPublished(statusOf({ step: "serving" }));
  });

  test("is no matter where it is what is there, or what is to be", async () => {
    publisher.found(encode(statusOf({ step: "serving" })));
    publisher.publish(quiet("fetch"));
    publisher.found(encode(quiet("fetch")));
    await wait(250);
    expect(await version()).toBe(2);
  });

  test("in doubt the status is written again, whatever was written before", async () => {
    publisher.doubt();
    await wait(250);
    await eventually(async () => (await version()) === 2);
    expect(await published()).toEqual(statusOf({ step: "serving" }));
  });

  test("together with something else it is not written once more, nor is an older status after it", async () => {
    const begun = statusOf({ step: "begun", begun: true });
    {
      using _hold = publisher.hold();
      publisher.publish(statusOf({ step: "ready", attempt: 7 }));
      await wait(2_000);
      expect(await version()).toBe(1);
      await site.zk.set(statusPath("web", "a"), encode(begun));
      publisher.wasWritten(begun);
      publisher.found("what was read before");
    }
    await wait(2_000);
    expect([await version(), await published()]).toEqual([2, begun]);
    publisher.publish(begun);
    await wait(2_000);
    expect(await version()).toBe(2);
  });
});

test("a write that fails is told, is tried again after a second, and is told to be over", async () => {
  server.faults.failOperation = ({ path, sessionId }) =>
    sessionId === session.client.sessionId && path?.includes("/status/") === true ? "NO_AUTH" : undefined;
  publisher.publish(statusOf({ step: "serving" }));
  await eventually(() => problems.length === 1);
  expect(problems).toEqual([expect.objectContaining({ code: "NO_AUTH" })]);
  server.faults.failOperation = undefined;
  await wait(999);
  expect(await version()).toBe(0);
  await wait(1);
  await wait(250);
  await isPublished(statusOf({ step: "serving" }));
  expect(problems.at(-1)).toBeNull();
});
