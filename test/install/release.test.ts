import { expect, setDefaultTimeout, test } from "bun:test";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { tempDir } from "../harness/tempdir.ts";
import { binaryName, fakeBinary, root, runInstall } from "./mirror.ts";

setDefaultTimeout(60_000);

test("a release directory is a mirror that install.sh installs from, latest and by version", async () => {
  await using dir = await tempDir();
  const built = join(dir.path, "deployd");
  const mirror = join(dir.path, "release");
  await writeFile(built, fakeBinary("built"), { mode: 0o755 });
  // Twice: what an older release left there goes.
  for (const _ of [1, 2]) {
    const made = Bun.spawnSync(["sh", join(root, ".ci", "release"), built, mirror], { stderr: "pipe" });
    expect({ code: made.exitCode, said: made.stderr.toString() }).toMatchObject({ code: 0 });
  }
  const { version } = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as { version: string };
  const files = ["SHA256SUMS", binaryName, `${binaryName}.gz`, "install.sh"];
  expect((await readdir(mirror)).sort()).toEqual([...files, `v${version}`].sort());
  expect((await readdir(join(mirror, `v${version}`))).sort()).toEqual(files.sort());

  for (const extra of [[], ["--version", version]]) {
    const bin = join(dir.path, `bin${extra.length}`);
    const { code, stdout } = await runInstall([
      "--base-url",
      mirror,
      ...extra,
      "--bin-dir",
      bin,
      "--config-dir",
      join(dir.path, "etc"),
      "--no-systemd",
    ]);
    expect(code).toBe(0);
    expect(stdout).toContain(`fetching ${mirror}${extra.length === 0 ? "" : `/v${version}`}/${binaryName}.gz`);
    expect(await readFile(join(bin, "deployd"), "utf8")).toBe(fakeBinary("built"));
    expect((await stat(join(bin, "deployd"))).mode & 0o777).toBe(0o755);
  }
});

test("a release of a binary that was not built says what to do", async () => {
  await using dir = await tempDir();
  const made = Bun.spawnSync(["sh", join(root, ".ci", "release"), join(dir.path, "none"), join(dir.path, "out")]);
  expect(made.exitCode).toBe(1);
  expect(made.stderr.toString()).toContain("npm run build");
  expect(await readdir(dir.path)).toEqual([]);
});
