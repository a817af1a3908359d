import { expect, test } from "bun:test";
import { lstat, mkdir, readdir, readFile, readlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { layoutOf } from "../../src/steps/layout.ts";
import { archive, directory, file, hardlink, symlink } from "../evil/tar_builder.ts";
import { tempDir } from "../harness/tempdir.ts";
import { hostSays, TAKEN } from "../harness/unpacking_host.ts";

const RECIPE = '[restart]\nby = "command"\nstart = "true"\n';

/** A host that is given this archive. */
async function unpacked(bytes: Uint8Array, strip?: 1, before: (staging: string) => Promise<void> = async () => {}) {
  const dir = await tempDir();
  const path = join(dir.path, "archive");
  const layout = layoutOf(join(dir.path, "web"));
  await writeFile(path, bytes);
  await mkdir(layout.staging("v1"), { recursive: true });
  await before(layout.staging("v1"));
  const owner = process.geteuid?.() === 0 ? { owner: { uid: 12_345, gid: 12_345 } } : {};
  const verdict = await hostSays({ archive: path, build: "v1", strip, root: layout.root, ...owner });
  return { verdict, layout, release: layout.release("v1"), [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose]() };
}

const tree = (recipe: string) =>
  archive(
    directory("web", { mode: 0o700 }),
    file("web/deployd.toml", recipe),
    file("web/bin/server", "server", { mode: 0o755 }),
    hardlink("web/twin", "web/bin/server"),
    symlink("web/bin/up", "../twin"),
  );

test.each([
  ["the record", RECIPE, 1],
  ["the archive's own deployd.toml", `strip = 1\n${RECIPE}`, undefined],
] as const)(
  "the one top directory is left out where %s says so, and the release is as any other",
  async (_, text, strip) => {
    const junk = async (staging: string) => {
      await mkdir(join(staging, "top", "left", "by", "a", "kill"), { recursive: true });
    };
    await using host = await unpacked(tree(text), strip, junk);
    expect(host.verdict).toEqual(TAKEN);
    expect((await readdir(host.release)).sort()).toEqual(["bin", "deployd.toml", "twin"]);
    expect(await readlink(join(host.release, "bin", "up"))).toBe("../twin");
    expect((await lstat(join(host.release, "twin"))).nlink).toBe(2);
    const found = await lstat(host.release);
    expect(found.mode & 0o7777).toBe(0o755);
    if (process.geteuid?.() === 0) expect(found.uid).toBe(12_345);
    // What is obeyed is what lay in that directory.
    expect(await readFile(host.layout.recipe("v1"), "utf8")).toBe(text);
    expect(await readdir(host.layout.root)).not.toContain(".staging-v1");
  },
);

test("nothing is left out where nobody says so, and the deployd.toml in there is not obeyed", async () => {
  await using host = await unpacked(tree(RECIPE));
  expect(host.verdict).toEqual(TAKEN);
  expect(await readdir(host.release)).toEqual(["web"]);
  expect(await readdir(host.layout.builds)).toEqual(["v1.json"]);
});

test.each([
  ["two directories", archive(file("a/f", "x"), file("b/f", "x")), "archive-invalid"],
  ["a file beside it", archive(file("web/f", "x"), file("README", "x")), "archive-invalid"],
  ["a directory that begins like it", archive(file("web/f", "x"), file("web2/f", "x")), "archive-invalid"],
  ["a link in its place", archive(symlink("web", "x")), "archive-invalid"],
  ["nothing", archive(), "archive-invalid"],
  ["the reserved name in it", archive(file("web/.deployd/x", "x")), "archive-hostile"],
  ["a link in it to beside it", archive(file("web/f", "x"), symlink("web/l", "../web/f")), "archive-hostile"],
  ["a link out of what it would be", archive(file("web/f", "x"), symlink("web/a/l", "../../x")), "archive-hostile"],
] as const)("with %s there is nothing to leave out, and nothing is unpacked", async (_, bytes, code) => {
  await using host = await unpacked(bytes, 1);
  expect(host.verdict.code).toBe(code);
  expect(await readdir(host.layout.root)).toEqual([".staging-v1"]);
  expect(await readdir(host.layout.staging("v1"))).toHaveLength(1);
});
