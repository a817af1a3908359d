import { expect, test } from "bun:test";
import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { agentConfig } from "../../src/agent/config.ts";
import { hostDisk } from "../../src/host/disk.ts";
import { Files } from "../../src/steps/files.ts";
import { layoutOf } from "../../src/steps/layout.ts";
import { KeptRecipes } from "../../src/steps/kept_recipes.ts";
import { systemClock } from "../../src/support/clock.ts";
import { rejection } from "../harness/rejection.ts";
import { tempDir } from "../harness/tempdir.ts";

/** A service in a directory of its own. */
async function service(section = "") {
  const dir = await tempDir();
  const layout = layoutOf(dir.path);
  const config = agentConfig(`[zookeeper]\nservers = "zk:1"\n[services.web]\n${section}`, "agent.toml", {}, "box");
  const own = config.services["web"];
  if (own === undefined) throw new Error("the service is gone from the file");
  const recipes = (disk = hostDisk): KeptRecipes => new KeptRecipes("web", layout, own, new Files(disk, systemClock));
  const write = async (path: string, text: string): Promise<void> => {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
  };
  const record = (build: string, fields = {}): Promise<void> =>
    write(layout.record(build), JSON.stringify({ digest: `sha256:${"0".repeat(64)}`, installed: true, ...fields }));
  return {
    layout,
    recipes,
    write,
    record,
    inRelease: (build: string, text: string) => write(join(layout.release(build), "deployd.toml"), text),
    [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose](),
  };
}

const restartBy = (stop: string): string => `[restart]\nby = "command"\nstop = "${stop}"\nstart = "./start"\n`;

test("what the archive said is obeyed, whatever stands in the release by now", async () => {
  await using web = await service();
  const tree = join(web.layout.root, "tree");
  await web.write(join(tree, "deployd.toml"), restartBy("./stop"));
  const recipes = web.recipes();
  const { text, recipe } = await recipes.ofTree("v1", tree);
  expect(recipe.restart).toMatchObject({ stop: "./stop" });
  expect(await recipes.keep("v1", text)).toBe("brought");
  await web.record("v1", { recipe: "brought" });
  await web.inRelease("v1", restartBy("./evil"));
  expect((await recipes.read("v1")).restart).toMatchObject({ stop: "./stop" });
  const successor = web.recipes();
  await successor.adopt();
  expect((await successor.read("v1")).restart).toMatchObject({ stop: "./stop" });
});

test("a build that brought no recipe cannot get one afterwards", async () => {
  await using web = await service('check = { tcp = "127.0.0.1:80" }\n');
  const tree = join(web.layout.root, "tree");
  await mkdir(tree);
  const recipes = web.recipes();
  const { text } = await recipes.ofTree("v1", tree);
  expect(text).toBeNull();
  expect(await recipes.keep("v1", text)).toBe("none");
  await web.record("v1", { recipe: "none" });
  await web.inRelease("v1", restartBy("./evil"));
  await recipes.adopt();
  expect((await recipes.read("v1")).restart).toBeUndefined();
});

test("a text is parsed once, however often it is read", async () => {
  await using web = await service();
  const recipes = web.recipes();
  await web.write(web.layout.recipe("v1"), restartBy("./one"));
  const first = await recipes.read("v1");
  expect(await recipes.read("v1")).toBe(first);
});

test("two builds with the same text are each told by their own name when it is wrong", async () => {
  await using web = await service();
  const recipes = web.recipes();
  for (const build of ["v1", "v2"]) await web.write(web.layout.recipe(build), "[restart]\nby = 1\n");
  expect((await rejection(recipes.read("v1"))).message).toContain('of build "v1"');
  expect((await rejection(recipes.read("v2"))).message).toContain('of build "v2"');
});

test("a build without a recipe is run as the agent's file says, and without that by nobody", async () => {
  await using web = await service('check = { tcp = "127.0.0.1:80" }\n');
  const recipes = web.recipes();
  expect((await recipes.read("v1")).check).toMatchObject({ tcp: "127.0.0.1:80" });
  expect(await recipes.read("v2")).toBe(await recipes.read("v1"));
  await using other = await service();
  expect((await rejection(other.recipes().read("v1"))).message).toBe(
    'Cannot tell how to run "v1": it brings no deployd.toml.',
  );
});

