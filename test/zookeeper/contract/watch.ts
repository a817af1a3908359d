import { op, type WatchEvent } from "../../../src/zookeeper/client.ts";
import { openAcl } from "../../../src/zookeeper/znode.ts";
import { eventually } from "../../harness/eventually.ts";
import { codeOf, notes, text, type ContractCase } from "./contract.ts";

export const watchCases: readonly ContractCase[] = [
  {
    name: "a data watch fires once, for the next change only",
    run: async ({ zk }) => {
      await zk.create("/a");
      const { seen, watch } = notes();
      await zk.get("/a", { watch });
      await zk.set("/a", "1");
      await zk.set("/a", "2");
      return seen;
    },
    expected: ["data-changed /a"],
  },
  {
    name: "a session hears of its own change before the change is answered",
    run: async ({ zk }) => {
      await zk.create("/a");
      const order: string[] = [];
      await zk.get("/a", { watch: () => void order.push("event") });
      await zk.set("/a", "1").then(() => order.push("answer"));
      return order;
    },
    expected: ["event", "answer"],
  },
  {
    name: "a watch on nothing fires when the node is created",
    run: async ({ zk, open }) => {
      const { seen, watch } = notes();
      await zk.exists("/later", { watch });
      await open().create("/later");
      await eventually(() => seen.length > 0);
      return seen;
    },
    expected: ["created /later"],
  },
  {
    name: "a read that is refused leaves no watch behind",
    run: async ({ zk }) => {
      const { seen, watch } = notes();
      const refused = [await codeOf(zk.get("/later", { watch })), await codeOf(zk.children("/later", { watch }))];
      await zk.create("/later");
      await zk.set("/later", "1");
      return [refused, seen];
    },
    expected: [["NO_NODE refused", "NO_NODE refused"], []],
  },
  {
    name: "a children watch hears of a child made, of none changed, and of the node's own end",
    run: async ({ zk }) => {
      await zk.create("/p");
      const { seen, watch } = notes();
      await zk.children("/p", { watch });
      await zk.create("/p/c");
      await zk.children("/p", { watch });
      await zk.set("/p/c", "data");
      await zk.set("/p", "data");
      await zk.delete("/p/c");
      await zk.children("/p", { watch });
      await zk.delete("/p");
      return seen;
    },
    expected: ["children-changed /p", "children-changed /p", "deleted /p"],
  },
  {
    name: "a node that is deleted is told once to a session that watches its data and its children",
    run: async ({ zk }) => {
      await zk.create("/a");
      const { seen, watch } = notes();
      await zk.get("/a", { watch });
      await zk.children("/a", { watch });
      await zk.delete("/a");
      return seen;
    },
    expected: ["deleted /a"],
  },
  {
    name: "a watch set by exists hears of new data, and of the end",
    run: async ({ zk }) => {
      await zk.create("/a");
      const { seen, watch } = notes();
      await zk.exists("/a", { watch });
      await zk.set("/a", "1");
      await zk.exists("/a", { watch });
      await zk.delete("/a");
      return seen;
    },
    expected: ["data-changed /a", "deleted /a"],
  },
  {
    name: "a watch on nothing does not hear of what comes beside or below",
    run: async ({ zk }) => {
      const { seen, watch } = notes();
      await zk.exists("/a/b", { watch });
      await zk.create("/a");
      await zk.create("/a/c");
      const early = [...seen];
      await zk.create("/a/b");
      return [early, seen];
    },
    expected: [[], ["created /a/b"]],
  },
  {
    name: "a data watch hears of no children and of no change of the access list",
    run: async ({ zk }) => {
      await zk.create("/a");
      const { seen, watch } = notes();
      await zk.get("/a", { watch });
      await zk.create("/a/b");
      await zk.set("/a/b", "1");
      await zk.setAcl("/a", openAcl);
      await zk.delete("/a/b");
      return seen;
    },
    expected: [],
  },
  {
    name: "a children watch hears of no grandchildren",
    run: async ({ zk }) => {
      for (const path of ["/a", "/a/b"]) await zk.create(path);
      const { seen, watch } = notes();
      await zk.children("/a", { watch });
      await zk.create("/a/b/c");
      await zk.delete("/a/b/c");
      return seen;
    },
    expected: [],
  },
  {
    name: "every handler at a path is called, each once",
    run: async ({ zk }) => {
      await zk.create("/a");
      const [one, two, three] = [notes(), notes(), notes()];
      await zk.get("/a", { watch: one.watch });
      await zk.exists("/a", { watch: two.watch });
      await zk.get("/a", { watch: three.watch });
      await zk.set("/a", "1");
      await zk.set("/a", "2");
      return [one.seen, two.seen, three.seen];
    },
    expected: [["data-changed /a"], ["data-changed /a"], ["data-changed /a"]],
  },
  {
    name: "one handler serves many paths, and counts once at each",
    run: async ({ zk }) => {
      const { seen, watch } = notes();
      for (const path of ["/a", "/b"]) {
        await zk.create(path);
        await zk.get(path, { watch });
        await zk.get(path, { watch });
      }
      await zk.set("/b", "1");
      await zk.set("/a", "1");
      return seen;
    },
    expected: ["data-changed /b", "data-changed /a"],
  },
  {
    name: "a node deleted and made again is told as deleted to those who watched it",
    run: async ({ zk }) => {
      await zk.create("/a");
      const { seen, watch } = notes();
      await zk.get("/a", { watch });
      await zk.delete("/a");
      await zk.create("/a");
      return seen;
    },
    expected: ["deleted /a"],
  },
  {
    name: "a watch set again in its handler misses no last state",
    run: async ({ zk, open }) => {
      await zk.create("/a", "0");
      const other = open();
      let last = "";
      const look = async (event?: WatchEvent): Promise<void> => {
        if (event?.type === "lost") return;
        last = text((await zk.get("/a", { watch: look })).data);
      };
      await look();
      for (let round = 1; round <= 20; round += 1) await other.set("/a", `${round}`);
      await eventually(() => last === "20");
      return last;
    },
    expected: "20",
  },
  {
    name: "one session's watch is not another's",
    run: async ({ zk, open }) => {
      await zk.create("/a");
      const other = open();
      const [mine, theirs] = [notes(), notes()];
      await zk.get("/a", { watch: mine.watch });
      await other.get("/a", { watch: theirs.watch });
      await zk.set("/a", "1");
      await other.sync("/a");
      await eventually(() => theirs.seen.length > 0);
      return [mine.seen, theirs.seen];
    },
    expected: [["data-changed /a"], ["data-changed /a"]],
  },
  {
    name: "who hears of a change reads the state after it",
    run: async ({ zk, open }) => {
      await zk.create("/a", "old");
      const read = Promise.withResolvers<string>();
      await zk.get("/a", { watch: async () => read.resolve(text((await zk.get("/a")).data)) });
      await open().set("/a", "new");
      return await read.promise;
    },
    expected: "new",
  },
  {
    name: "a session that closes is told to those who watch its nodes",
    run: async ({ zk, open }) => {
      const owner = open();
      await owner.create("/e", "", { mode: "ephemeral" });
      await zk.sync("/");
      const { seen, watch } = notes();
      await zk.get("/e", { watch });
      await zk.children("/", { watch });
      await owner.close();
      await eventually(() => seen.length === 2);
      return seen.toSorted();
    },
    expected: ["children-changed /", "deleted /e"],
  },
  {
    name: "300 watches fire, each for its own node",
    run: async ({ zk, open }) => {
      const paths = Array.from({ length: 300 }, (_, index) => `/n-${index}`);
      const { seen, watch } = notes();
      await Promise.all(paths.map((path) => zk.exists(path, { watch })));
      const other = open();
      await Promise.all(paths.map((path) => other.create(path)));
      await eventually(() => seen.length >= paths.length);
      return (
        seen.toSorted().join() ===
        paths
          .map((path) => `created ${path}`)
          .toSorted()
          .join()
      );
    },
    expected: true,
  },
  {
    name: "a multi is told change by change, in its order",
    run: async ({ zk }) => {
      await zk.create("/a");
      await zk.create("/b");
      const { seen, watch } = notes();
      await zk.get("/b", { watch });
      await zk.get("/a", { watch });
      await zk.exists("/c", { watch });
      await zk.multi([op.set("/a", "1"), op.create("/c"), op.delete("/b")]);
      return seen;
    },
    expected: ["data-changed /a", "created /c", "deleted /b"],
  },
  {
    name: "a refused multi is told to nobody",
    run: async ({ zk }) => {
      await zk.create("/a");
      const { seen, watch } = notes();
      await zk.get("/a", { watch });
      await zk.children("/", { watch });
      const refused = await codeOf(zk.multi([op.set("/a", "1"), op.create("/b"), op.check("/none")]));
      return [refused, seen];
    },
    expected: ["NO_NODE refused", []],
  },
  {
    name: "a watch forgotten here alone calls nobody",
    run: async ({ zk }) => {
      await zk.create("/a");
      const [gone, kept] = [notes(), notes()];
      await zk.get("/a", { watch: gone.watch });
      await zk.get("/a", { watch: kept.watch });
      zk.unwatch("/a", gone.watch);
      await zk.set("/a", "1");
      return [gone.seen, kept.seen];
    },
    expected: [[], ["data-changed /a"]],
  },
];
