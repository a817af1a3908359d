import { op, read } from "../../../src/zookeeper/client.ts";
import { creatorAcl } from "../../../src/zookeeper/znode.ts";
import { codeOf, counters, text, type ContractCase } from "./contract.ts";

export const multiReadCases: readonly ContractCase[] = [
  {
    name: "data and children of several nodes are read in one packet",
    run: async ({ zk }) => {
      await zk.create("/a", "1");
      await zk.create("/a/b", "2");
      const results = await zk.multiRead([
        read.get("/a"),
        read.children("/a"),
        read.get("/a/b"),
        read.children("/a/b"),
      ]);
      return results.map((each) =>
        each.type === "get"
          ? [text(each.data), counters(each.stat)]
          : each.type === "children"
            ? each.children
            : each.error.code,
      );
    },
    expected: [
      [
        "1",
        {
          version: 0,
          cversion: 1,
          aversion: 0,
          dataLength: 1,
          numChildren: 1,
        },
      ],
      ["b"],
      [
        "2",
        {
          version: 0,
          cversion: 0,
          aversion: 0,
          dataLength: 1,
          numChildren: 0,
        },
      ],
      [],
    ],
  },
  {
    name: "each read fails by itself, with its path and place",
    run: async ({ zk }) => {
      await zk.create("/a", "1");
      const results = await zk.multiRead([read.get("/none"), read.get("/a"), read.children("/none")]);
      return results.map((each) =>
        each.type === "error" ? [each.error.code, each.error.path, each.error.index] : each.type,
      );
    },
    expected: [["NO_NODE", "/none", 0], "get", ["NO_NODE", "/none", 2]],
  },
  {
    name: "what may not be read is refused among what may",
    run: async ({ zk, open }) => {
      const owner = open({ auth: [{ scheme: "digest", credentials: "app:secret" }] });
      await owner.create("/mine", "", { acl: creatorAcl });
      await zk.sync("/");
      await zk.create("/a");
      const ops = [read.get("/mine"), read.get("/a"), read.children("/mine")];
      const codes = async (client: typeof zk): Promise<string[]> =>
        (await client.multiRead(ops)).map((each) => (each.type === "error" ? each.error.code : each.type));
      await owner.sync("/");
      return [await codes(zk), await codes(owner)];
    },
    expected: [
      ["NO_AUTH", "get", "NO_AUTH"],
      ["get", "get", "children"],
    ],
  },
  {
    name: "reading nothing gives nothing",
    run: async ({ zk }) => await zk.multiRead([]),
    expected: [],
  },
  {
    name: "a node may be read twice",
    run: async ({ zk }) => {
      await zk.create("/a", "1");
      return (await zk.multiRead([read.get("/a"), read.get("/a")])).map((each) =>
        each.type === "get" ? text(each.data) : each.type,
      );
    },
    expected: ["1", "1"],
  },
  {
    name: "a multi-read leaves no watches",
    run: async ({ zk }) => {
      await zk.create("/a", "1");
      await zk.multiRead([read.get("/a"), read.children("/a")]);
      return await zk.hasWatch("/a");
    },
    expected: false,
  },
  {
    name: "500 nodes are read at once",
    run: async ({ zk }) => {
      const paths = Array.from({ length: 500 }, (_, index) => `/n-${index}`);
      await zk.multi(paths.map((path) => op.create(path, path)));
      const results = await zk.multiRead(paths.map((path) => read.get(path)));
      return results.every((each, index) => each.type === "get" && text(each.data) === paths[index]);
    },
    expected: true,
  },
  {
    name: "a path that is none is refused before anything is sent, whichever read has it",
    run: async ({ zk }) => await codeOf(zk.multiRead([read.get("/"), read.children("a")])),
    expected: "BAD_ARGUMENTS not-sent",
  },
];
