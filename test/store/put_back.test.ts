import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { asDeployError } from "../../src/core/errors.ts";
import { journalAfter } from "../../src/core/journal.ts";
import { emptyJournal, type Journal } from "../../src/schema/journal.ts";
import type { Role } from "../../src/schema/znodes.ts";
import { adoptWish } from "../../src/store/adopt.ts";
import { promote } from "../../src/store/change_deploy.ts";
import { readDeploy } from "../../src/store/deploys.ts";
import { ServiceMirror } from "../../src/store/mirror.ts";
import { canaryPath, deployPath, deploysPath, enabledPath, statusPath } from "../../src/store/paths.ts";
import { readWish, type WishSnapshot } from "../../src/store/read_wish.ts";
import { encode } from "../../src/store/records.ts";
import { setRole } from "../../src/store/registry.ts";
import { rollBack } from "../../src/store/roll_back.ts";
import { WatchedNodes } from "../../src/store/watched_nodes.ts";
import { acceptWishes } from "../../src/store/wishes.ts";
import { systemClock } from "../../src/support/clock.ts";
import { isZooKeeperError } from "../../src/zookeeper/errors.ts";
import { Session } from "../../src/zookeeper/session.ts";
import { rejection } from "../harness/rejection.ts";
import { servers } from "./servers.ts";
import { never, NOW, Site, statusOf } from "./site.ts";

/** A host that takes up at once whatever it is to follow, and says so. */
class Follower implements AsyncDisposable {
  readonly #site: Site;
  readonly #name: string;
  readonly #session: Session;
  readonly #nodes: WatchedNodes;
  #journal: Journal = emptyJournal;

  constructor(site: Site, name: string) {
    this.#site = site;
    this.#name = name;
    this.#session = new Session({ clock: systemClock, servers: site.connectString });
    this.#nodes = new WatchedNodes(this.#session, () => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session.close();
  }

  /** @returns what it is to serve, and "held" where ZooKeeper wishes something else */
  async look(): Promise<string> {
    const snapshot = await readWish(
      { service: "web", host: this.#name, clock: systemClock, remembered: () => this.#journal },
      { zk: this.#session.client, nodes: this.#nodes, signal: never, isThorough: true },
    );
    this.#takeUp(snapshot);
    const { followed } = this.#journal;
    const status = statusOf({
      ...(followed === undefined ? {} : { followed: Math.max(followed.enabled, followed.canary) }),
      ...(snapshot.held === null ? {} : { held: snapshot.held }),
    });
    await this.#site.zk.set(statusPath("web", this.#name), encode(status));
    const { target } = snapshot;
    expect(snapshot.problem).toContain(snapshot.held === null ? "" : "deployd ctl services accept web");
    return `${target.kind === "build" ? target.build : target.kind}${snapshot.held === null ? "" : ", held"}`;
  }

  #takeUp({ target, order }: WishSnapshot): void {
    const { followed, attempt } = this.#journal;
    if (order !== null && order.number > (followed?.[order.node] ?? 0))
      this.#journal = journalAfter(this.#journal, { kind: "followed", ...order });
    if (target.kind !== "build" || (attempt?.deploy === target.deploy && attempt.build === target.build)) return;
    const { build, deploy } = target;
    this.#journal = journalAfter(this.#journal, {
      kind: "taken-up",
      number: (attempt?.number ?? 0) + 1,
      build,
      deploy,
      again: 0,
    });
  }
}

