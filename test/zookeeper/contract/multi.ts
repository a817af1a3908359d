import { op } from "../../../src/zookeeper/client.ts";
import { isZooKeeperError } from "../../../src/zookeeper/errors.ts";
import { creatorAcl } from "../../../src/zookeeper/znode.ts";
import { codeOf, counters, culprit, notes, text, type ContractCase } from "./contract.ts";

export const multiCases: readonly ContractCase[] = [
  {
    name: "a multi does all of its operations",
    run: async ({ zk }) => {
      await zk.create("/a", "0");
      const results = await zk.multi([
        op.check("/a", 0),
        op.create("/a/b", "new"),
        op.set("/a/b", "newer", 0),
        op.create("/a/s-", "", { mode: "ephemeral-sequential" }),
        op.set("/a", "1", 0),
        op.create("/gone"),
        op.delete("/gone", 0),
      ]);
      return [
        results.map((each) =>
          each.type === "create" ? each.path : each.type === "set" ? each.stat.version : each.type,
        ),
        text((await zk.get("/a/b")).data),
        (await zk.children("/a")).children.sort(),
        (await zk.children("/")).children,
      ];
    },
    expected: [["check", "/a/b", 1, "/a/s-0000000001", 1, "/gone", "delete"], "newer", ["b", "s-0000000001"], ["a"]],
  },
  {
    name: "a multi that is refused changes nothing, numbers no child and names the culprit",
    run: async ({ zk }) => {
      await zk.create("/a", "0");
      const { seen, watch } = notes();
      await zk.addWatch("/a", "persistent-recursive", watch);
      const error: unknown = await zk
        .multi([
          op.set("/a", "1"),
          op.create("/a/b"),
          op.create("/a/s-", "", { mode: "persistent-sequential" }),
          op.delete("/none"),
          op.set("/a", "2"),
        ])
        .catch((thrown: unknown) => thrown);
      const { data, stat } = await zk.get("/a");
      const facts = isZooKeeperError(error) ? [error.code, error.index, error.path, error.outcome] : error;
      const next = (await zk.create("/a/s-", "", { mode: "persistent-sequential" })).path;
      return [facts, text(data), counters(stat), next, seen];
    },
    expected: [
      ["NO_NODE", 3, "/none", "refused"],
      "0",
      { version: 0, cversion: 0, aversion: 0, dataLength: 1, numChildren: 0 },
      "/a/s-0000000000",
      ["created /a/s-0000000000"],
    ],
  },
  {
    name: "a multi may only check, or be empty",
    run: async ({ zk }) => {
      await zk.create("/a");
      return [
        await zk.multi([op.check("/a"), op.check("/a", 0)]),
        await zk.multi([]),
        await codeOf(zk.multi([op.check("/a", 1)])),
        await codeOf(zk.multi([op.check("/none")])),
      ];
    },
    expected: [[{ type: "check" }, { type: "check" }], [], "BAD_VERSION refused", "NO_NODE refused"],
  },
  {
    name: "containers and nodes with a time to live can be made, alone and in a multi",
    run: async ({ zk }) => {
      const container = await zk.create("/c", "", { mode: "container" });
      const ttl = await zk.create("/t", "", { mode: "persistent-ttl", ttlMs: 60_000 });
      const numbered = await zk.create("/t-", "", { mode: "persistent-sequential-ttl", ttlMs: 60_000 });
      const [both] = await zk.multi([op.create("/c/t", "", { mode: "persistent-ttl", ttlMs: 60_000 })]);
      return [
        container.stat.ephemeralOwner,
        ttl.stat.ephemeralOwner,
        numbered.path,
        both?.type === "create" ? both.path : both,
        await codeOf(zk.create("/bad", "", { mode: "persistent-ttl", ttlMs: 0 })),
        await codeOf(zk.create("/bad", "", { mode: "persistent-ttl" })),
      ];
    },
    expected: [0n, 0n, "/t-0000000002", "/c/t", "BAD_ARGUMENTS refused", "BAD_ARGUMENTS refused"],
  },
  {
    name: "a multi may build on its own earlier operations",
    run: async ({ zk }) => {
      await zk.multi([
        op.create("/a"),
        op.create("/a/b", "0"),
        op.set("/a/b", "1", 0),
        op.set("/a/b", "2", 1),
        op.check("/a/b", 2),
      ]);
      return [text((await zk.get("/a/b")).data), counters((await zk.get("/a")).stat)];
    },
    expected: [
      "2",
      {
        version: 0,
        cversion: 1,
        aversion: 0,
        dataLength: 0,
        numChildren: 1,
      },
    ],
  },
  {
    name: "a child before its parent is refused",
    run: async ({ zk }) => await culprit(zk.multi([op.create("/a/b"), op.create("/a")])),
    expected: ["NO_NODE", 0, "/a/b"],
  },
  {
    name: "two sequential nodes of one multi get two numbers",
    run: async ({ zk }) => {
      const mode = "persistent-sequential";
      const results = await zk.multi([op.create("/s-", "", { mode }), op.create("/s-", "", { mode })]);
      return results.map((each) => each.type === "create" && each.path);
    },
    expected: ["/s-0000000000", "/s-0000000001"],
  },
  {
    name: "each reason for a refusal comes with its operation",
    run: async ({ zk, open }) => {
      const owner = open({ auth: [{ scheme: "digest", credentials: "app:secret" }] });
      await owner.create("/mine", "", { acl: creatorAcl });
      await zk.sync("/");
      await zk.create("/a");
      await zk.create("/a/b");
      await zk.create("/e", "", { mode: "ephemeral" });
      const ok = op.check("/a");
      return [
        await culprit(zk.multi([ok, op.create("/a")])),
        await culprit(zk.multi([ok, ok, op.delete("/a")])),
        await culprit(zk.multi([op.set("/a", "1", 7), ok])),
        await culprit(zk.multi([op.delete("/a/b", 7)])),
        await culprit(zk.multi([ok, op.set("/mine", "")])),
        await culprit(zk.multi([ok, op.create("/e/x")])),
        await culprit(zk.multi([ok, op.check("/none", 1)])),
        await culprit(zk.multi([ok, op.create("/t", "", { mode: "persistent-ttl", ttlMs: 0 })])),
      ];
    },
    expected: [
      ["NODE_EXISTS", 1, "/a"],
      ["NOT_EMPTY", 2, "/a"],
      ["BAD_VERSION", 0, "/a"],
      ["BAD_VERSION", 0, "/a/b"],
      ["NO_AUTH", 1, "/mine"],
      ["NO_CHILDREN_FOR_EPHEMERALS", 1, "/e/x"],
      ["NO_NODE", 1, "/none"],
      ["BAD_ARGUMENTS", 1, "/t"],
    ],
  },
  {
    name: "a path that is none is refused before anything is sent, whichever operation has it",
    run: async ({ zk }) => [await culprit(zk.multi([op.create("/a"), op.delete("b")])), await zk.exists("/a")],
    expected: [["BAD_ARGUMENTS", undefined, "b"], null],
  },
  {
    name: "what is made and deleted in one multi was never there for readers",
    run: async ({ zk }) => {
      await zk.multi([op.create("/a"), op.delete("/a")]);
      return [await zk.exists("/a"), (await zk.children("/")).children, counters((await zk.children("/")).stat)];
    },
    expected: [
      null,
      [],
      {
        version: 0,
        cversion: 2,
        aversion: 0,
        dataLength: 0,
        numChildren: 0,
      },
    ],
  },
  {
    name: "1,000 operations go in one multi",
    run: async ({ zk }) => {
      const results = await zk.multi(Array.from({ length: 1_000 }, (_, index) => op.create(`/n-${index}`, `${index}`)));
      return [results.length, (await zk.children("/")).stat.numChildren, text((await zk.get("/n-999")).data)];
    },
    expected: [1000, 1000, "999"],
  },
  {
    name: "a multi over the limit is refused before it is sent",
    run: async ({ zk }) => {
      const half = new Uint8Array(600_000);
      return [await codeOf(zk.multi([op.create("/a", half), op.create("/b", half)])), await zk.exists("/a")];
    },
    expected: ["TOO_LARGE not-sent", null],
  },
  {
    name: "nobody reads a multi half done",
    run: async ({ zk, open }) => {
      await zk.multi([op.create("/a", "0"), op.create("/b", "0")]);
      const other = open();
      const torn: string[] = [];
      const writing = (async () => {
        for (let round = 1; round <= 40; round += 1)
          await other.multi([op.set("/a", `${round}`), op.set("/b", `${round}`)]);
      })();
      for (let round = 0; round < 40; round += 1) {
        // In this order: what the second read sees is not older than the first.
        const [b, a] = await Promise.all([zk.get("/b"), zk.get("/a")]);
        if (a.stat.version < b.stat.version) torn.push(`${a.stat.version} ${b.stat.version}`);
      }
      await writing;
      return torn;
    },
    expected: [],
  },
  {
    name: "a refused multi takes no sequence number and leaves no ephemeral node",
    run: async ({ zk }) => {
      const refused = await culprit(
        zk.multi([op.create("/s-", "", { mode: "ephemeral-sequential" }), op.check("/none")]),
      );
      return [refused, await zk.ephemerals(), (await zk.create("/s-", "", { mode: "ephemeral-sequential" })).path];
    },
    expected: [["NO_NODE", 1, "/none"], [], "/s-0000000000"],
  },
  {
    name: "all changes of a multi are one transaction",
    run: async ({ zk }) => {
      await zk.multi([op.create("/a"), op.create("/b")]);
      const [a, b] = await Promise.all([zk.exists("/a"), zk.exists("/b")]);
      return a?.czxid === b?.czxid;
    },
    expected: true,
  },
];
