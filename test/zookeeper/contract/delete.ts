import { codeOf, counters, type ContractCase } from "./contract.ts";

export const deleteCases: readonly ContractCase[] = [
  {
    name: "sequence numbers count creations, whatever was deleted since",
    run: async ({ zk }) => {
      const made = async (): Promise<string> => (await zk.create("/s-", "", { mode: "persistent-sequential" })).path;
      const first = await made();
      await zk.create("/plain");
      await zk.delete("/plain");
      await zk.delete(first);
      await zk.create("/other");
      return [first, await made(), await made()];
    },
    expected: ["/s-0000000000", "/s-0000000003", "/s-0000000004"],
  },
  {
    name: "a node is deleted only at the expected version and without children",
    run: async ({ zk }) => {
      await zk.create("/a");
      await zk.create("/a/b");
      return [
        await codeOf(zk.delete("/a", 7)),
        await codeOf(zk.delete("/a")),
        await codeOf(zk.delete("/a/b", 0)),
        await codeOf(zk.delete("/a")),
        await codeOf(zk.delete("/a")),
      ];
    },
    expected: ["BAD_VERSION refused", "NOT_EMPTY refused", "ok", "ok", "NO_NODE refused"],
  },
  {
    name: "the server's own nodes cannot be deleted",
    run: async ({ openWhole }) => {
      const whole = openWhole();
      return [await codeOf(whole.delete("/")), await codeOf(whole.delete("/zookeeper"))];
    },
    expected: ["BAD_ARGUMENTS refused", "BAD_ARGUMENTS refused"],
  },
  {
    name: "what is not there cannot be deleted, at any version",
    run: async ({ zk }) => [
      await codeOf(zk.delete("/a")),
      await codeOf(zk.delete("/a", 3)),
      await codeOf(zk.delete("/a/b")),
    ],
    expected: ["NO_NODE refused", "NO_NODE refused", "NO_NODE refused"],
  },
  {
    name: "of two who delete a node one succeeds",
    run: async ({ zk, open }) => {
      await zk.create("/a");
      const other = open();
      return (await Promise.all([codeOf(zk.delete("/a")), codeOf(other.delete("/a"))])).toSorted();
    },
    expected: ["NO_NODE refused", "ok"],
  },
  {
    name: "a tree goes from its leaves up",
    run: async ({ zk }) => {
      for (const path of ["/a", "/a/b", "/a/b/c", "/a/d"]) await zk.create(path);
      const outcomes: string[] = [];
      for (const path of ["/a", "/a/b", "/a/b/c", "/a/b", "/a/d", "/a"]) outcomes.push(await codeOf(zk.delete(path)));
      return outcomes;
    },
    expected: ["NOT_EMPTY refused", "NOT_EMPTY refused", "ok", "ok", "ok", "ok"],
  },
  {
    name: "an ephemeral node may be deleted by others",
    run: async ({ zk, open }) => {
      const owner = open();
      await owner.create("/e", "", { mode: "ephemeral" });
      const outcome = await codeOf(zk.delete("/e"));
      await owner.sync("/e");
      return [outcome, await owner.exists("/e"), await owner.ephemerals()];
    },
    expected: ["ok", null, []],
  },
  {
    name: "a deletion shows in the parent's stat and in nothing else of it",
    run: async ({ zk }) => {
      await zk.create("/p", "data");
      await zk.create("/p/c");
      const before = (await zk.get("/p")).stat;
      await zk.delete("/p/c");
      const after = (await zk.get("/p")).stat;
      return [
        counters(before),
        counters(after),
        after.pzxid > before.pzxid,
        after.mzxid === before.mzxid,
        after.mtime === before.mtime,
      ];
    },
    expected: [
      {
        version: 0,
        cversion: 1,
        aversion: 0,
        dataLength: 4,
        numChildren: 1,
      },
      {
        version: 0,
        cversion: 2,
        aversion: 0,
        dataLength: 4,
        numChildren: 0,
      },
      true,
      true,
      true,
    ],
  },
  {
    name: "a delete at a version fails when the data has changed since",
    run: async ({ zk, open }) => {
      await zk.create("/a", "0");
      const { stat } = await zk.get("/a");
      await open().set("/a", "1");
      return [await codeOf(zk.delete("/a", stat.version)), await codeOf(zk.delete("/a", stat.version + 1))];
    },
    expected: ["BAD_VERSION refused", "ok"],
  },
];
