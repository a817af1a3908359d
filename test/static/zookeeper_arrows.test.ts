import { expect, test } from "bun:test";
import { join } from "node:path";
import { importsOf, readSources, type Source } from "./sources.ts";
import { innerArrowProblems, innerImportProblems } from "./zookeeper_arrows.ts";

const sources = await readSources();

/**
 * Tests that look inside on purpose: the package's own, the rehearsal's ensemble, a server that answers by hand, the one that reads
 * what servers have logged, and those that count requests or have a server know one no more, by their numbers.
 */
const insiders = [
  "test/zookeeper/",
  "test/sim/",
  "test/bench/zookeeper/",
  "test/bench/fleet/",
  "test/ctl/counting_dial.ts",
  "test/nemesis/transaction_log.ts",
  "test/store/follow.test.ts",
  "test/store/read_nodes.test.ts",
  "test/store/watched_nodes.test.ts",
  "test/store/watching.test.ts",
];

/** The other tests, with paths as if they lay beside src/, so that what they import from it resolves as for a source. */
async function otherTests(): Promise<Source[]> {
  const root = join(import.meta.dir, "../..");
  const paths = [...new Bun.Glob("test/**/*.ts").scanSync(root)].filter(
    (path) => !insiders.some((prefix) => path.startsWith(prefix)),
  );
  return Promise.all(
    paths.toSorted().map(async (path) => {
      const text = await Bun.file(join(root, path)).text();
      return { path, text: text.replaceAll(/"(?:\.\.\/)+src\//g, `"${"../".repeat(path.split("/").length - 1)}`) };
    }),
  );
}

test("within the ZooKeeper package every room imports only what it may know", () => {
  expect(innerArrowProblems(sources)).toEqual([]);
});

test("nobody outside imports from below its public files", async () => {
  expect(innerImportProblems(sources)).toEqual([]);
  const tests = await otherTests();
  expect(tests.some((each) => importsOf(each).some(({ target }) => target === "zookeeper/client.ts"))).toBe(true);
  expect(innerImportProblems(tests)).toEqual([]);
});

test.each([
  ["zookeeper/wire/a.ts", "../connection/b.ts", "wire may not know connection"],
  ["zookeeper/connection/a.ts", "../session/b.ts", "connection may not know session"],
  ["zookeeper/session/a.ts", "../client.ts", "session may not know client.ts"],
  ["zookeeper/server/a.ts", "../connection/b.ts", "server may not know connection"],
  ["zookeeper/client.ts", "./server/dev_server.ts", "client.ts may not know server"],
  ["zookeeper/errors.ts", "./wire/jute.ts", "errors.ts may not know wire"],
])("an arrow against the order is found: %s imports %s", (path, specifier, problem) => {
  const found = innerArrowProblems([{ path, text: `import type { X } from "${specifier}";` }]);
  expect(found).toHaveLength(1);
  expect(found[0]).toEndWith(problem);
});

test("a public file or a room that nobody has agreed on is found", () => {
  const paths = ["zookeeper/more.ts", "zookeeper/helpers/a.ts"];
  expect(innerArrowProblems(paths.map((path) => ({ path, text: "" })))).toHaveLength(2);
});

test("an import of what is not public is found", () => {
  const text = 'import { x } from "../zookeeper/wire/jute.ts";\nimport { y } from "../zookeeper/server/dev_server.ts";';
  expect(innerImportProblems([{ path: "store/a.ts", text }])).toEqual([
    "store/a.ts imports zookeeper/wire/jute.ts, which is no public file of the package",
  ]);
});
