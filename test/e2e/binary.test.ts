import { expect, test } from "bun:test";
import { chmod, copyFile, mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { TEST_MS } from "../harness/fleet_patience.ts";
import { deploydBinary } from "../harness/binary.ts";
import { run } from "../harness/fleet_program.ts";
import { tempDir } from "../harness/tempdir.ts";
import { sharedZooKeeper } from "../harness/shared_zookeeper.ts";

const AGENT_TOML = `[zookeeper]
servers = "127.0.0.1:1"
[services.web]
run_as = "root"
sources = ["file:///srv/builds/"]
`;

/**
 * A copy of the binary alone in a directory, next to files that a Bun program would load by itself: whoever can write to
 * the directory an agent is started in must not be able to run code as it, nor to point it at another ZooKeeper.
 */
async function hostileDirectory(dir: string): Promise<{ binary: string; env: Record<string, string> }> {
  const binary = join(dir, "deployd");
  await copyFile(await deploydBinary(), binary);
  await chmod(binary, 0o755);
  await writeFile(join(dir, "bunfig.toml"), 'preload = ["./preload.ts"]\n[test]\npreload = ["./preload.ts"]\n');
  await writeFile(join(dir, "preload.ts"), `require("node:fs").writeFileSync("${dir}/loaded", "yes");\n`);
  await writeFile(join(dir, ".env"), "DEPLOYD_ZOOKEEPER=evil:2181\nDEPLOYD_HOST=evil\nDEPLOYD_STATUS_LISTEN=evil\n");
  await copyFile(join(dir, ".env"), join(dir, ".env.production"));
  await copyFile(join(dir, ".env"), join(dir, ".env.local"));
  await writeFile(join(dir, "package.json"), '{"name":"evil","type":"commonjs"}');
  await writeFile(join(dir, "tsconfig.json"), '{"compilerOptions":{"paths":{"*":["./preload.ts"]}}}');
  await mkdir(join(dir, "node_modules", "zod"), { recursive: true });
  await copyFile(join(dir, "preload.ts"), join(dir, "node_modules", "zod", "index.js"));
  await writeFile(join(dir, "agent.toml"), AGENT_TOML);
  return { binary, env: { HOME: dir } };
}

test(
  "the binary needs glibc's own libraries and nothing else",
  async () => {
    const { stdout } = await run(["ldd", await deploydBinary()]);
    const names = stdout
      .trim()
      .split("\n")
      .map((line) => /^\s*(\S+)/.exec(line)?.[1]?.split("/").at(-1) ?? line);
    expect(names).toContain("libc.so.6");
    const glibc = /^(linux-vdso|libc|libm|libdl|libpthread|librt|ld-linux-[\w-]+)\.so(\.\d+)?$/;
    expect(names.filter((name) => !glibc.test(name))).toEqual([]);
  },
  TEST_MS,
);

test(
  "the binary alone in a hostile directory loads nothing from it",
  async () => {
    await using zookeeper = await sharedZooKeeper();
    await using dir = await tempDir();
    const { binary, env } = await hostileDirectory(dir.path);
    const before = (await readdir(dir.path)).toSorted();

    const version = await run([binary, "version"], { cwd: dir.path, env });
    expect({ code: version.code, stderr: version.stderr }).toEqual({ code: 0, stderr: "" });
    expect(version.stdout).toMatch(/^deployd \d+\.\d+\.\d+\S*\n$/);

    const nowhere = await run([binary, "ctl", "services", "list"], { cwd: dir.path, env });
    expect(nowhere.code).toBe(64);
    expect(nowhere.stderr).toContain("nothing says where it is");

    const somewhere = { ...env, DEPLOYD_ZOOKEEPER: zookeeper.connectString };
    const made = await run([binary, "ctl", "services", "set", "web"], { cwd: dir.path, env: somewhere });
    expect({ code: made.code, stderr: made.stderr }).toEqual({ code: 0, stderr: "" });
    const list = await run([binary, "ctl", "services", "list"], { cwd: dir.path, env: somewhere });
    expect({ code: list.code, stderr: list.stderr }).toEqual({ code: 0, stderr: "" });
    expect(list.stdout).toContain("web");

    const check = await run([binary, "agent", "--check", "--config", "agent.toml"], { cwd: dir.path, env });
    expect({ code: check.code, stderr: check.stderr }).toEqual({ code: 0, stderr: "" });
    expect(check.stdout).not.toContain("evil");

    expect((await readdir(dir.path)).toSorted()).toEqual(before);
  },
  TEST_MS,
);

// Only root may mount.
test.if(process.getuid?.() === 0)(
  "the binary needs no temporary directory to execute from",
  async () => {
    await using zookeeper = await sharedZooKeeper();
    await using dir = await tempDir();
    const { binary, env } = await hostileDirectory(dir.path);
    const noexec = join(dir.path, "tmp");
    await mkdir(noexec);
    expect(Bun.spawnSync(["mount", "-t", "tmpfs", "-o", "noexec,size=10m", "tmpfs", noexec]).exitCode).toBe(0);
    try {
      for (const [name, value] of Object.entries({ TMPDIR: noexec, BUN_TMPDIR: noexec })) {
        const all = { ...env, [name]: value, DEPLOYD_ZOOKEEPER: zookeeper.connectString, DEPLOYD_CHROOT: "/noexec" };
        for (const args of [
          ["version"],
          ["ctl", "services", "set", "web"],
          ["ctl", "services", "list"],
          ["agent", "--check", "--config", "agent.toml"],
          ["pack", "tmp", "--build", "b", "--out", "b.tar.zst"],
        ]) {
          const { code, stderr } = await run([binary, ...args], { cwd: dir.path, env: all });
          expect({ args, code, stderr }).toEqual({ args, code: 0, stderr: "" });
        }
      }
      expect(await readdir(noexec)).toEqual([]);
    } finally {
      Bun.spawnSync(["umount", "-l", noexec]);
    }
  },
  TEST_MS,
);
