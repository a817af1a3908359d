import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";

const repository = join(import.meta.dir, "..", "..");
const built = join(repository, "dist", "deployd");

let path: Promise<string> | null = null;

/**
 * The compiled binary, dist/deployd. It is built first when it is missing or older than the sources, once per test run;
 * DEPLOYD_TEST_BINARY names another one, say a released one, which is taken as it is.
 */
export async function deploydBinary(): Promise<string> {
  path ??=
    process.env["DEPLOYD_TEST_BINARY"] === undefined ? upToDate() : Promise.resolve(process.env["DEPLOYD_TEST_BINARY"]);
  return path;
}

async function upToDate(): Promise<string> {
  const builtAtMs = await stat(built).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  );
  if (builtAtMs > (await newestSourceMs())) return built;
  const build = Bun.spawnSync(["sh", join(repository, ".ci", "build")], { stdin: "ignore", stderr: "pipe" });
  if (build.exitCode !== 0) throw new Error(`Cannot build dist/deployd:\n${build.stderr.toString()}`);
  return built;
}

async function newestSourceMs(): Promise<number> {
  const files = await readdir(join(repository, "src"), { recursive: true });
  const paths = [...files.map((file) => join("src", file)), "package.json", "package-lock.json", ".ci/build"];
  const times = await Promise.all(paths.map(async (file) => (await stat(join(repository, file))).mtimeMs));
  return Math.max(...times);
}
