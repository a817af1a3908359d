import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmod, mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { agentConfig, requireForRoot } from "../../src/agent/config.ts";
import { eventually } from "../harness/eventually.ts";
import { tempDir } from "../harness/tempdir.ts";
import { binaryName, fakeBinary, runInstall, script, sha256, writeMirror, type RunOptions } from "./mirror.ts";

// What is installed is flushed to the disk, which takes its time while other tests write.
setDefaultTimeout(60_000);

const shells: Readonly<Record<string, readonly string[]>> = { sh: ["sh"], busybox: ["busybox", "sh"] };

let dir: Awaited<ReturnType<typeof tempDir>>;
let mirror: string;
let binary: string;
let config: string;
let work: string;

beforeEach(async () => {
  dir = await tempDir();
  await chmod(dir.path, 0o755);
  mirror = join(dir.path, "mirror");
  binary = join(dir.path, "bin", "deployd");
  config = join(dir.path, "etc", "agent.toml");
  work = join(dir.path, "tmp");
  await mkdir(work);
  await writeMirror(mirror, fakeBinary("1"));
});

afterEach(() => dir[Symbol.asyncDispose]());

/** With places of its own and never a unit: these tests must not touch the machine they run on. */
const places = (): string[] => [
  "--bin-dir",
  join(dir.path, "bin"),
  "--config-dir",
  join(dir.path, "etc"),
  "--no-systemd",
];
const install = (args: readonly string[] = ["--base-url", mirror], options: RunOptions = {}) =>
  runInstall([...args, ...places()], { ...options, env: { TMPDIR: work, ...options.env } });
const text = (path: string): Promise<string> => readFile(path, "utf8");

/** Every file below the test's places with its content, to see that nothing was touched. */
async function placed(): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const place of ["bin", "etc", "tmp"]) {
    const names = await readdir(join(dir.path, place)).catch(() => []);
    for (const name of names) found[`${place}/${name}`] = await text(join(dir.path, place, name)).catch(() => "?");
  }
  return found;
}

describe.each(Object.keys(shells))("install.sh under %s", (name) => {
  const shell = shells[name] ?? ["sh"];

  test("puts the binary and a sample of the configuration in place", async () => {
    const { code, stdout, stderr } = await install(undefined, { shell });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain(`installed ${binary} (deployd 1)`);
    expect(await text(binary)).toBe(fakeBinary("1"));
    expect((await stat(binary)).mode & 0o777).toBe(0o755);
    expect((await stat(config)).mode & 0o777).toBe(0o600);
    expect(Object.keys(await placed()).sort()).toEqual(["bin/deployd", "etc/agent.toml"]);
  });

  test("changes nothing when it runs again", async () => {
    await install(undefined, { shell });
    await writeFile(config, "# edited\n");
    const before = await stat(binary);
    const { code, stdout } = await install(undefined, { shell });
    expect(code).toBe(0);
    expect(stdout).toContain(`${binary} is already there (deployd 1)`);
    expect(stdout).toContain("nothing to do");
    const after = await stat(binary);
    expect({ ino: after.ino, mtimeMs: after.mtimeMs }).toEqual({ ino: before.ino, mtimeMs: before.mtimeMs });
    expect(await text(config)).toBe("# edited\n");
  });

  test("touches nothing when the download is not what SHA256SUMS says", async () => {
    await install(undefined, { shell });
    const before = await placed();
    await writeMirror(mirror, fakeBinary("2"));
    await writeFile(join(mirror, binaryName), fakeBinary("evil"));
    const { code, stderr } = await install(undefined, { shell });
    expect(code).toBe(1);
    expect(stderr).toContain(`expected sha256 ${sha256(fakeBinary("2"))}, got ${sha256(fakeBinary("evil"))}`);
    expect(await placed()).toEqual(before);
  });

  test("replaces the binary by another version, by name and not in place", async () => {
    await install(undefined, { shell });
    const before = await stat(binary);
    await writeMirror(mirror, fakeBinary("2"));
    const { code, stdout } = await install(undefined, { shell });
    expect(code).toBe(0);
    expect(stdout).toContain(`replaced ${binary} (deployd 2)`);
    expect((await stat(binary)).ino).not.toBe(before.ino);
    expect(Object.keys(await placed()).sort()).toEqual(["bin/deployd", "etc/agent.toml"]);
  });

  test("runs nothing of a script that was cut", async () => {
    const bytes = await Bun.file(script).bytes();
    const end = bytes.length - 1;
    const lengths = Array.from({ length: 160 }, (_, part) => Math.floor((part * bytes.length) / 160));
    // All of the last line, where main is called.
    for (let cut = 1; cut <= 16; cut++) lengths.push(end - cut);
    for (const length of lengths) {
      const child = Bun.spawn([...shell, "-s", "--", "--base-url", mirror, ...places()], {
        stdin: bytes.subarray(0, length),
        stdout: "pipe",
        stderr: "pipe",
        env: { PATH: process.env["PATH"] ?? "", TMPDIR: work },
      });
      const [stdout, stderr] = await Promise.all([
        new Response(child.stdout).text(),
        new Response(child.stderr).text(),
      ]);
      await child.exited;
      expect({ length, stdout, ran: stderr.includes("deployd install:") }).toEqual({ length, stdout: "", ran: false });
    }
    expect(await placed()).toEqual({});
  });
});

