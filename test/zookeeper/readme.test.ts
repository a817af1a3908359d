import { expect, test } from "bun:test";
import { dirname, join } from "node:path";
import { systemClock } from "../../src/support/clock.ts";
import { startDevServer } from "../../src/zookeeper/server/dev_server.ts";
import { tempDir } from "../harness/tempdir.ts";

const directory = join(import.meta.dir, "../../src/zookeeper");
const readme = await Bun.file(join(directory, "README.md")).text();
const examples = [...readme.matchAll(/^```ts\n(.*?)^```$/gms)].map((match) => match[1] ?? "");

test.each(examples.map((example, index) => [index + 1, example] as const))(
  "example %d of the README runs as it stands",
  async (_number, example) => {
    await using server = await startDevServer({ clock: systemClock });
    await using dir = await tempDir();
    const source = example
      .replaceAll('from "./', `from "${directory}/`)
      .replaceAll('from "../', `from "${dirname(directory)}/`)
      .replaceAll("127.0.0.1:2181", server.connectString);
    await Bun.write(join(dir.path, "example.ts"), source);
    const child = Bun.spawn([process.execPath, "example.ts"], { cwd: dir.path, stdout: "pipe", stderr: "pipe" });
    const said = await new Response(child.stderr).text();
    expect([await child.exited, said]).toEqual([0, ""]);
  },
);

test("the README has examples, and names every public method", async () => {
  expect(examples.length).toBeGreaterThanOrEqual(4);
  const client = await Bun.file(join(directory, "client.ts")).text();
  const methods = [...client.matchAll(/^ {2}(?:async |get )?([a-z]\w+)\(/gm)].map((match) => match[1] ?? "");
  expect(methods).toContain("removeWatches");
  for (const method of methods.filter((name) => name !== "constructor")) expect(readme).toContain(`\`${method}`);
});
