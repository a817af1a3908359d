import { expect, test } from "bun:test";
import { isDeployError } from "../../../src/core/errors.ts";
import { parseRecipe } from "../../../src/steps/recipe.ts";
import { resolveRecipe } from "../../../src/core/resolved_recipe.ts";
import { rejection } from "../../harness/rejection.ts";
import { makeBuild } from "./builds.ts";
import { stage } from "./stage.ts";

const { signal } = new AbortController();
const limits = { maxBytes: 1_000_000, maxEntries: 100 };
const into = "/srv/tree";
const archive = "/srv/archive";

/** A host with this build's archive on its disk, and an empty directory. */
function unpacking(seed: string) {
  const world = stage(seed);
  const build = makeBuild({ id: "v1" });
  world.host.disk.append(world.host.disk.create(archive), build.archive);
  world.host.disk.makeDirectory(into);
  const { machine } = world.host.newLife();
  const unpack = (more: { limits?: typeof limits; signal?: AbortSignal } = {}) =>
    world.play(machine.archive.unpack({ archive, into, limits, signal, ...more }));
  const code = async (work: Promise<unknown>): Promise<string> => {
    const error = await rejection(work);
    return isDeployError(error) ? error.code : error.message;
  };
  return { ...world, build, unpack, code };
}

test("a build's tree is what its archive says", async () => {
  const { host, build, unpack } = unpacking("tree");
  await unpack();
  for (const [path, text] of build.files) {
    expect(Buffer.from(host.disk.read(`${into}/${path}`, true)?.bytes ?? []).toString()).toBe(text);
  }
});

test("its recipe is one that deployd reads", () => {
  const build = makeBuild({
    id: "v1",
    restart: "term",
    install: [{ kind: "works" }, { kind: "fails" }],
    shared: ["data"],
    drainS: 5,
    check: { namesBuild: true },
  });
  const variables = { PORT: "8001", DEPLOYD_ROOT: "/srv/web", DEPLOYD_INSTANCE: "1", DEPLOYD_BUILD: "v1" };
  const resolvedRecipe = resolveRecipe(parseRecipe(build.files.get("deployd.toml") ?? "", "a recipe"), variables);
  expect(resolvedRecipe.install.steps.map(({ run }) => run)).toEqual(["./svc install 1", "./svc install 2"]);
  expect(resolvedRecipe.install.shared).toEqual(["data"]);
  expect(resolvedRecipe.drain).toMatchObject({ tell: { url: "http://127.0.0.1:8001/drain" }, deadlineMs: 5_000 });
  expect(resolvedRecipe.restart).toMatchObject({ by: "signal", signal: "TERM", pidFile: "/srv/web/run/1.pid" });
  expect(resolvedRecipe.check?.probe).toMatchObject({ url: "http://127.0.0.1:8001/health", expectBody: "v1 is well" });
});

test("unpacking ends with a full disk, a torn archive, too much in it, or a wish that changed", async () => {
  const full = unpacking("full");
  full.host.disk.full = true;
  expect(await full.code(full.unpack())).toBe("disk-full");
  const torn = unpacking("torn");
  torn.host.disk.truncate(torn.host.disk.open(archive), 100);
  expect(await torn.code(torn.unpack())).toBe("archive-invalid");
  const large = unpacking("large");
  expect(await large.code(large.unpack({ limits: { maxBytes: 10, maxEntries: 100 } }))).toBe("archive-hostile");
  expect(await large.code(large.unpack({ limits: { maxBytes: 1_000_000, maxEntries: 1 } }))).toBe("archive-hostile");
  expect(await large.code(large.unpack({ signal: AbortSignal.abort() }))).toBe("aborted");
});

test("a kill in the middle leaves a part of the tree", () => {
  const { host, pass, build } = unpacking("killed");
  host.killAgent();
  host.plan = ({ what }) => (what.endsWith("lib/part-2") ? { how: "kill", when: "halfway" } : null);
  void host.newLife().machine.archive.unpack({ archive, into, limits, signal });
  pass(10_000);
  expect(host.disk.look(`${into}/lib/part-1`)?.size).toBe(build.files.get("lib/part-1")?.length ?? -1);
  expect(host.disk.look(`${into}/lib/part-2`)?.size).toBe(200);
  expect(host.disk.look(`${into}/lib/part-3`)).toBeNull();
});