describe("install.sh", () => {
  test("writes a sample that is refused as it stands and valid once the servers are filled in", async () => {
    await install();
    const sample = await text(config);
    expect(() => agentConfig(sample, "agent.toml", {}, "box")).toThrow(
      '"zookeeper.servers": fill in the ZooKeeper servers, as in "zk1:2181,zk2:2181,zk3:2181", or set DEPLOYD_ZOOKEEPER',
    );
    const parsed = agentConfig(sample.replace('servers = ""', 'servers = "zk1:2181"'), "agent.toml", {}, "box");
    expect(() => requireForRoot(parsed, true, "agent.toml")).not.toThrow();
  });

  test("writes a sample whose commented keys are valid too", async () => {
    await install();
    const sample = (await text(config)).replace('servers = ""', 'servers = "zk1:2181"').replace(/^# (?=\w+ = )/gm, "");
    expect(agentConfig(sample, "agent.toml", {}, "box")).toMatchObject({ host: "web-01", zone: "a" });
  });

  test("prefers the compressed file, and verifies it before it unpacks it", async () => {
    const plain = fakeBinary("gz");
    await writeMirror(mirror, plain, { [`${binaryName}.gz`]: Bun.gzipSync(plain) });
    await writeFile(join(mirror, binaryName), "only the compressed one is taken");
    expect((await install()).code).toBe(0);
    expect(await text(binary)).toBe(plain);

    const next = fakeBinary("gz 2");
    await writeMirror(mirror, next, { [`${binaryName}.gz`]: Bun.gzipSync(next) });
    await writeFile(join(mirror, `${binaryName}.gz`), Bun.gzipSync("evil"));
    const { code, stderr } = await install();
    expect(code).toBe(1);
    expect(stderr).toContain(`Cannot verify ${mirror}/${binaryName}.gz`);
    expect(await text(binary)).toBe(plain);
  });

  test("verifies what came out of the compressed file", async () => {
    await writeMirror(mirror, fakeBinary("1"), { [`${binaryName}.gz`]: Bun.gzipSync(fakeBinary("other")) });
    const { code, stderr } = await install();
    expect(code).toBe(1);
    expect(stderr).toContain(`Cannot verify ${mirror}/${binaryName}: expected`);
    expect(await placed()).toEqual({});
  });

  test("takes the plain file where the compressed one is listed and missing", async () => {
    const plain = fakeBinary("1");
    await writeMirror(mirror, plain, { [`${binaryName}.gz`]: Bun.gzipSync(plain) });
    await Bun.file(join(mirror, `${binaryName}.gz`)).delete();
    const { code, stdout } = await install();
    expect(code).toBe(0);
    expect(stdout).toContain("taking the uncompressed file");
    expect(await text(binary)).toBe(plain);
  });

  test("takes a version from its own directory, with or without the v", async () => {
    await writeMirror(join(mirror, "v0.9.1"), fakeBinary("0.9.1"));
    for (const version of ["0.9.1", "v0.9.1"]) {
      expect((await install(["--base-url", mirror, `--version=${version}`])).code).toBe(0);
      expect(await text(binary)).toBe(fakeBinary("0.9.1"));
    }
    const { code, stderr } = await install(["--base-url", mirror, "--version", "0.9.2"]);
    expect(code).toBe(1);
    expect(stderr).toContain(`Cannot fetch ${mirror}/v0.9.2/SHA256SUMS`);
  });

  test("takes a file URL", async () => {
    expect((await install(["--base-url", `file://${mirror}/`])).code).toBe(0);
    expect(await text(binary)).toBe(fakeBinary("1"));
  });

  test("accepts only the pinned sum when one is given", async () => {
    const other = "0".repeat(64);
    const { code, stderr } = await install(["--base-url", mirror, "--sha256", other]);
    expect(code).toBe(1);
    expect(stderr).toContain(`--sha256 says ${other}`);
    expect(await placed()).toEqual({});
    expect((await install(["--base-url", mirror, "--sha256", sha256(fakeBinary("1")).toUpperCase()])).code).toBe(0);
  });

  test("says which file the mirror lacks, and touches nothing", async () => {
    await Bun.file(join(mirror, binaryName)).delete();
    const missing = await install();
    expect(missing.code).toBe(1);
    expect(missing.stderr).toContain(`Cannot fetch ${mirror}/${binaryName}`);

    await writeFile(join(mirror, "SHA256SUMS"), `${sha256("")}  deployd-linux-riscv64\n`);
    const unlisted = await install();
    expect(unlisted.code).toBe(1);
    expect(unlisted.stderr).toContain(`its SHA256SUMS does not list ${binaryName}`);
    expect(unlisted.stderr).toContain("deployd-linux-riscv64");
    expect(await placed()).toEqual({});
  });

  test("refuses a binary that does not start here, and touches nothing", async () => {
    await install();
    const before = await placed();
    await writeMirror(mirror, "#!/bin/sh\necho 'GLIBC_9.9 not found' >&2\nexit 1\n");
    const { code, stderr } = await install();
    expect(code).toBe(1);
    expect(stderr).toContain("it does not start on this machine");
    expect(stderr).toContain("GLIBC_9.9 not found");
    expect(await placed()).toEqual(before);
  });

  test("runs the new binary without what would make it run other code", async () => {
    const spy = `#!/bin/sh\necho "deployd ($PWD, \${BUN_OPTIONS-none}, \${BUN_BE_BUN-none})"\n`;
    await writeMirror(mirror, spy);
    const { stdout } = await install(undefined, { env: { BUN_OPTIONS: "--preload ./evil.ts", BUN_BE_BUN: "1" } });
    expect(stdout).toContain("deployd (/, none, none)");
  });

  test("touches nothing where a directory cannot be made", async () => {
    await writeFile(join(dir.path, "bin"), "a file");
    const { code, stderr } = await install();
    expect(code).toBe(1);
    expect(stderr).toContain(`Cannot make the directory ${join(dir.path, "bin")}`);
    expect(existsSync(config)).toBe(false);
    expect(await readdir(work)).toEqual([]);
  });

  test("says what it would do in a dry run, and does nothing", async () => {
    const { code, stdout } = await install(["--base-url", mirror, "--dry-run"]);
    expect(code).toBe(0);
    expect(stdout).toContain(
      `would install ${binary} from ${mirror}/${binaryName} (sha256 ${sha256(fakeBinary("1"))})`,
    );
    expect(stdout).toContain(`would write a sample to ${config}`);
    expect(stdout).toContain("dry run: nothing was changed");
    expect(await placed()).toEqual({});

    await install();
    const before = await placed();
    await writeMirror(mirror, fakeBinary("2"));
    expect((await install(["--base-url", mirror, "--dry-run"])).stdout).toContain(
      `would replace ${binary} (deployd 1)`,
    );
    expect((await install(["--uninstall", "--dry-run"])).stdout).toContain(`would remove ${binary}`);
    expect(await placed()).toEqual(before);
  });

  test("says whether it would install a unit", async () => {
    const { stdout } = await runInstall(["--base-url", mirror, "--bin-dir", join(dir.path, "bin"), "--dry-run"]);
    const expected =
      process.getuid?.() !== 0
        ? "not root: only the binary is installed"
        : existsSync("/run/systemd/system")
          ? "/etc/systemd/system/deployd-agent.service"
          : "systemd does not run here: no unit is installed";
    expect(stdout).toContain(expected);
  });

  test("several times at once is as good as once", async () => {
    const runs = await Promise.all(Array.from({ length: 6 }, () => install()));
    expect(runs.map(({ code, stderr }) => ({ code, stderr }))).toEqual(runs.map(() => ({ code: 0, stderr: "" })));
    expect(runs.some(({ stdout }) => stdout.includes("another install.sh is at work"))).toBe(true);
    expect(runs.filter(({ stdout }) => stdout.includes(`installed ${binary}`))).toHaveLength(1);
    expect(runs.filter(({ stdout }) => stdout.includes("nothing to do"))).toHaveLength(5);
    expect(Object.keys(await placed()).sort()).toEqual(["bin/deployd", "etc/agent.toml"]);
  });

  test("removes the binary and keeps the configuration", async () => {
    await install();
    const { code, stdout } = await install(["--uninstall"]);
    expect(code).toBe(0);
    expect(stdout).toContain(`removed ${binary}`);
    expect(stdout).toContain(`kept: ${join(dir.path, "etc")}, /srv/deployd`);
    expect(Object.keys(await placed())).toEqual(["etc/agent.toml"]);
    const again = await install(["--uninstall"]);
    expect(again.code).toBe(0);
    expect(again.stdout).toContain(`there is no ${binary}`);
  });

  test.each([
    [["--base-ulr", "x"], 'there is no option "--base-ulr"'],
    [["--base-url"], "--base-url needs a value"],
    [[], "nothing says where the files are"],
    [["--base-url", "ftp://mirror.example/"], "only file, http and https URLs"],
    [["--base-url", "file:///a%20b"], "percent escapes"],
    [["--base-url", "/m", "--version", "1/../2"], 'Cannot install version "1/../2"'],
    [["--base-url", "/m", "--sha256", "abc"], "it has 3 digits, not 64"],
    [["--base-url", "/m", "--bin-dir", "bin"], "it is not an absolute path"],
    [["--base-url", "/m", "--bin-dir", "/a b"], "characters other than"],
  ])("refuses %p as wrong usage", async (args, message) => {
    const { code, stderr } = await runInstall([...args], { unprivileged: true, env: { HOME: dir.path } });
    expect(code).toBe(64);
    expect(stderr).toContain(message);
  });

  test("explains itself", async () => {
    const { code, stdout } = await runInstall(["--help"]);
    expect(code).toBe(0);
    const flags = [...(await text(script)).matchAll(/^ {6}(--[a-z0-9-]+)(?: \| -h)?\)/gm)].map(
      (match) => match[1] ?? "",
    );
    expect(flags.length).toBeGreaterThan(4);
    for (const flag of flags) expect(stdout).toContain(flag);
  });

  test("installs only the binary, below HOME, for who is not root", async () => {
    // Where everybody can get at it, as for install.sh itself without TMPDIR; the test's own may be for root alone.
    await using open = await tempDir("/tmp");
    await chmod(open.path, 0o755);
    const mirror = join(open.path, "mirror");
    await writeMirror(mirror, fakeBinary("1"));
    const home = join(open.path, "home");
    await mkdir(home);
    await chmod(home, 0o777);
    const { code, stdout, stderr } = await runInstall(["--base-url", mirror], {
      unprivileged: true,
      env: { HOME: home },
    });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain("not root: only the binary is installed");
    expect(stdout).toContain(`${home}/.local/bin is not in PATH`);
    expect((await readdir(home, { recursive: true })).sort()).toEqual([".local", ".local/bin", ".local/bin/deployd"]);
  });

  test.each([
    ["Linux", "riscv64", "Cannot install on riscv64"],
    ["Darwin", "arm64", "Cannot install on Darwin"],
  ])("refuses a machine that is %s on %s", async (system, machine, message) => {
    const fakes = join(dir.path, "fakes");
    await mkdir(fakes);
    await writeFile(join(fakes, "uname"), `#!/bin/sh\n[ "$1" = -s ] && echo ${system} || echo ${machine}\n`, {
      mode: 0o755,
    });
    const { code, stderr } = await install(undefined, { env: { PATH: `${fakes}:/usr/bin:/bin` } });
    expect(code).toBe(1);
    expect(stderr).toContain(message);
    expect(await placed()).toEqual({});
  });
});