test.each([
  ["a link", (path: string) => symlink("other.toml", path), "it is a link"],
  ["a directory", (path: string) => mkdir(path), "it is a directory"],
  ["a pipe", (path: string) => void Bun.spawnSync(["mkfifo", path]), "it is a special file"],
  ["70,000 bytes", (path: string) => writeFile(path, "#".repeat(70_000)), "70000 bytes"],
  ["no TOML", (path: string) => writeFile(path, "[install"), "Cannot read deployd.toml"],
  ["NUL in shared", (path: string) => writeFile(path, '[install]\nshared = ["a\\u0000b"]\n'), "control character"],
  [
    "a name too long in shared",
    (path: string) => writeFile(path, `[install]\nshared = ["${"x".repeat(300)}"]\n`),
    "255 bytes",
  ],
  ["an absolute path in shared", (path: string) => writeFile(path, '[install]\nshared = ["/etc"]\n'), "relative"],
  ["a way out in shared", (path: string) => writeFile(path, '[install]\nshared = ["a/../../b"]\n'), ".."],
  ["itself in shared", (path: string) => writeFile(path, '[install]\nshared = ["./deployd.toml"]\n'), "own recipe"],
  ["nothing in shared", (path: string) => writeFile(path, '[install]\nshared = ["./"]\n'), "no path"],
  [
    "one below another in shared",
    (path: string) => writeFile(path, '[install]\nshared = ["a/b", "a/"]\n'),
    'a part of "a"',
  ],
])("a recipe that is or holds %s is refused as that", async (_, make, words) => {
  await using web = await service();
  const tree = join(web.layout.root, "tree");
  await mkdir(tree);
  await make(join(tree, "deployd.toml"));
  const error = await rejection(web.recipes().ofTree("v1", tree));
  expect(error).toMatchObject({ code: "recipe-invalid" });
  expect(error.message).toContain(words);
});

test("ten thousand keys that nobody knows are told in five, and at once", async () => {
  await using web = await service();
  const tree = join(web.layout.root, "tree");
  await web.write(join(tree, "deployd.toml"), Array.from({ length: 6000 }, (_, at) => `k${at}=1`).join("\n"));
  const { message } = await rejection(web.recipes().ofTree("v1", tree));
  expect(message.match(/unknown key/g)).toHaveLength(5);
  expect(message).toContain("and 5995 more");
});

test("recipes of releases that a former deployd unpacked are kept once, and not those that come after", async () => {
  await using web = await service();
  await web.record("v1");
  await web.record("v2");
  await web.inRelease("v1", restartBy("./one"));
  await mkdir(web.layout.release("v2"));
  const recipes = web.recipes();
  await recipes.adopt();
  expect((await recipes.read("v1")).restart).toMatchObject({ stop: "./one" });
  expect(JSON.parse(await readFile(web.layout.record("v1"), "utf8"))).toMatchObject({ recipe: "brought" });
  expect(JSON.parse(await readFile(web.layout.record("v2"), "utf8"))).toMatchObject({ recipe: "none" });
  for (const build of ["v1", "v2", "v3"]) await web.inRelease(build, restartBy("./evil"));
  await web.recipes().adopt();
  expect((await recipes.read("v1")).restart).toMatchObject({ stop: "./one" });
  for (const build of ["v2", "v3"])
    expect(await rejection(web.recipes().read(build))).toMatchObject({ code: "recipe-invalid" });
});

test("where nothing was ever unpacked, a release that somebody put there by hand is run as it says", async () => {
  await using web = await service();
  await web.inRelease("v1", restartBy("./one"));
  await web.recipes().adopt();
  expect((await web.recipes().read("v1")).restart).toMatchObject({ stop: "./one" });
});

test("a former release's recipe is obeyed also where it cannot be kept", async () => {
  await using web = await service();
  await web.inRelease("v1", restartBy("./one"));
  await web.record("v1");
  const full = (): Promise<never> => Promise.reject(Object.assign(new Error("no space"), { code: "ENOSPC" }));
  const recipes = web.recipes({ ...hostDisk, createFile: full });
  await recipes.adopt();
  expect((await recipes.read("v1")).restart).toMatchObject({ stop: "./one" });
});

test("only the builds that were asked for last are remembered", async () => {
  await using web = await service();
  const recipes = web.recipes();
  const builds = ["v1", "v2", "v3", "v4", "v5"];
  for (const build of builds) await web.write(web.layout.recipe(build), restartBy(`./${build}`));
  const [first, second] = [await recipes.read("v1"), await recipes.read("v2")];
  for (const build of ["v3", "v4", "v1", "v5"]) await recipes.read(build);
  expect(await recipes.read("v1")).toBe(first);
  expect(await recipes.read("v2")).not.toBe(second);
});
