import { eventually } from "../../harness/eventually.ts";
import { codeOf, notes, text, type ContractCase } from "./contract.ts";

export const sessionCases: readonly ContractCase[] = [
  {
    name: "pipelined operations are carried out in the order of the calls",
    run: async ({ zk }) => {
      await zk.create("/a");
      const versions = await Promise.all(Array.from({ length: 50 }, (_, index) => zk.set("/a", `${index}`)));
      return [versions.map((stat) => stat.version).join(), text((await zk.get("/a")).data)];
    },
    expected: [Array.from({ length: 50 }, (_, index) => index + 1).join(), "49"],
  },
  {
    name: "a read after sync sees what another session wrote",
    run: async ({ zk, open }) => {
      await zk.create("/a", "0");
      const other = open();
      await other.set("/a", "1");
      await zk.sync("/a");
      return text((await zk.get("/a")).data);
    },
    expected: "1",
  },
  {
    name: "operations on a closed client are refused, and those before close are answered",
    run: async ({ open }) => {
      const client = open();
      await client.connected();
      const before = codeOf(client.create("/a"));
      const { seen, watch } = notes();
      const watching = client.exists("/b", { watch });
      await client.close();
      return [await before, await watching, await codeOf(client.get("/a")), seen, client.state.kind];
    },
    expected: ["ok", null, "CLOSED not-sent", ["lost /b"], "closed"],
  },
  {
    name: "a session knows its id, and the server knows it by that",
    run: async ({ zk }) => {
      const { stat } = await zk.create("/e", "", { mode: "ephemeral" });
      const { state } = zk;
      return [
        stat.ephemeralOwner === zk.sessionId,
        state.kind === "connected" && BigInt(state.sessionId) === BigInt.asUintN(64, zk.sessionId),
      ];
    },
    expected: [true, true],
  },
  {
    name: "the server keeps the timeout of a session within its bounds",
    run: async ({ open }) => {
      const timeouts: unknown[] = [];
      for (const sessionTimeoutMs of [1, 5_000, 3_600_000]) {
        const client = open({ sessionTimeoutMs, connectTimeoutMs: 5_000 });
        await client.connected();
        timeouts.push(client.state.kind === "connected" && client.state.negotiatedTimeoutMs);
      }
      return timeouts;
    },
    expected: [400, 5000, 60000],
  },
  {
    name: "a sync of what is not there is answered",
    run: async ({ zk }) => [await codeOf(zk.sync("/none")), await codeOf(zk.sync("/"))],
    expected: ["ok", "ok"],
  },
  {
    name: "the ephemeral nodes of a session go in one moment when it closes",
    run: async ({ zk, open }) => {
      const owner = open();
      for (let index = 0; index < 20; index += 1) await owner.create(`/e-${index}`, "", { mode: "ephemeral" });
      await zk.sync("/");
      const before = (await zk.children("/")).children.length;
      await owner.close();
      await zk.sync("/");
      return [before, (await zk.children("/")).children.length];
    },
    expected: [20, 0],
  },
  {
    name: "reads and writes of one session are seen in the order they were asked",
    run: async ({ zk }) => {
      await zk.create("/a", "0");
      const answers: Promise<string>[] = [];
      for (let index = 1; index <= 30; index += 1) {
        void zk.set("/a", `${index}`);
        answers.push(zk.get("/a").then(({ data }) => text(data)));
      }
      return (await Promise.all(answers)).join() === Array.from({ length: 30 }, (_, index) => `${index + 1}`).join();
    },
    expected: true,
  },
  {
    name: "a client tells its listeners what becomes of it",
    run: async ({ open }) => {
      const client = open();
      const states: string[] = [];
      const stop = client.onState((state) => void states.push(state.kind));
      await client.connected();
      stop();
      client.onState((state) => void states.push(state.kind));
      await client.close();
      await eventually(() => states.length === 2);
      return states;
    },
    expected: ["connected", "closed"],
  },
  {
    name: "closing twice is closing once",
    run: async ({ open }) => {
      const client = open();
      await client.create("/e", "", { mode: "ephemeral" });
      await Promise.all([client.close(), client.close()]);
      await client.close();
      return [client.state.kind, await codeOf(client.connected())];
    },
    expected: ["closed", "CLOSED not-sent"],
  },
  {
    name: "a call whose signal has been aborted is not sent",
    run: async ({ zk }) => {
      const outcome = await codeOf(zk.create("/a", "", { signal: AbortSignal.abort() }));
      return [outcome, await zk.exists("/a")];
    },
    expected: ["ABORTED not-sent", null],
  },
  {
    name: "who is who: an address, and no user",
    run: async ({ zk }) => await zk.whoAmI(),
    expected: [
      {
        scheme: "ip",
        user: "127.0.0.1",
      },
    ],
  },
  {
    name: "a handler that throws harms nobody",
    run: async ({ open }) => {
      const reported: string[] = [];
      const client = open({ onError: (error) => void reported.push(error instanceof Error ? error.message : "?") });
      await client.create("/a");
      await client.get("/a", {
        watch: () => {
          throw new Error("on purpose");
        },
      });
      const { seen, watch } = notes();
      await client.exists("/a", { watch });
      await client.set("/a", "1");
      await eventually(() => reported.length > 0);
      return [reported, seen, text((await client.get("/a")).data)];
    },
    expected: [["on purpose"], ["data-changed /a"], "1"],
  },
];
