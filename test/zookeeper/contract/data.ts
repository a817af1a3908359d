import { openAcl } from "../../../src/zookeeper/znode.ts";
import { codeOf, counters, text, type ContractCase } from "./contract.ts";

export const dataCases: readonly ContractCase[] = [
  {
    name: "a created node has its data, version 0 and a stat that agrees with itself",
    run: async ({ zk }) => {
      const { path, stat } = await zk.create("/a", "hello");
      const got = await zk.get("/a");
      const same =
        JSON.stringify(Object.values(got.stat).map(String)) === JSON.stringify(Object.values(stat).map(String));
      return [path, text(got.data), counters(stat), same, stat.czxid === stat.mzxid, stat.ctime === stat.mtime];
    },
    expected: [
      "/a",
      "hello",
      { version: 0, cversion: 0, aversion: 0, dataLength: 5, numChildren: 0 },
      true,
      true,
      true,
    ],
  },
  {
    name: "a node without data, with empty data and with any bytes read back as such",
    run: async ({ zk }) => {
      const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
      await zk.create("/none");
      await zk.create("/empty", "");
      await zk.create("/bytes", bytes);
      const read = async (path: string): Promise<number[]> => [...(await zk.get(path)).data];
      return [await read("/none"), await read("/empty"), Buffer.from(bytes).equals(Buffer.from(await read("/bytes")))];
    },
    expected: [[], [], true],
  },
  {
    name: "names and data in any script survive",
    run: async ({ zk }) => {
      await zk.create("/größe-日本", "Ω\u{1f600}");
      return [(await zk.children("/")).children, text((await zk.get("/größe-日本")).data)];
    },
    expected: [["größe-日本"], "Ω\u{1f600}"],
  },
  {
    name: "data is set only at the expected version",
    run: async ({ zk }) => {
      await zk.create("/a", "0");
      const first = await zk.set("/a", "1", 0);
      const wrong = await codeOf(zk.set("/a", "2", 0));
      const any = await zk.set("/a", "3");
      return [first.version, wrong, any.version, any.mzxid > any.czxid, await codeOf(zk.set("/none", ""))];
    },
    expected: [1, "BAD_VERSION refused", 2, true, "NO_NODE refused"],
  },
  {
    name: "exists says null for what is not there",
    run: async ({ zk }) => [await zk.exists("/a"), await zk.exists("/a/b/c")],
    expected: [null, null],
  },
  {
    name: "a node takes nearly a megabyte, and one that is too large is refused before it is sent",
    run: async ({ zk }) => {
      const { stat } = await zk.create("/big", new Uint8Array(1_048_000).fill(7));
      const { data } = await zk.get("/big");
      const over = await codeOf(zk.create("/bigger", new Uint8Array(1_048_576)));
      return [stat.dataLength, data.every((byte) => byte === 7), over, zk.state.kind];
    },
    expected: [1_048_000, true, "TOO_LARGE not-sent", "connected"],
  },
  {
    name: "data can be emptied",
    run: async ({ zk }) => {
      await zk.create("/a", "full");
      const stat = await zk.set("/a", "");
      return [stat.dataLength, (await zk.get("/a")).data.length];
    },
    expected: [0, 0],
  },
  {
    name: "a set at the wrong version changes nothing",
    run: async ({ zk }) => {
      await zk.create("/a", "kept");
      const before = (await zk.get("/a")).stat;
      const outcome = await codeOf(zk.set("/a", "lost", 5));
      const { data, stat } = await zk.get("/a");
      return [outcome, text(data), stat.mzxid === before.mzxid, counters(stat)];
    },
    expected: [
      "BAD_VERSION refused",
      "kept",
      true,
      {
        version: 0,
        cversion: 0,
        aversion: 0,
        dataLength: 4,
        numChildren: 0,
      },
    ],
  },
  {
    name: "of many who set at the version they read one succeeds",
    run: async ({ zk, open }) => {
      await zk.create("/a", "0");
      const clients = [zk, open(), open()];
      const outcomes = await Promise.all(clients.map((client, index) => codeOf(client.set("/a", `${index}`, 0))));
      await zk.sync("/a");
      return [outcomes.toSorted(), (await zk.get("/a")).stat.version];
    },
    expected: [["BAD_VERSION refused", "BAD_VERSION refused", "ok"], 1],
  },
  {
    name: "only changes of the data count as versions of it",
    run: async ({ zk }) => {
      await zk.create("/a");
      await zk.create("/a/b");
      await zk.setAcl("/a", openAcl);
      await zk.delete("/a/b");
      return counters((await zk.get("/a")).stat);
    },
    expected: {
      version: 0,
      cversion: 2,
      aversion: 1,
      dataLength: 0,
      numChildren: 0,
    },
  },
  {
    name: "a set moves the time and the transaction of the data, not those of the creation",
    run: async ({ zk }) => {
      const { stat: made } = await zk.create("/a");
      const set = await zk.set("/a", "1");
      return [
        set.czxid === made.czxid,
        set.ctime === made.ctime,
        set.mzxid > made.mzxid,
        set.mtime >= made.mtime,
        set.pzxid === made.pzxid,
      ];
    },
    expected: [true, true, true, true, true],
  },
  {
    name: "what is not there can be neither read nor set",
    run: async ({ zk }) => [
      await codeOf(zk.get("/a")),
      await codeOf(zk.set("/a", "")),
      await codeOf(zk.set("/a", "", 3)),
      await codeOf(zk.children("/a")),
    ],
    expected: ["NO_NODE refused", "NO_NODE refused", "NO_NODE refused", "NO_NODE refused"],
  },
  {
    name: "a set answers with the stat that a read then shows",
    run: async ({ zk }) => {
      await zk.create("/a");
      const set = await zk.set("/a", "1");
      const { stat } = await zk.get("/a");
      return JSON.stringify(Object.values(set).map(String)) === JSON.stringify(Object.values(stat).map(String));
    },
    expected: true,
  },
  {
    name: "data of any length reads back whole",
    run: async ({ zk }) => {
      const sizes = [1, 2, 127, 128, 255, 256, 4_095, 4_096, 65_535, 65_536, 300_000];
      const whole: boolean[] = [];
      for (const size of sizes) {
        const bytes = Buffer.alloc(size, `${size} `);
        await zk.create(`/size-${size}`, bytes);
        whole.push(bytes.equals((await zk.get(`/size-${size}`)).data));
      }
      return whole.every(Boolean);
    },
    expected: true,
  },
  {
    name: "each of 500 reads under way at once gets its own answer",
    run: async ({ zk }) => {
      const names = Array.from({ length: 500 }, (_, index) => `/n-${index}`);
      await Promise.all(names.map((name) => zk.create(name, name)));
      const got = await Promise.all(names.map((name) => zk.get(name)));
      return got.every(({ data }, index) => text(data) === names[index]);
    },
    expected: true,
  },
  {
    name: "an ephemeral node is set and read as any other",
    run: async ({ zk, open }) => {
      const owner = open();
      await owner.create("/e", "0", { mode: "ephemeral" });
      const stat = await zk.set("/e", "1", 0);
      return [stat.version, stat.ephemeralOwner === owner.sessionId, text((await zk.get("/e")).data)];
    },
    expected: [1, true, "1"],
  },
  {
    name: "exists gives the stat that get gives",
    run: async ({ zk }) => {
      await zk.create("/a", "data");
      const [seen, got] = await Promise.all([zk.exists("/a"), zk.get("/a")]);
      return (
        JSON.stringify(Object.values(seen ?? {}).map(String)) === JSON.stringify(Object.values(got.stat).map(String))
      );
    },
    expected: true,
  },
];
