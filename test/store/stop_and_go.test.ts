import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { asDeployError } from "../../src/core/errors.ts";
import { canariesFirst, parseStages } from "../../src/core/stages.ts";
import type { DeployState } from "../../src/schema/deploy_record.ts";
import type { Wish } from "../../src/schema/znodes.ts";
import { barBuild } from "../../src/store/bar.ts";
import { abort, type Change } from "../../src/store/change_deploy.ts";
import { readDeploy, readHead } from "../../src/store/deploys.ts";
import { deployPath } from "../../src/store/paths.ts";
import { encode } from "../../src/store/records.ts";
import { rollBack } from "../../src/store/roll_back.ts";
import { pauseDeploy, resumeDeploy, retryDeploy } from "../../src/store/stop_and_go.ts";
import { systemClock } from "../../src/support/clock.ts";
import { ZooKeeper } from "../../src/zookeeper/client.ts";
import { ZooKeeperError } from "../../src/zookeeper/errors.ts";
import { recordIn } from "../harness/deploy_records.ts";
import { rejection } from "../harness/rejection.ts";
import { servers } from "./servers.ts";
import { failureOf, NOW, Site } from "./site.ts";

const change: Change = { service: "web", who: "dana", why: "lunch", now: NOW };

/** A client whose transactions are done, but whose answers do not come. */
class Deaf extends ZooKeeper {
  override async multi(...call: Parameters<ZooKeeper["multi"]>): ReturnType<ZooKeeper["multi"]> {
    await super.multi(...call);
    throw new ZooKeeperError({ code: "CONNECTION_LOSS", operation: "multi", outcome: "unknown" });
  }
}

