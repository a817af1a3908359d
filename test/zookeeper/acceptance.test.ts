import { expect, test } from "bun:test";
import { Glob } from "bun";

test("every test that ACCEPTANCE.md names is there, and every line says what is here or why nothing is", async () => {
  const rows = (await Bun.file(`${import.meta.dir}/ACCEPTANCE.md`).text())
    .split("\n")
    .filter((line) => line.startsWith("| `"));
  const sources: string[] = [];
  for await (const file of new Glob("**/*.ts").scan({ cwd: import.meta.dir, absolute: true })) {
    sources.push(await Bun.file(file).text());
  }
  const all = sources.join("\n");
  expect(rows.length).toBeGreaterThan(200);
  for (const row of rows) {
    const ours = row.split(" | ").slice(1).join(" | ").replace(/ *\|$/, "").trim();
    const named = ours.startsWith("— ") ? [] : ours.split("; ").map((each) => each.slice(1, -1));
    expect([row, ours.length > 2 && named.every((name) => all.includes(`"${name}"`))]).toEqual([row, true]);
  }
});
