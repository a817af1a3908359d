import { expect, test } from "bun:test";
import { mkdir, readdir, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pack } from "../../src/pack/verb.ts";
import { deployErrorOf } from "../fetch/scratch.ts";
import { tempDir } from "../harness/tempdir.ts";
import { answerOf, runAlone } from "../harness/verb_run.ts";

/** Packs a tree whose deployd.toml shares these paths. @returns what is printed, as text and as JSON */
async function packed(dir: string, shared: readonly string[], files: Readonly<Record<string, string>>) {
  const tree = join(dir, "tree");
  await mkdir(tree, { recursive: true });
  await writeFile(join(tree, "deployd.toml"), `[install]\nshared = ${JSON.stringify(shared)}\n`);
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(tree, name)), { recursive: true });
    if (name.endsWith("/")) await mkdir(join(tree, name), { recursive: true });
    else if (text.startsWith("-> ")) await symlink(text.slice(3), join(tree, name));
    else await writeFile(join(tree, name), text);
  }
  const argv = [tree, "--build", "v1", "--out", join(dir, "v1.tar.zst")];
  const { notes } = (await answerOf("pack", pack, argv)) as { notes: string[] };
  const { code, stdout } = await runAlone("pack", pack, argv);
  expect(code).toBe(0);
  return { text: stdout, notes };
}

test("what a build brings where it shares is named, as hosts that have it already drop it", async () => {
  await using dir = await tempDir();
  const files = {
    "public/index.html": "new",
    "var/cache/x": "",
    "config.json": "{}",
    "uploads/": "",
    "assets/app.js": "",
    link: "-> assets",
  };
  const shared = ["public", "var/cache", "config.json", "uploads", "nothing/here", "link"];
  const { text, notes } = await packed(dir.path, shared, files);
  expect(notes.map((note) => /^install\.shared has "([^"]+)": the (\w+)/.exec(note)?.slice(1))).toEqual([
    ["public", "directory"],
    ["var/cache", "directory"],
    ["config.json", "file"],
    ["link", "link"],
  ]);
  expect(notes[0]).toContain("dropped by all others");
  expect(notes[3]).toContain("dropped on every host");
  for (const note of notes) expect(text).toContain(`  note    ${note}\n`);
});

test("a build that brings nothing there is packed without a word", async () => {
  await using dir = await tempDir();
  const { text, notes } = await packed(dir.path, ["uploads", "run"], { "uploads/": "", "public/index.html": "new" });
  expect(notes).toEqual([]);
  expect(text).not.toContain("note");
});

test.each([
  ["a link", { other: "-> elsewhere" }],
  ["a file", { other: "text" }],
])("a path that every host would refuse, as %s is above it, is not packed", async (what, files) => {
  await using dir = await tempDir();
  const error = await deployErrorOf(packed(dir.path, ["other/cache"], files));
  expect(error.code).toBe("recipe-invalid");
  expect(error.message).toContain(`"other" of the build is ${what}, not a directory`);
  expect(await readdir(dir.path)).toEqual(["tree"]);
});
