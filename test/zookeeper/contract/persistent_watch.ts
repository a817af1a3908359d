import { op } from "../../../src/zookeeper/client.ts";
import { eventually } from "../../harness/eventually.ts";
import { codeOf, notes, type ContractCase } from "./contract.ts";

export const persistentWatchCases: readonly ContractCase[] = [
  {
    name: "a persistent watch hears of every change of its node and of its children's coming and going",
    run: async ({ zk }) => {
      const { seen, watch } = notes();
      await zk.addWatch("/a", "persistent", watch);
      await zk.create("/a");
      await zk.set("/a", "1");
      await zk.create("/a/b");
      await zk.set("/a/b", "1");
      await zk.delete("/a/b");
      await zk.delete("/a");
      return seen;
    },
    expected: ["created /a", "data-changed /a", "children-changed /a", "children-changed /a", "deleted /a"],
  },
  {
    name: "a persistent recursive watch hears of every change in the subtree",
    run: async ({ zk }) => {
      await zk.create("/a");
      await zk.create("/ab");
      const { seen, watch } = notes();
      await zk.addWatch("/a", "persistent-recursive", watch);
      await zk.create("/a/b");
      await zk.create("/a/b/c");
      await zk.set("/a/b/c", "1");
      await zk.set("/ab", "1");
      await zk.delete("/a/b/c");
      await zk.set("/a", "1");
      return seen;
    },
    expected: ["created /a/b", "created /a/b/c", "data-changed /a/b/c", "deleted /a/b/c", "data-changed /a"],
  },
  {
    name: "a removed persistent watch hears no more, and the one beside it goes on",
    run: async ({ zk }) => {
      await zk.create("/a");
      const one = notes();
      const other = notes();
      const first = await zk.addWatch("/a", "persistent", one.watch);
      const second = await zk.addWatch("/a", "persistent", other.watch);
      await zk.set("/a", "1");
      await first.remove();
      await zk.set("/a", "2");
      await second.remove();
      await second.remove();
      await zk.set("/a", "3");
      return [one.seen, other.seen];
    },
    expected: [["data-changed /a"], ["data-changed /a", "data-changed /a"]],
  },
  {
    name: "a one-shot watch and a persistent one on the same node both fire",
    run: async ({ zk }) => {
      await zk.create("/a");
      const once = notes();
      const always = notes();
      await zk.addWatch("/a", "persistent", always.watch);
      await zk.get("/a", { watch: once.watch });
      await zk.set("/a", "1");
      await zk.set("/a", "2");
      return [once.seen, always.seen];
    },
    expected: [["data-changed /a"], ["data-changed /a", "data-changed /a"]],
  },
  {
    name: "a one-shot watch on children and a recursive one on the same node both fire, whichever came first",
    run: async ({ zk }) => {
      const observed: unknown[] = [];
      for (const path of ["/once-first", "/recursive-first"]) {
        await zk.create(path);
        const once = notes();
        const recursive = notes();
        if (path === "/once-first") await zk.children(path, { watch: once.watch });
        await zk.addWatch(path, "persistent-recursive", recursive.watch);
        if (path === "/recursive-first") await zk.children(path, { watch: once.watch });
        await zk.create(`${path}/a`);
        await zk.set(`${path}/a`, "1");
        await zk.create(`${path}/b`);
        observed.push(once.seen, recursive.seen);
      }
      return observed;
    },
    expected: [
      ["children-changed /once-first"],
      ["created /once-first/a", "data-changed /once-first/a", "created /once-first/b"],
      ["children-changed /recursive-first"],
      ["created /recursive-first/a", "data-changed /recursive-first/a", "created /recursive-first/b"],
    ],
  },
  {
    name: "a persistent watch outlives its node",
    run: async ({ zk }) => {
      const { seen, watch } = notes();
      await zk.addWatch("/a", "persistent", watch);
      for (let round = 0; round < 2; round += 1) {
        await zk.create("/a");
        await zk.delete("/a");
      }
      return seen;
    },
    expected: ["created /a", "deleted /a", "created /a", "deleted /a"],
  },
  {
    name: "a recursive watch on nothing hears of the subtree that is made there",
    run: async ({ zk }) => {
      const { seen, watch } = notes();
      await zk.addWatch("/a", "persistent-recursive", watch);
      await zk.create("/a");
      await zk.create("/a/b");
      await zk.create("/a/b/c");
      return seen;
    },
    expected: ["created /a", "created /a/b", "created /a/b/c"],
  },
  {
    name: "recursive watches one above the other both hear",
    run: async ({ zk }) => {
      await zk.create("/a");
      const [outer, inner] = [notes(), notes()];
      await zk.addWatch("/", "persistent-recursive", outer.watch);
      await zk.addWatch("/a", "persistent-recursive", inner.watch);
      await zk.create("/a/b");
      await zk.create("/c");
      return [outer.seen, inner.seen];
    },
    expected: [["created /a/b", "created /c"], ["created /a/b"]],
  },
  {
    name: "a persistent and a recursive watch on one node both hear, whichever came first",
    run: async ({ zk }) => {
      const observed: unknown[] = [];
      for (const first of ["persistent", "persistent-recursive"] as const) {
        const path = `/${first}`;
        await zk.create(path);
        const [flat, deep] = [notes(), notes()];
        if (first === "persistent") await zk.addWatch(path, "persistent", flat.watch);
        await zk.addWatch(path, "persistent-recursive", deep.watch);
        if (first !== "persistent") await zk.addWatch(path, "persistent", flat.watch);
        await zk.create(`${path}/a`);
        await zk.create(`${path}/a/b`);
        await zk.set(path, "1");
        observed.push(flat.seen, deep.seen);
      }
      return observed;
    },
    expected: [
      ["children-changed /persistent", "data-changed /persistent"],
      ["created /persistent/a", "created /persistent/a/b", "data-changed /persistent"],
      ["children-changed /persistent-recursive", "data-changed /persistent-recursive"],
      ["created /persistent-recursive/a", "created /persistent-recursive/a/b", "data-changed /persistent-recursive"],
    ],
  },
  {
    name: "the same handler given twice is called once for a change",
    run: async ({ zk }) => {
      await zk.create("/a");
      const { seen, watch } = notes();
      await zk.addWatch("/a", "persistent", watch);
      await zk.addWatch("/a", "persistent", watch);
      await zk.set("/a", "1");
      return seen;
    },
    expected: ["data-changed /a"],
  },
  {
    name: "a recursive watch hears of a multi change by change",
    run: async ({ zk }) => {
      const { seen, watch } = notes();
      await zk.addWatch("/", "persistent-recursive", watch);
      await zk.multi([op.create("/a"), op.create("/a/b"), op.set("/a", "1"), op.delete("/a/b"), op.delete("/a")]);
      await zk.sync("/");
      return seen;
    },
    expected: ["created /a", "created /a/b", "data-changed /a", "deleted /a/b", "deleted /a"],
  },
  {
    name: "a recursive watch hears of ephemeral nodes that go with their session",
    run: async ({ zk, open }) => {
      const { seen, watch } = notes();
      await zk.addWatch("/", "persistent-recursive", watch);
      const owner = open();
      for (const path of ["/e1", "/e2"]) await owner.create(path, "", { mode: "ephemeral" });
      await owner.close();
      await eventually(() => seen.length === 4);
      return seen.toSorted();
    },
    expected: ["created /e1", "created /e2", "deleted /e1", "deleted /e2"],
  },
  {
    name: "the server holds a persistent watch as one on data and children, a recursive one as one on data",
    run: async ({ zk }) => {
      for (const path of ["/p", "/r"]) await zk.create(path);
      await zk.addWatch("/p", "persistent", () => undefined);
      await zk.addWatch("/r", "persistent-recursive", () => undefined);
      const held: boolean[] = [];
      for (const path of ["/p", "/r"])
        for (const kind of ["data", "children"] as const) held.push(await zk.hasWatch(path, kind));
      return held;
    },
    expected: [true, true, true, true],
  },
  {
    name: "a path that is none cannot be watched",
    run: async ({ zk }) => [
      await codeOf(zk.addWatch("a", "persistent", () => undefined)),
      await codeOf(zk.addWatch("/a/", "persistent-recursive", () => undefined)),
    ],
    expected: ["BAD_ARGUMENTS not-sent", "BAD_ARGUMENTS not-sent"],
  },
  {
    name: "a removed recursive watch leaves the persistent one beside it",
    run: async ({ zk }) => {
      await zk.create("/a");
      const [flat, deep] = [notes(), notes()];
      await zk.addWatch("/a", "persistent", flat.watch);
      const recursive = await zk.addWatch("/a", "persistent-recursive", deep.watch);
      await recursive.remove();
      await zk.set("/a", "1");
      await zk.create("/a/b");
      await zk.create("/a/b/c");
      return [flat.seen, deep.seen];
    },
    expected: [["data-changed /a", "children-changed /a"], []],
  },
  {
    name: "200 changes by others are all heard, in order",
    run: async ({ zk, open }) => {
      await zk.create("/a");
      const { seen, watch } = notes();
      await zk.addWatch("/a", "persistent-recursive", watch);
      const other = open();
      await Promise.all(Array.from({ length: 200 }, (_, index) => other.create(`/a/${index}`)));
      await eventually(() => seen.length === 200);
      return seen.join() === Array.from({ length: 200 }, (_, index) => `created /a/${index}`).join();
    },
    expected: true,
  },
];