describe.each(servers)("with %s", (_name, start) => {
  let server: { connectString: string } & AsyncDisposable;
  let site: Site;
  let deaf: Deaf;
  let count = 0;

  beforeAll(async () => {
    server = await start();
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    site = await Site.open(server.connectString, `/stop-${(count += 1)}`, { max: 2, budget: 1 });
    deaf = new Deaf({ clock: systemClock, servers: site.connectString });
    await site.deploy("d1", "v1");
    await site.state("d1", "done");
    await site.deploy("d2", "v2");
  });
  afterEach(async () => {
    await deaf.close();
    await site[Symbol.asyncDispose]();
  });

  /** The newest deploy in a state, whatever was before. */
  async function isIn(state: DeployState, changes: Readonly<Record<string, unknown>> = {}): Promise<void> {
    const { build, previous, before, who, why, acts } = await site.record("d2");
    const record = recordIn(state, { build, previous, before, who, why, acts, ...changes });
    await site.zk.set(deployPath("web", "d2"), encode(record));
  }
  const codeOf = async (work: Promise<unknown>): Promise<string> => asDeployError(await rejection(work), "").code;
  const versionOf = async (): Promise<number> => (await readDeploy(site.zk, "web", "d2")).version;
  const wish = async (): Promise<Wish | null> => (await readHead(site.zk, "web")).enabled.value;

  describe("a deploy that is paused", () => {
    test.each(["preparing", "canary", "awaiting promotion", "rolling", "rolling back"] as const)(
      "when it is %s stands still, says who did it, and goes on where it was",
      async (state) => {
        await isIn(state);
        const was = await site.record("d2");
        const { record } = await pauseDeploy(site.zk, change);
        expect(record).toMatchObject({ state: "paused", from: state, reason: "paused by dana: lunch" });
        expect(await site.record("d2")).toEqual(record);
        const { record: on } = await resumeDeploy(site.zk, { ...change, who: "erin", why: "" });
        const acts = [
          { act: "started", who: "me" },
          { act: "paused", who: "dana", why: "lunch" },
          { act: "resumed", who: "erin" },
        ];
        expect(on).toMatchObject({ state, acts, round: was.round + 1, again: was.again, stage: was.stage });
        // It is what it was before, but for that: nothing says any more that it stood still.
        const { acts: _, round: __, times: ___, ...facts } = on;
        const { acts: ____, round: _____, times: ______, ...before } = was;
        expect<object>(facts).toEqual(before);
      },
    );

    test.each(["done", "halted", "aborted", "rolled back"] as const)("when it is %s is refused", async (state) => {
      await isIn(state);
      const error = asDeployError(await rejection(pauseDeploy(site.zk, change)), "");
      expect(error.code).toBe("nothing-to-do");
      expect(error.message).toContain(`deploy d2 of "v2" is ${state}`);
      expect((await site.record("d2")).state).toBe(state);
    });

    test("twice is paused once, and the first remains who did it", async () => {
      await isIn("rolling");
      await pauseDeploy(site.zk, change);
      const version = await versionOf();
      expect((await pauseDeploy(site.zk, { ...change, who: "erin" })).record.reason).toBe("paused by dana: lunch");
      expect(await versionOf()).toBe(version);
    });

    test("can be ended, and can be taken back", async () => {
      await isIn("rolling");
      await pauseDeploy(site.zk, change);
      expect((await rollBack(site.zk, change)).record).toMatchObject({ state: "rolling back", rollback: { to: "v1" } });
      await pauseDeploy(site.zk, change);
      expect((await abort(site.zk, change)).record).toMatchObject({ state: "aborted", rollback: { to: "v1" } });
    });

    test("does not go on once its build is barred, and says what can be done", async () => {
      await isIn("rolling");
      await pauseDeploy(site.zk, change);
      await barBuild(site.zk, "web", "v2", { who: "erin", why: "it burns", time: NOW.toISOString() });
      const error = asDeployError(await rejection(resumeDeploy(site.zk, change)), "");
      expect(error.code).toBe("build-barred");
      expect(error.hint).toContain("deployd ctl rollback web");
      expect((await site.record("d2")).state).toBe("paused");
    });

    test("on its way back goes on though its own build is barred", async () => {
      await isIn("rolling");
      await rollBack(site.zk, change);
      const reason = (await site.record("d2")) as { reason?: string };
      await pauseDeploy(site.zk, { ...change, why: "wait" });
      const { record } = await resumeDeploy(site.zk, change);
      // Why it goes back is what it was, not why it stood still.
      expect(record).toMatchObject({ state: "rolling back", rollback: { to: "v1" }, reason: reason.reason });
    });
  });

  describe("a deploy that is resumed", () => {
    test("after it halted goes on where it stopped, and what has failed so far counts no more", async () => {
      await isIn("halted", { reason: "h1: sick", from: "canary", stages: canariesFirst, round: 3 });
      const { record } = await resumeDeploy(site.zk, change);
      expect(record).toMatchObject({ state: "canary", round: 4, again: 0 });
      expect("ended" in record.times).toBe(false);
      expect("reason" in record).toBe(false);
    });

    test("has a new count, and the hosts that failed stay as they are", async () => {
      await site.host("a");
      await site.moves({ kind: "fail", host: "a", failure: failureOf({ deploy: "d2", build: "v2" }) });
      await isIn("halted");
      await resumeDeploy(site.zk, change);
      expect((await site.gate()).gate.failed.get("a")).toMatchObject({ round: 1, again: 0 });
      expect((await wish())?.again).toBeUndefined();
    });

    test.each(["preparing", "rolling", "done", "aborted", "rolled back"] as const)(
      "though it is %s is refused",
      async (state) => {
        await isIn(state);
        expect(await codeOf(resumeDeploy(site.zk, change))).toBe("nothing-to-do");
      },
    );

    test("twice is resumed once", async () => {
      await isIn("halted");
      await resumeDeploy(site.zk, change);
      const version = await versionOf();
      expect((await resumeDeploy(site.zk, change)).record.round).toBe(2);
      expect(await versionOf()).toBe(version);
    });
  });

  describe("a deploy that is tried again", () => {
    test.each([
      ["preparing", "preparing"],
      ["rolling", "rolling"],
      ["paused", "rolling"],
      ["halted", "rolling"],
      ["done", "done"],
      ["rolling back", "rolling back"],
      ["rolled back", "rolled back"],
    ] as const)("when it is %s is %s, and its hosts hear of it", async (state, after) => {
      await isIn(state);
      const number = (await wish())?.number ?? 0;
      const { record } = await retryDeploy(site.zk, change);
      expect(record).toMatchObject({ state: after, again: 1, round: 2 });
      expect(record.acts.at(-1)).toMatchObject({ act: "retried", who: "dana", why: "lunch" });
      expect(await site.record("d2")).toEqual(record);
      const build = state.startsWith("roll") && state !== "rolling" ? "v1" : "v2";
      expect(await wish()).toMatchObject({ build, deploy: "d2", again: 1, number: number + 1 });
    });

    test("on its canary hosts tells them alone", async () => {
      await site.host("c", "canary");
      await site.state("d2", "done");
      await site.deploy("d3", "v3", "canary");
      await retryDeploy(site.zk, change);
      const { enabled, canary } = await readHead(site.zk, "web");
      expect(canary?.value).toMatchObject({ deploy: "d3", again: 1 });
      expect(enabled.value?.deploy).toBe("d2");
    });

    test("in a stage leaves whom it has reached as it was", async () => {
      const reach = { zones: ["north"], below: 0.25 };
      await isIn("halted", { stages: parseStages("zone:north,25%,100%"), stage: 1, reach });
      await retryDeploy(site.zk, change);
      expect(await wish()).toMatchObject({ reach, before: { build: "v1", deploy: "d1" }, again: 1 });
    });

    test("is refused when it was aborted, and when its build is barred", async () => {
      await isIn("aborted");
      expect(await codeOf(retryDeploy(site.zk, change))).toBe("nothing-to-do");
      await isIn("halted");
      await barBuild(site.zk, "web", "v2", { who: "erin", why: "", time: NOW.toISOString() });
      expect(await codeOf(retryDeploy(site.zk, change))).toBe("build-barred");
      expect((await site.record("d2")).again).toBe(0);
    });
  });

  test.each([
    ["paused", pauseDeploy, "rolling", { state: "paused" }],
    ["resumed", resumeDeploy, "halted", { state: "rolling", round: 2 }],
    ["tried again", retryDeploy, "halted", { state: "rolling", again: 1, round: 2 }],
  ] as const)(
    "what is %s and gets no answer is so once, when it is asked for again",
    async (_how, verb, from, after) => {
      await isIn(from);
      expect(await codeOf(verb(deaf, change))).toBe("write-unknown");
      expect((await verb(site.zk, change)).record).toMatchObject(after);
      expect(await site.record("d2")).toMatchObject(after);
      expect((await site.record("d2")).acts).toHaveLength(2);
    },
  );

  test.each([
    ["pause", pauseDeploy, "rolling"],
    ["resume", resumeDeploy, "halted"],
    ["try again", retryDeploy, "halted"],
  ] as const)("of two who %s at once one does it", async (_what, verb, from) => {
    await isIn(from);
    const both = await Promise.allSettled([
      verb(site.zk, change),
      verb(site.other, { ...change, who: "erin", now: new Date(NOW.getTime() + 1) }),
    ]);
    const { acts, round } = await site.record("d2");
    const done = both.filter(({ status }) => status === "fulfilled").length;
    expect(done).toBeGreaterThan(0);
    expect(acts.length - 1).toBeLessThanOrEqual(done);
    if (verb === pauseDeploy) expect([round, acts.length]).toEqual([1, 2]);
    else expect(round).toBe(acts.length);
  });

  test.each([
    ["pause", pauseDeploy],
    ["resume", resumeDeploy],
    ["retry", retryDeploy],
  ] as const)("%s does nothing to another deploy than the one that is meant", async (_what, verb) => {
    await isIn("halted");
    for (const meant of [{ deploy: "d1" }, { build: "v1" }]) {
      const error = asDeployError(await rejection(verb(site.zk, { ...change, ...meant })), "");
      expect(error.code).toBe("deploy-mismatch");
      expect(error.message).toContain('the newest deploy is d2 of "v2" by me');
    }
    expect((await site.record("d2")).state).toBe("halted");
  });
});
