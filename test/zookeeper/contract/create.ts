import { eventually } from "../../harness/eventually.ts";
import { codeOf, counters, notes, text, type ContractCase } from "./contract.ts";

export const createCases: readonly ContractCase[] = [
  {
    name: "creating where a node is, and below nothing, is refused",
    run: async ({ zk }) => {
      await zk.create("/a");
      return [await codeOf(zk.create("/a")), await codeOf(zk.create("/b/c")), await codeOf(zk.create("/"))];
    },
    expected: ["NODE_EXISTS refused", "NO_NODE refused", "NODE_EXISTS refused"],
  },
  {
    name: "a path that is none is refused before anything is sent",
    run: async ({ zk }) => [await codeOf(zk.create("a")), await codeOf(zk.get("/a/")), await codeOf(zk.set("/..", ""))],
    expected: ["BAD_ARGUMENTS not-sent", "BAD_ARGUMENTS not-sent", "BAD_ARGUMENTS not-sent"],
  },
  {
    name: "a sequential node may have no name but its number",
    run: async ({ zk }) => {
      await zk.create("/queue");
      return [
        (await zk.create("/queue/", "", { mode: "persistent-sequential" })).path,
        (await zk.create("/queue/", "", { mode: "ephemeral-sequential" })).path,
      ];
    },
    expected: ["/queue/0000000000", "/queue/0000000001"],
  },
  {
    name: "an ephemeral node belongs to its session and goes with it",
    run: async ({ zk, open }) => {
      const owner = open();
      const { stat } = await owner.create("/e", "", { mode: "ephemeral" });
      const listed = await owner.ephemerals();
      const gone = notes();
      await zk.exists("/e", { watch: gone.watch });
      const child = await codeOf(owner.create("/e/child"));
      await owner.close();
      await eventually(() => gone.seen.length > 0);
      return [stat.ephemeralOwner === owner.sessionId, listed, child, gone.seen, await zk.exists("/e")];
    },
    expected: [true, ["/e"], "NO_CHILDREN_FOR_EPHEMERALS refused", ["deleted /e"], null],
  },
  {
    name: "the owner of a node is its session when it is ephemeral, and nobody when not",
    run: async ({ zk }) => {
      const owners: boolean[] = [];
      for (const mode of ["persistent", "ephemeral", "persistent-sequential", "ephemeral-sequential"] as const) {
        const { stat } = await zk.create(`/${mode}-`, "", { mode });
        owners.push(stat.ephemeralOwner === zk.sessionId);
      }
      return owners;
    },
    expected: [false, true, false, true],
  },
  {
    name: "a node made again after it was deleted is another node",
    run: async ({ zk }) => {
      const first = await zk.create("/a", "1");
      await zk.set("/a", "2");
      await zk.delete("/a");
      const second = await zk.create("/a", "3");
      return [second.stat.czxid > first.stat.czxid, counters(second.stat), text((await zk.get("/a")).data)];
    },
    expected: [
      true,
      {
        version: 0,
        cversion: 0,
        aversion: 0,
        dataLength: 1,
        numChildren: 0,
      },
      "3",
    ],
  },
  {
    name: "sequence numbers are of ten digits and of each parent its own",
    run: async ({ zk }) => {
      const made: string[] = [];
      for (const parent of ["/p", "/q"]) {
        await zk.create(parent);
        for (const name of ["x-", "y-"]) {
          made.push((await zk.create(`${parent}/${name}`, "", { mode: "persistent-sequential" })).path);
        }
      }
      return made;
    },
    expected: ["/p/x-0000000000", "/p/y-0000000001", "/q/x-0000000000", "/q/y-0000000001"],
  },
  {
    name: "a plain node counts for the next sequence number",
    run: async ({ zk }) => {
      const mode = "persistent-sequential";
      const first = await zk.create("/s-", "", { mode });
      await zk.create("/s-0000000001");
      const second = await zk.create("/s-", "", { mode });
      return [first.path, second.path];
    },
    expected: ["/s-0000000000", "/s-0000000002"],
  },
  {
    name: "a sequential node needs its parent as any other",
    run: async ({ zk }) => [
      await codeOf(zk.create("/none/s-", "", { mode: "persistent-sequential" })),
      await codeOf(zk.create("/none/s-", "", { mode: "ephemeral-sequential" })),
    ],
    expected: ["NO_NODE refused", "NO_NODE refused"],
  },
  {
    name: "names may have dots, spaces, and any letters",
    run: async ({ zk }) => {
      const names = ["..a", "a..b", ".a", "a b", "a%2Fb", "日本", "a:b,c;d", "~", "-"];
      for (const name of names) await zk.create(`/${name}`);
      return (await zk.children("/")).children.sort().join("|") === names.toSorted().join("|");
    },
    expected: true,
  },
  {
    name: "a name of 1,000 characters and a path of 40 names are as good as any",
    run: async ({ zk }) => {
      const long = `/${"n".repeat(1_000)}`;
      await zk.create(long, "long");
      let deep = "";
      for (let depth = 0; depth < 40; depth += 1) {
        deep += `/${depth}`;
        await zk.create(deep, `${depth}`);
      }
      return [text((await zk.get(long)).data), text((await zk.get(deep)).data)];
    },
    expected: ["long", "39"],
  },
  {
    name: "of many who create the same node one succeeds",
    run: async ({ zk, open }) => {
      const clients = [zk, open(), open()];
      const tries = clients.flatMap((client, each) =>
        Array.from({ length: 5 }, (_, index) => codeOf(client.create("/one", `${each}-${index}`))),
      );
      const outcomes = await Promise.all(tries);
      return outcomes
        .toSorted()
        .reduce(
          (counts, outcome) => ({ ...counts, [outcome]: (counts[outcome] ?? 0) + 1 }),
          {} as Record<string, number>,
        );
    },
    expected: {
      "NODE_EXISTS refused": 14,
      ok: 1,
    },
  },
  {
    name: "of many who create sequential nodes each gets its own number",
    run: async ({ zk, open }) => {
      const clients = [zk, open(), open()];
      const made = await Promise.all(
        Array.from({ length: 60 }, (_, index) =>
          (clients[index % 3] ?? zk).create("/n-", "", { mode: "persistent-sequential" }),
        ),
      );
      return (
        made
          .map((each) => each.path)
          .toSorted()
          .join() === Array.from({ length: 60 }, (_, index) => `/n-${`${index}`.padStart(10, "0")}`).join()
      );
    },
    expected: true,
  },
  {
    name: "the answer to a create has the node's stat",
    run: async ({ zk }) => {
      const { stat } = await zk.create("/a", "data");
      const seen = await zk.exists("/a");
      return JSON.stringify(Object.values(stat).map(String)) === JSON.stringify(Object.values(seen ?? {}).map(String));
    },
    expected: true,
  },
  {
    name: "an ephemeral name is free again when its session has closed",
    run: async ({ zk, open }) => {
      const owner = open();
      await owner.create("/e", "theirs", { mode: "ephemeral" });
      const taken = await codeOf(zk.create("/e", "ours", { mode: "ephemeral" }));
      await owner.close();
      return [taken, await codeOf(zk.create("/e", "ours", { mode: "ephemeral" }))];
    },
    expected: ["NODE_EXISTS refused", "ok"],
  },
  {
    name: "paths that are none are refused whatever is asked of them",
    run: async ({ zk }) => {
      const bad = ["", "a", "//", "/a/", "/a//b", "/./a", "/a/..", "/a\u0000b", "/a\u0001", "/\ud800"];
      const outcomes = await Promise.all(
        bad.flatMap((path) => [
          codeOf(zk.create(path)),
          codeOf(zk.exists(path)),
          codeOf(zk.children(path)),
          codeOf(zk.delete(path)),
        ]),
      );
      return [...new Set(outcomes)];
    },
    expected: ["BAD_ARGUMENTS not-sent"],
  },
];
