import { expect, test } from "bun:test";
import { mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pack } from "../../src/pack/verb.ts";
import { deployErrorOf } from "../fetch/scratch.ts";
import { tempDir } from "../harness/tempdir.ts";
import { answerOf } from "../harness/verb_run.ts";

const TREE = [
  "deployd.toml",
  "bin/server",
  "bin/server.log",
  "docs/a.pdf",
  "docs/deep/b.pdf",
  "tmp/x",
  "bin/tmp/y",
  ".git/config",
  "vendor/lib/.git",
];

/** Packs a tree with these flags. @returns what is in it, but for directories, and the notes */
async function packed(flags: readonly string[], more: (tree: string) => Promise<void> = async () => {}) {
  await using dir = await tempDir();
  const tree = join(dir.path, "tree");
  for (const path of TREE) {
    await mkdir(dirname(join(tree, path)), { recursive: true });
    await writeFile(join(tree, path), "");
  }
  await more(tree);
  const out = join(dir.path, "v1.tar.zst");
  const answer = await answerOf("pack", pack, [tree, "--build", "v1", "--out", out, ...flags]);
  const listed = Bun.spawnSync(["tar", "--zstd", "-tf", out]).stdout.toString().split("\n");
  const { notes, entries } = answer as { notes: string[]; entries: number };
  expect(JSON.parse(await readFile(`${out}.manifest.json`, "utf8"))).toMatchObject({ entries });
  return { names: listed.filter((name) => name !== "" && !name.endsWith("/")), notes };
}

test(".git is left out wherever it is, and said, unless it is asked for", async () => {
  const { names, notes } = await packed([]);
  expect(names).toEqual(TREE.filter((path) => !path.includes(".git")).toSorted());
  expect(notes).toEqual([".git is left out (--include-git includes it)"]);
  const all = await packed(["--include-git"]);
  expect(all).toEqual({ names: TREE.toSorted(), notes: [] });
});

test.each([
  ["*.log", ["bin/server.log"]],
  ["tmp", ["tmp/x", "bin/tmp/y"]],
  ["tmp/", ["tmp/x", "bin/tmp/y"]],
  ["./tmp", ["tmp/x"]],
  ["/tmp", ["tmp/x"]],
  ["docs/*.pdf", ["docs/a.pdf"]],
  ["docs/**/*.pdf", ["docs/a.pdf", "docs/deep/b.pdf"]],
  ["{docs,vendor}", ["docs/a.pdf", "docs/deep/b.pdf", "vendor/lib/.git"]],
])("--exclude %s leaves out what it names", async (pattern, gone) => {
  const { names, notes } = await packed(["--include-git", "--exclude", pattern]);
  expect(TREE.filter((path) => !names.includes(path))).toEqual(TREE.filter((path) => gone.includes(path)));
  expect(notes).toEqual([]);
});

test("what is given twice counts twice, and what names nothing is said", async () => {
  const { names, notes } = await packed(["--exclude", "docs", "--exclude", "*.lgo", "--exclude", "tmp"]);
  expect(names).toEqual(["bin/server", "bin/server.log", "deployd.toml"]);
  expect(notes).toContain('--exclude "*.lgo" matches nothing in it');
  for (const pattern of ["/", "", "!bin"]) {
    expect((await deployErrorOf(packed(["--exclude", pattern]))).code).toBe("usage");
  }
});

test("what no host would take can be left out, as the hint says", async () => {
  const venv = async (tree: string) => {
    await mkdir(join(tree, "venv", "bin"), { recursive: true });
    await symlink("/usr/bin/python3", join(tree, "venv", "bin", "python3"));
  };
  const error = await deployErrorOf(packed([], venv));
  expect(error.message).toBe('Cannot pack "venv/bin/python3": the link\'s target "/usr/bin/python3" is absolute.');
  expect(error.hint).toContain("--exclude");
  expect(error.hint).toContain("venv --copies");
  expect((await packed(["--exclude", "venv"], venv)).names).toContain("deployd.toml");
});

test("a directory too high is not packed, and nothing is left at the place", async () => {
  await using dir = await tempDir();
  await mkdir(join(dir.path, "project", "web"), { recursive: true });
  await writeFile(join(dir.path, "project", "web", "deployd.toml"), "");
  const out = join(dir.path, "v1.tar.zst");
  const argv = [join(dir.path, "project"), "--out", out];
  const error = await deployErrorOf(answerOf("pack", pack, argv));
  expect(error.code).toBe("usage");
  expect(error.hint).toContain(`Pack ${join(dir.path, "project", "web")}`);
  expect(await readdir(dir.path)).toEqual(["project"]);
  await writeFile(join(dir.path, "project", "web", "deployd.toml"), "strip = 1");
  expect(await answerOf("pack", pack, argv)).toMatchObject({ schema: "deployd.pack/1" });
});
