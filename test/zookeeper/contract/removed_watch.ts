import { eventually } from "../../harness/eventually.ts";
import { codeOf, notes, type ContractCase } from "./contract.ts";

export const removedWatchCases: readonly ContractCase[] = [
  {
    name: "a data watch that is taken back hears no more",
    run: async ({ zk }) => {
      await zk.create("/a");
      const { seen, watch } = notes();
      await zk.get("/a", { watch });
      await zk.removeWatches("/a");
      const held = await zk.hasWatch("/a");
      await zk.set("/a", "1");
      return [held, seen];
    },
    expected: [false, []],
  },
  {
    name: "a watch on nothing can be taken back",
    run: async ({ zk }) => {
      const { seen, watch } = notes();
      await zk.exists("/later", { watch });
      const before = await zk.hasWatch("/later", "data");
      await zk.removeWatches("/later", { kind: "data" });
      const after = await zk.hasWatch("/later", "data");
      await zk.create("/later");
      return [before, after, seen];
    },
    expected: [true, false, []],
  },
  {
    name: "taking back the watch on the data leaves the one on the children, and the other way round",
    run: async ({ zk }) => {
      const observed: unknown[] = [];
      for (const kind of ["data", "children"] as const) {
        const path = `/${kind}`;
        await zk.create(path);
        const { seen, watch } = notes();
        await zk.get(path, { watch });
        await zk.children(path, { watch });
        await zk.removeWatches(path, { kind });
        const held = [await zk.hasWatch(path, "data"), await zk.hasWatch(path, "children")];
        await zk.set(path, "1");
        await zk.create(`${path}/child`);
        observed.push(held, seen);
      }
      return observed;
    },
    expected: [[false, true], ["children-changed /data"], [true, false], ["data-changed /children"]],
  },
  {
    name: "taking back any takes both",
    run: async ({ zk }) => {
      await zk.create("/a");
      const { seen, watch } = notes();
      await zk.get("/a", { watch });
      await zk.children("/a", { watch });
      await zk.removeWatches("/a", { kind: "any" });
      await zk.set("/a", "1");
      await zk.create("/a/b");
      return [await zk.hasWatch("/a"), seen];
    },
    expected: [false, []],
  },
  {
    name: "one handler is taken back and the one beside it stays",
    run: async ({ zk }) => {
      await zk.create("/a");
      const [gone, kept] = [notes(), notes()];
      await zk.get("/a", { watch: gone.watch });
      await zk.get("/a", { watch: kept.watch });
      await zk.removeWatches("/a", { handler: gone.watch });
      const held = await zk.hasWatch("/a", "data");
      await zk.set("/a", "1");
      return [held, gone.seen, kept.seen];
    },
    expected: [true, [], ["data-changed /a"]],
  },
  {
    name: "the last of two handlers takes the server's watch with it",
    run: async ({ zk }) => {
      await zk.create("/a");
      const [one, two] = [notes(), notes()];
      await zk.get("/a", { watch: one.watch });
      await zk.get("/a", { watch: two.watch });
      await zk.removeWatches("/a", { handler: one.watch });
      await zk.removeWatches("/a", { handler: two.watch });
      return [await zk.hasWatch("/a"), one.seen, two.seen];
    },
    expected: [false, [], []],
  },
  {
    name: "what is not watched cannot be taken back",
    run: async ({ zk }) => {
      await zk.create("/a");
      const { watch } = notes();
      await zk.get("/a", { watch });
      return [
        await codeOf(zk.removeWatches("/none")),
        await codeOf(zk.removeWatches("/a", { kind: "children" })),
        await codeOf(zk.removeWatches("/a", { handler: () => undefined })),
        await codeOf(zk.removeWatches("/a", { handler: watch })),
        await codeOf(zk.removeWatches("/a", { handler: watch })),
      ];
    },
    expected: ["NO_WATCHER not-sent", "NO_WATCHER not-sent", "NO_WATCHER not-sent", "ok", "NO_WATCHER not-sent"],
  },
  {
    name: "a watch that has fired is held no more and cannot be taken back",
    run: async ({ zk }) => {
      await zk.create("/a");
      const { seen, watch } = notes();
      await zk.get("/a", { watch });
      const before = await zk.hasWatch("/a", "data");
      await zk.set("/a", "1");
      return [before, await zk.hasWatch("/a", "data"), await codeOf(zk.removeWatches("/a")), seen];
    },
    expected: [true, false, "NO_WATCHER not-sent", ["data-changed /a"]],
  },
  {
    name: "a watch is held for what it was set on",
    run: async ({ zk }) => {
      await zk.create("/a");
      const { watch } = notes();
      await zk.children("/a", { watch });
      return [
        await zk.hasWatch("/a", "data"),
        await zk.hasWatch("/a", "children"),
        await zk.hasWatch("/a", "any"),
        await zk.hasWatch("/", "any"),
      ];
    },
    expected: [false, true, true, false],
  },
  {
    name: "after a watch was taken back another can be set",
    run: async ({ zk }) => {
      await zk.create("/a");
      const [first, second] = [notes(), notes()];
      await zk.get("/a", { watch: first.watch });
      await zk.removeWatches("/a");
      await zk.get("/a", { watch: second.watch });
      await zk.set("/a", "1");
      return [first.seen, second.seen];
    },
    expected: [[], ["data-changed /a"]],
  },
  {
    name: "a watch that is asked for while another is taken back stays",
    run: async ({ zk }) => {
      await zk.create("/a");
      const [gone, kept] = [notes(), notes()];
      await zk.get("/a", { watch: gone.watch });
      await Promise.all([zk.get("/a", { watch: kept.watch }), zk.removeWatches("/a", { handler: gone.watch })]);
      await zk.set("/a", "1");
      return [gone.seen, kept.seen];
    },
    expected: [[], ["data-changed /a"]],
  },
  {
    name: "persistent watches can be taken back by their path",
    run: async ({ zk }) => {
      await zk.create("/a");
      const [one, all] = [notes(), notes()];
      await zk.addWatch("/a", "persistent", one.watch);
      await zk.addWatch("/", "persistent-recursive", all.watch);
      await zk.removeWatches("/a");
      await zk.removeWatches("/");
      await zk.set("/a", "1");
      return [await zk.hasWatch("/a"), await zk.hasWatch("/"), one.seen, all.seen];
    },
    expected: [false, false, [], []],
  },
  {
    name: "a one-shot watch is taken back from beside a persistent one, which stays",
    run: async ({ zk }) => {
      await zk.create("/a");
      const [once, always] = [notes(), notes()];
      await zk.get("/a", { watch: once.watch });
      await zk.addWatch("/a", "persistent", always.watch);
      await zk.removeWatches("/a", { handler: once.watch });
      await zk.set("/a", "1");
      await zk.create("/a/b");
      return [once.seen, always.seen];
    },
    expected: [[], ["data-changed /a", "children-changed /a"]],
  },
  {
    name: "one session's watches are not taken back by another",
    run: async ({ zk, open }) => {
      await zk.create("/a");
      const other = open();
      const [mine, theirs] = [notes(), notes()];
      await zk.get("/a", { watch: mine.watch });
      await other.get("/a", { watch: theirs.watch });
      await zk.removeWatches("/a");
      await zk.set("/a", "1");
      await eventually(() => theirs.seen.length > 0);
      return [mine.seen, theirs.seen, await codeOf(zk.removeWatches("/a"))];
    },
    expected: [[], ["data-changed /a"], "NO_WATCHER not-sent"],
  },
];
