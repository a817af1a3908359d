import { op, type ZooKeeper } from "../../../src/zookeeper/client.ts";
import { isZooKeeperError } from "../../../src/zookeeper/errors.ts";
import { eventually } from "../../harness/eventually.ts";
import { codeOf, notes, text, type ContractCase } from "./contract.ts";

/**
 * Sets `/t` again and again until a node made together with it has gone by its time to live, and once more.
 * @returns false when `/t` has gone too after so long without a set that this was right
 */
async function outlived(zk: ZooKeeper, ttlMs: number): Promise<boolean> {
  let setAt = performance.now();
  let heldUp = false;
  for (const path of ["/t", "/untouched"]) await zk.create(path, "", { mode: "persistent-ttl", ttlMs });
  for (let over = false; !over;) {
    over = (await zk.exists("/untouched")) === null;
    const startedAt = performance.now();
    const gone = await zk.set("/t", "again").then(
      () => false,
      (error: unknown) => {
        if (isZooKeeperError(error, "NO_NODE")) return true;
        throw error;
      },
    );
    heldUp ||= performance.now() - setAt >= ttlMs;
    setAt = startedAt;
    if (!gone) continue;
    if (!heldUp) throw new Error(`/t has gone although it was set at least every ${ttlMs} ms`);
    await eventually(async () => (await zk.exists("/untouched")) === null);
    return false;
  }
  return true;
}

export const lifetimeCases: readonly ContractCase[] = [
  {
    name: "a node past its time to live is removed",
    run: async ({ zk }) => {
      await zk.create("/t", "", { mode: "persistent-ttl", ttlMs: 30 });
      await eventually(async () => (await zk.exists("/t")) === null);
      return "gone";
    },
    expected: "gone",
  },
  {
    name: "a node with a time to live stays while it has children, and goes after them",
    run: async ({ zk }) => {
      // As one, or a test that is held up in between would find it gone by right.
      await zk.multi([op.create("/t", "", { mode: "persistent-ttl", ttlMs: 30 }), op.create("/t/child")]);
      // Another that is as old, to know that the server has been around.
      await zk.create("/clock", "", { mode: "persistent-ttl", ttlMs: 30 });
      await eventually(async () => (await zk.exists("/clock")) === null);
      const kept = (await zk.exists("/t")) !== null;
      await zk.delete("/t/child");
      await eventually(async () => (await zk.exists("/t")) === null);
      return kept;
    },
    expected: true,
  },
  {
    name: "a set gives a node its time to live anew",
    run: async ({ zk }) => {
      // Held up for longer than that between two sets, the node is gone by right, and the case begins again.
      while (!(await outlived(zk, 600)));
      return true;
    },
    expected: true,
  },
  {
    name: "a container goes when its last child has gone, and not before it had one",
    run: async ({ zk }) => {
      for (const path of ["/used", "/unused"]) await zk.create(path, "", { mode: "container" });
      for (const path of ["/used/a", "/used/b"]) await zk.create(path);
      await zk.delete("/used/a");
      const kept = (await zk.exists("/used")) !== null;
      await zk.delete("/used/b");
      await eventually(async () => (await zk.exists("/used")) === null);
      return [kept, (await zk.children("/")).children];
    },
    expected: [true, ["unused"]],
  },
  {
    name: "containers may be nested and hold ephemeral nodes",
    run: async ({ zk, open }) => {
      const owner = open();
      await zk.create("/c", "", { mode: "container" });
      await zk.create("/c/d", "", { mode: "container" });
      await owner.sync("/");
      await owner.create("/c/d/e", "", { mode: "ephemeral" });
      await owner.close();
      await eventually(async () => (await zk.exists("/c")) === null);
      return "gone";
    },
    expected: "gone",
  },
  {
    name: "who watches a node hears of its removal by time",
    run: async ({ zk }) => {
      const { seen, watch } = notes();
      // Long enough for both watches to be there before it goes.
      await zk.create("/t", "", { mode: "persistent-ttl", ttlMs: 1_000 });
      await Promise.all([zk.get("/t", { watch }), zk.children("/", { watch })]);
      await eventually(() => seen.length === 2);
      return seen.toSorted();
    },
    expected: ["children-changed /", "deleted /t"],
  },
  {
    name: "a time to live has bounds",
    run: async ({ zk }) => {
      const outcomes: string[] = [];
      for (const ttlMs of [-1, 0, 1, 0xff_ffff_ffff, 0x100_0000_0000]) {
        outcomes.push(await codeOf(zk.create(`/t-${ttlMs}`, "", { mode: "persistent-ttl", ttlMs })));
      }
      return outcomes;
    },
    expected: ["BAD_ARGUMENTS refused", "BAD_ARGUMENTS refused", "ok", "ok", "BAD_ARGUMENTS refused"],
  },
  {
    name: "a node with a time to live has versions and data as any other",
    run: async ({ zk }) => {
      const mode = "persistent-sequential-ttl";
      const { path } = await zk.create("/t-", "0", { mode, ttlMs: 60_000 });
      const stat = await zk.set(path, "1", 0);
      return [
        path,
        stat.version,
        stat.ephemeralOwner,
        text((await zk.get(path)).data),
        await codeOf(zk.delete(path, 1)),
      ];
    },
    expected: ["/t-0000000000", 1, 0n, "1", "ok"],
  },
];