describe.each(servers)("a tree that was restored from a backup, with %s", (_name, start) => {
  let server: Awaited<ReturnType<typeof start>>;
  let site: Site;
  let fleet: Follower;
  let canary: Follower;
  let round = 0;
  beforeAll(async () => {
    server = await start();
  }, 60_000);
  afterAll(() => server[Symbol.asyncDispose]());
  beforeEach(async () => {
    site = await Site.open(server.connectString, `/put-back-${(round += 1)}`);
    await site.host("w1");
    await site.host("w2", "canary");
    fleet = new Follower(site, "w1");
    canary = new Follower(site, "w2");
  });
  afterEach(async () => {
    for (const each of [fleet, canary, site]) await each[Symbol.asyncDispose]();
  });

  const change = { service: "web", who: "me", why: "", now: NOW };
  const codeOf = async (work: Promise<unknown>): Promise<string> => asDeployError(await rejection(work), "").code;
  const looks = async (): Promise<string[]> => [await fleet.look(), await canary.look()];

  async function done(id: string, build: string, stage: "canary" | "fleet" = "fleet"): Promise<void> {
    await site.deploy(id, build, stage);
    await site.state(id, stage === "fleet" ? "done" : "awaiting promotion");
  }

  const dataOf = async (path: string): Promise<Uint8Array | null> => {
    try {
      return (await site.zk.get(path)).data;
    } catch (error) {
      if (!isZooKeeperError(error, "NO_NODE")) throw error;
      return null;
    }
  };

  /** @returns what brings the wishes and the pointer back to where they are now */
  async function backup(): Promise<() => Promise<void>> {
    const paths = [deploysPath("web"), enabledPath("web"), canaryPath("web")];
    const before = await Promise.all(paths.map(async (path) => ({ path, data: await dataOf(path) })));
    return async () => {
      for (const { path, data } of before) {
        if ((await dataOf(path)) !== null && data === null) await site.zk.delete(path);
        else if (data !== null && (await dataOf(path)) === null) await site.zk.create(path, data);
        else if (data !== null) await site.zk.set(path, data);
      }
    };
  }

  test("wishes what hosts have left behind them: they stay until a person says yes", async () => {
    await done("d1", "v1");
    expect(await looks()).toEqual(["v1", "v1"]);
    const putBack = await backup();
    await done("d2", "v2");
    expect(await looks()).toEqual(["v2", "v2"]);
    await done("d3", "v3");
    expect(await looks()).toEqual(["v3", "v3"]);
    await putBack();
    expect(await looks()).toEqual(["v3, held", "v3, held"]);
    expect(await acceptWishes(site.zk, "web")).toEqual({ hosts: ["w1", "w2"], builds: ["v1"] });
    expect(await looks()).toEqual(["v1", "v1"]);
    expect(await acceptWishes(site.zk, "web")).toEqual({ hosts: [], builds: [] });
  });

  test("to where it is already changes nothing and asks nobody", async () => {
    await done("d1", "v1");
    const putBack = await backup();
    await looks();
    await putBack();
    expect(await looks()).toEqual(["v1", "v1"]);
  });

  test("takes back no rollback, and no promotion", async () => {
    await done("d1", "v1");
    await done("d2", "v2", "canary");
    expect(await looks()).toEqual(["v1", "v2"]);
    const beforePromotion = await backup();
    await promote(site.zk, change);
    await site.state("d2", "done");
    expect(await looks()).toEqual(["v2", "v2"]);
    const beforeRollback = await backup();
    await rollBack(site.zk, change);
    expect(await looks()).toEqual(["v1", "v1"]);
    await beforeRollback();
    expect(await looks()).toEqual(["v1, held", "v1, held"]);
    await beforePromotion();
    expect(await looks()).toEqual(["v1, held", "v1, held"]);
  });

  test("knows of no canary: its host stays with the canary's build, and goes back where the deploy was called off", async () => {
    await done("d1", "v1");
    await looks();
    const putBack = await backup();
    await done("d2", "v2", "canary");
    expect(await looks()).toEqual(["v1", "v2"]);
    await putBack();
    expect(await looks()).toEqual(["v1", "v2, held"]);
    await acceptWishes(site.zk, "web");
    expect(await looks()).toEqual(["v1", "v1"]);
  });

  test("is not what a canary host sees whose deploy was called off, or which is one no more", async () => {
    await done("d1", "v1");
    await looks();
    await site.deploy("d2", "v2", "canary");
    expect(await looks()).toEqual(["v1", "v2"]);
    const setTo = async (role: Role) => setRole(site.zk, "web", "w2", role);
    await setTo("fleet");
    expect(await canary.look()).toBe("v1");
    await setTo("canary");
    expect(await canary.look()).toBe("v2");
    await rollBack(site.zk, change);
    expect(await looks()).toEqual(["v1", "v1"]);
    await site.step("d2", { to: "rolled back", cost: null });
    expect(await dataOf(canaryPath("web"))).toBeNull();
    expect(await looks()).toEqual(["v1", "v1"]);
  });

  test("takes a new deploy at once, and that lets nobody follow the older wish beside it", async () => {
    await done("d1", "v1");
    const putBack = await backup();
    await done("d2", "v2");
    await looks();
    await putBack();
    expect(await looks()).toEqual(["v2, held", "v2, held"]);
    await done("d4", "v3", "canary");
    expect(await looks()).toEqual(["v2, held", "v3"]);
    await promote(site.zk, change);
    expect(await looks()).toEqual(["v3", "v3"]);
  });

  test("in the middle of a deploy that nobody goes on with: another overtakes it, and not while one host follows", async () => {
    await site.deploy("d1", "v1");
    const putBack = await backup();
    await looks();
    await site.state("d1", "done");
    await done("d2", "v2");
    await fleet.look();
    await site.state("d1", "rolling");
    await putBack();
    // One host has never heard of the second.
    expect(await looks()).toEqual(["v2, held", "v1"]);
    expect(await codeOf(site.deploy("d3", "v3"))).toBe("deploy-running");
    await site.zk.set(statusPath("web", "w2"), encode(statusOf({ held: { build: "v1", deploy: "d1", number: 1 } })));
    expect((await site.deploy("d3", "v3")).build).toBe("v3");
    expect((await readDeploy(site.zk, "web", "d1")).record).toMatchObject({
      state: "aborted",
      reason: expect.stringContaining("d3"),
    });
    expect(await looks()).toEqual(["v3", "v3"]);
  });

  test("has wishes that nobody had taken up: they are taken up, and held like any other", async () => {
    await done("d1", "v1");
    await done("d2", "v2");
    await looks();
    await site.zk.set(deploysPath("web"), encode({ latest: "d1", number: 1 }));
    await site.zk.delete(deployPath("web", "d2"));
    await site.zk.set(enabledPath("web"), "v3");
    expect(await adoptWish(site.zk, "web", "d9", NOW)).toBe("d9");
    expect(await looks()).toEqual(["v3", "v3"]);
    await site.zk.set(deploysPath("web"), encode({ latest: "d1", number: 0 }));
    await site.zk.set(enabledPath("web"), "v1");
    expect(await adoptWish(site.zk, "web", "d8", NOW)).toBe("d8");
    expect(await looks()).toEqual(["v3, held", "v3, held"]);
  });

  test("has a wish for a build and a deploy that somebody wrote without a number: it is older than all that have one", async () => {
    await done("d1", "v1");
    await done("d2", "v2");
    await looks();
    await site.zk.set(enabledPath("web"), encode({ build: "v1", deploy: "d1" }));
    expect(await looks()).toEqual(["v2, held", "v2, held"]);
    await acceptWishes(site.zk, "web");
    expect(await looks()).toEqual(["v1", "v1"]);
  });

  test("accepted, forgets no deploy that is under way, though nobody can read which one is the newest", async () => {
    await site.deploy("d1", "v1");
    await looks();
    const putBack = await backup();
    await site.state("d1", "done");
    await done("d2", "v2");
    await looks();
    await site.state("d1", "rolling");
    await site.zk.delete(deployPath("web", "d2"));
    await putBack();
    await site.zk.set(deploysPath("web"), "4711 {");
    expect(await looks()).toEqual(["v2, held", "v2, held"]);
    await acceptWishes(site.zk, "web");
    expect(await looks()).toEqual(["v1", "v1"]);
    expect(await codeOf(site.deploy("d3", "v3"))).toBe("deploy-running");
  });

  test.each([
    ["just beyond what numbers may be", 2 ** 40 + 1],
    ["the last that is exact", Number.MAX_SAFE_INTEGER],
    ["the highest that numbers may be", 2 ** 40],
  ])("a number that somebody wrote, %s, wedges nothing: deploys after it are followed", async (_what, number) => {
    await done("d1", "v1");
    await looks();
    await site.zk.set(deploysPath("web"), encode({ latest: "d1", number }));
    for (const [id, build] of [
      ["d2", "v2"],
      ["d3", "v3"],
      ["d4", "v1"],
    ] as const) {
      await done(id, build);
      expect(await looks()).toEqual([build, build]);
      expect([...(await ServiceMirror.look(site.zk, "web", ["statuses"])).statuses.keys()]).toEqual(["w1", "w2"]);
    }
    await site.zk.set(enabledPath("web"), encode({ build: "v2", deploy: "d2", number }));
    // Where that is no wish at all it is said; what counts is that the next one is followed.
    await looks().catch(() => {});
    await done("d5", "v3");
    expect(await looks()).toEqual(["v3", "v3"]);
    expect([...(await ServiceMirror.look(site.zk, "web", ["statuses"])).statuses.keys()]).toEqual(["w1", "w2"]);
  });

  test("a number that no wish can have is no status, and the next wish counts on from what can be read", async () => {
    await done("d1", "v1");
    await looks();
    await site.zk.set(statusPath("web", "w1"), encode({ ...statusOf({}), followed: Number.MAX_SAFE_INTEGER }));
    await done("d2", "v2");
    expect(await looks()).toEqual(["v2", "v2"]);
  });
});
