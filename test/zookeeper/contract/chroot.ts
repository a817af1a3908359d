import { op, read } from "../../../src/zookeeper/client.ts";
import { isZooKeeperError } from "../../../src/zookeeper/errors.ts";
import { openAcl } from "../../../src/zookeeper/znode.ts";
import { eventually } from "../../harness/eventually.ts";
import { codeOf, counters, culprit, notes, text, type ContractCase } from "./contract.ts";

export const chrootCases: readonly ContractCase[] = [
  {
    name: "a client in a chroot knows nothing of what is above it",
    run: async ({ zk, open }) => {
      await zk.create("/app");
      const app = open({ chroot: "/app" });
      const { seen, watch } = notes();
      await app.addWatch("/", "persistent-recursive", watch);
      const once = notes();
      await app.exists("/x", { watch: once.watch });
      const made = await app.create("/x", "1");
      const [inMulti] = await app.multi([op.create("/y")]);
      const ephemeral = await app.create("/e", "", { mode: "ephemeral" });
      const failure: unknown = await app.get("/none").catch((error: unknown) => error);
      await zk.sync("/app");
      return [
        made.path,
        inMulti?.type === "create" && inMulti.path,
        ephemeral.path,
        await app.ephemerals(),
        (await app.children("/")).children.sort(),
        (await zk.children("/app")).children.sort(),
        isZooKeeperError(failure) && failure.path,
        seen,
        once.seen,
      ];
    },
    expected: [
      "/x",
      "/y",
      "/e",
      ["/e"],
      ["e", "x", "y"],
      ["e", "x", "y"],
      "/none",
      ["created /x", "created /y", "created /e"],
      ["created /x"],
    ],
  },
  {
    name: "a chroot that is not there shows as missing nodes, and can be watched for",
    run: async ({ zk, open }) => {
      const app = open({ chroot: "/later" });
      const { seen, watch } = notes();
      const before = [await codeOf(app.create("/x")), await app.exists("/", { watch })];
      await zk.create("/later");
      await eventually(() => seen.length > 0);
      return [before, seen, await codeOf(app.create("/x"))];
    },
    expected: [["NO_NODE refused", null], ["created /"], "ok"],
  },
  {
    name: "chroots go one below the other",
    run: async ({ zk, open }) => {
      for (const path of ["/a", "/a/b", "/a/b/c"]) await zk.create(path, path);
      const deep = open({ chroot: "/a/b" });
      return [
        (await deep.children("/")).children,
        text((await deep.get("/c")).data),
        await deep.exists("/a"),
        text((await deep.get("/")).data),
      ];
    },
    expected: [["c"], "/a/b/c", null, "/a/b"],
  },
  {
    name: "events carry paths as the client knows them",
    run: async ({ zk, open }) => {
      await zk.create("/app");
      const app = open({ chroot: "/app" });
      const { seen, watch } = notes();
      await app.children("/", { watch });
      await app.create("/a");
      await app.get("/a", { watch });
      await zk.sync("/");
      await zk.set("/app/a", "1");
      await eventually(() => seen.length === 2);
      return seen;
    },
    expected: ["children-changed /", "data-changed /a"],
  },
  {
    name: "errors carry paths as the client knows them, in a multi too",
    run: async ({ zk, open }) => {
      await zk.create("/app");
      const app = open({ chroot: "/app" });
      const results = await app.multiRead([read.get("/none")]);
      return [
        await culprit(app.get("/none")),
        await culprit(app.multi([op.check("/"), op.check("/none")])),
        results[0]?.type === "error" && results[0].error.path,
      ];
    },
    expected: [["NO_NODE", undefined, "/none"], ["NO_NODE", 1, "/none"], "/none"],
  },
  {
    name: "sequential and ephemeral nodes are named as the client knows them",
    run: async ({ zk, open }) => {
      await zk.create("/app");
      const app = open({ chroot: "/app" });
      const made = await app.create("/s-", "", { mode: "ephemeral-sequential" });
      const [inMulti] = await app.multi([op.create("/s-", "", { mode: "ephemeral-sequential" })]);
      return [
        made.path,
        inMulti?.type === "create" && inMulti.path,
        (await app.ephemerals()).sort(),
        await app.countDescendants("/"),
      ];
    },
    expected: ["/s-0000000000", "/s-0000000001", ["/s-0000000000", "/s-0000000001"], 2],
  },
  {
    name: "watches are taken back by paths as the client knows them",
    run: async ({ zk, open }) => {
      await zk.create("/app");
      const app = open({ chroot: "/app" });
      const { seen, watch } = notes();
      await app.exists("/a", { watch });
      const before = await app.hasWatch("/a");
      await app.removeWatches("/a");
      await app.create("/a");
      return [before, await app.hasWatch("/a"), seen];
    },
    expected: [true, false, []],
  },
  {
    name: "the top of a chroot can be set, guarded and deleted",
    run: async ({ zk, open }) => {
      await zk.create("/app");
      const app = open({ chroot: "/app" });
      await app.set("/", "1");
      await app.setAcl("/", openAcl);
      const { stat } = await app.get("/");
      return [counters(stat), await codeOf(app.delete("/")), await codeOf(app.get("/"))];
    },
    expected: [
      {
        version: 1,
        cversion: 0,
        aversion: 1,
        dataLength: 1,
        numChildren: 0,
      },
      "ok",
      "NO_NODE refused",
    ],
  },
];