describe("install.sh from an HTTP mirror", () => {
  let server: Bun.Server<undefined>;
  let asked: string[];
  /** A file whose download never ends. */
  let stalled: string | undefined;

  beforeEach(() => {
    asked = [];
    stalled = undefined;
    server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: async (request) => {
        const { pathname } = new URL(request.url);
        asked.push(pathname);
        if (pathname === stalled) return new Response(new ReadableStream({ start: (to) => to.enqueue("#!/bin/sh\n") }));
        const file = Bun.file(join(mirror, pathname));
        return (await file.exists()) ? new Response(file) : new Response("no such file\n", { status: 404 });
      },
    });
  });

  afterEach(() => server.stop(true));

  const url = (): string => `http://127.0.0.1:${server.port}`;

  test("fetches the sums, then the binary, and the binary only when it is another", async () => {
    expect((await install(["--base-url", url()])).code).toBe(0);
    expect(await text(binary)).toBe(fakeBinary("1"));
    expect((await install(["--base-url", url()])).code).toBe(0);
    expect(asked).toEqual(["/SHA256SUMS", `/${binaryName}`, "/SHA256SUMS"]);
  });

  test("works with wget where there is no curl", async () => {
    const tools = join(dir.path, "tools");
    await mkdir(tools);
    for (const tool of "sh id uname mktemp rm cp mv ln chmod mkdir sed head tr cut cat cmp sync sha256sum wget".split(
      " ",
    )) {
      const path = Bun.which(tool);
      if (path === null) throw new Error(`this test needs ${tool}`);
      await symlink(path, join(tools, tool));
    }
    const { code, stderr } = await install(["--base-url", url()], { env: { PATH: tools } });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(await text(binary)).toBe(fakeBinary("1"));

    await Bun.file(join(tools, "wget")).delete();
    const without = await install(["--base-url", url()], { env: { PATH: tools } });
    expect(without.code).toBe(1);
    expect(without.stderr).toContain("neither curl nor wget is installed");
  });

  test("says what the server answered, without the password that stands in the URL", async () => {
    const { code, stderr } = await install(["--base-url", `http://me:secret@127.0.0.1:${server.port}/nowhere`]);
    expect(code).toBe(1);
    expect(stderr).toContain(`Cannot fetch http://127.0.0.1:${server.port}/nowhere/SHA256SUMS: `);
    expect(stderr).toContain("404");
    expect(stderr).not.toContain("secret");
  });

  test("uses the proxy that the environment names", async () => {
    const { code } = await install(["--base-url", "http://mirror.example"], { env: { http_proxy: url() } });
    expect(code).toBe(0);
    expect(await text(binary)).toBe(fakeBinary("1"));
  });

  test("leaves nothing behind when it is ended in the middle of a download", async () => {
    stalled = `/${binaryName}`;
    const child = Bun.spawn(["sh", script, "--base-url", url(), ...places()], {
      env: { PATH: process.env["PATH"] ?? "", TMPDIR: work },
      stdin: "ignore",
      stdout: "ignore",
      stderr: "ignore",
      // A group of its own, as a shell gives to a job: Ctrl-C goes to all of it.
      detached: true,
    });
    await eventually(() => asked.includes(`/${binaryName}`));
    expect(await readdir(work)).toHaveLength(1);
    process.kill(-child.pid, "SIGTERM");
    expect(await child.exited).toBe(143);
    expect(await placed()).toEqual({});
  });
});
