import { codeOf, counters, type ContractCase } from "./contract.ts";

export const childrenCases: readonly ContractCase[] = [
  {
    name: "a fresh server has its own nodes",
    run: async ({ openWhole }) => (await openWhole().children("/zookeeper")).children.sort(),
    expected: ["config", "quota"],
  },
  {
    name: "children are listed and counted, and their coming and going shows in the parent",
    run: async ({ zk }) => {
      const { stat: before } = await zk.create("/p");
      for (const name of ["a", "b", "c"]) await zk.create(`/p/${name}`);
      await zk.delete("/p/b");
      const { children, stat } = await zk.children("/p");
      return [children.sort(), counters(stat), stat.pzxid > before.pzxid, stat.mzxid === before.mzxid];
    },
    expected: [["a", "c"], { version: 0, cversion: 4, aversion: 0, dataLength: 0, numChildren: 2 }, true, true],
  },
  {
    name: "a directory of 2,000 nodes made in one go is listed whole",
    run: async ({ zk }) => {
      await zk.create("/many");
      const names = Array.from({ length: 2_000 }, (_, index) => `node-${index}`);
      await Promise.all(names.map((name) => zk.create(`/many/${name}`, name)));
      const { children, stat } = await zk.children("/many");
      return [
        new Set(children).size,
        stat.numChildren,
        await zk.countDescendants("/many"),
        await zk.countDescendants("/"),
      ];
    },
    expected: [2_000, 2_000, 2_000, 2_001],
  },
  {
    name: "a leaf has no children",
    run: async ({ zk }) => {
      await zk.create("/a");
      return (await zk.children("/a")).children;
    },
    expected: [],
  },
  {
    name: "children are names, not paths, and grandchildren are not among them",
    run: async ({ zk }) => {
      for (const path of ["/a", "/a/b", "/a/b/c", "/ab"]) await zk.create(path);
      return [(await zk.children("/")).children.sort(), (await zk.children("/a")).children];
    },
    expected: [["a", "ab"], ["b"]],
  },
  {
    name: "children come with the stat of their parent",
    run: async ({ zk }) => {
      await zk.create("/a", "data");
      await zk.create("/a/b");
      const [{ stat }, seen] = await Promise.all([zk.children("/a"), zk.exists("/a")]);
      return [
        JSON.stringify(Object.values(stat).map(String)) === JSON.stringify(Object.values(seen ?? {}).map(String)),
        counters(stat),
      ];
    },
    expected: [
      true,
      {
        version: 0,
        cversion: 1,
        aversion: 0,
        dataLength: 4,
        numChildren: 1,
      },
    ],
  },
  {
    name: "what is not there has neither children nor descendants",
    run: async ({ zk }) => [await codeOf(zk.children("/a")), await codeOf(zk.countDescendants("/a"))],
    expected: ["NO_NODE refused", "NO_NODE refused"],
  },
  {
    name: "descendants are counted at all depths and by whole names",
    run: async ({ zk }) => {
      for (const path of ["/a", "/a/b", "/a/b/c", "/a/b/c/d", "/ab", "/ab/c"]) await zk.create(path);
      return [
        await zk.countDescendants("/a"),
        await zk.countDescendants("/a/b"),
        await zk.countDescendants("/ab"),
        await zk.countDescendants("/"),
      ];
    },
    expected: [3, 2, 1, 6],
  },
  {
    name: "a session lists its own ephemeral nodes, below a path or all",
    run: async ({ zk, open }) => {
      const other = open();
      for (const path of ["/a", "/b"]) await zk.create(path);
      for (const path of ["/a/1", "/a/2", "/b/1"]) await zk.create(path, "", { mode: "ephemeral" });
      await other.sync("/");
      await other.create("/a/3", "", { mode: "ephemeral" });
      return [
        (await zk.ephemerals()).sort(),
        (await zk.ephemerals("/a")).sort(),
        await other.ephemerals(),
        await zk.ephemerals("/none"),
      ];
    },
    expected: [["/a/1", "/a/2", "/b/1"], ["/a/1", "/a/2"], ["/a/3"], []],
  },
  {
    name: "an ephemeral node that was deleted is listed no more",
    run: async ({ zk }) => {
      await zk.create("/e", "", { mode: "ephemeral" });
      await zk.delete("/e");
      return await zk.ephemerals();
    },
    expected: [],
  },
  {
    name: "sequential children are listed with their numbers",
    run: async ({ zk }) => {
      for (let index = 0; index < 3; index += 1) await zk.create("/s-", "", { mode: "ephemeral-sequential" });
      return (await zk.children("/")).children.sort();
    },
    expected: ["s-0000000000", "s-0000000001", "s-0000000002"],
  },
];
