import { beforeAll, describe, expect, test } from "bun:test";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { deploydBinary } from "../harness/binary.ts";
import { TEST_MS } from "../harness/fleet_patience.ts";
import { run, type Ran } from "../harness/fleet_program.ts";
import { tempDir } from "../harness/tempdir.ts";

/* Lines that a person may type, said to the compiled binary. What holds for every verb stands in test/cli. */

let binary: string;
beforeAll(async () => void (binary = await deploydBinary()), TEST_MS);

const say = (...argv: readonly string[]): Promise<Ran> => run([binary, ...argv]);

describe("a slip is answered with what was meant", () => {
  test.each([
    ["agent --confg", "Did you mean --config?"],
    ["agnet", 'Did you mean "agent"?'],
    ["deploy web v1", 'Did you mean "deployd ctl deploy"?'],
    ["ctl deplooy web v1", 'Did you mean "deploy"?'],
    ["ctl builds ad web", 'Did you mean "add"?'],
    ["ctl --jsno status", "Did you mean --json?"],
    ["pack --jsno", "Did you mean --json?"],
    ["pack . -out x", "Did you mean --out?"],
    ["doctor --jsn", "Did you mean --json?"],
    ["doctor --conf x", "Did you mean --config?"],
    ["dev --host 3", "Did you mean --hosts?"],
    ["dev --hosts 1000", 'Cannot take "1000" for --hosts: a whole number from 1 to 100 is required.'],
    ["dev --zookeeper-port=-1", 'Cannot take "-1" for --zookeeper-port'],
    ["help recip", 'Did you mean "recipe"?'],
    ["version --hepl", "Did you mean --help?"],
  ])("deployd %s", async (line, answer) => {
    const { code, stdout, stderr } = await say(...line.split(" "));
    expect({ code, stdout }).toEqual({ code: 64, stdout: "" });
    expect(stderr).toStartWith("deployd: ");
    expect(stderr).toContain(answer);
    expect(stderr).toMatch(/\n {2}See: deployd .*\n$/);
  });
});

describe("with --json an error is a document on stdout, and stands on stderr too", () => {
  test.each([
    ["pack /nonexistent --json", "usage", "/nonexistent"],
    ["--json pack /nonexistent", "usage", "/nonexistent"],
    ["pack --json", "usage", "The argument <directory> is missing."],
    ["pack --json . --buidl v1", "usage", "--build"],
    ["doctor --config /nonexistent --json", "config-invalid", "/nonexistent"],
    ["doctor --json --config=/nonexistent", "config-invalid", "/nonexistent"],
    ["ctl status web --json", "usage", "nothing says where it is"],
    ["ctl deplooy --json", "usage", '"deploy"'],
    ["agnet --json", "usage", '"agent"'],
    ["--json", "usage", "No verb is named."],
  ])("deployd %s", async (line, errorCode, says) => {
    const { code, stdout, stderr } = await say(...line.split(" "));
    expect(code).toBe(64);
    const { error } = JSON.parse(stdout) as { error: { code: string; message: string; hint: string } };
    expect(error).toEqual({
      code: errorCode,
      message: expect.stringContaining(says),
      hint: expect.stringMatching(/./),
    });
    expect(stderr).toBe(`deployd: ${error.message}\n  ${error.hint}\n`);
  });
});

test(
  "flags stand before or behind the argument and the verb, their values behind a blank or a =",
  async () => {
    await using dir = await tempDir();
    const tree = join(dir.path, "web");
    await mkdir(tree);
    await writeFile(join(tree, "index.html"), "hello");
    const out = join(dir.path, "web.tar.zst");
    const packed = await say("pack", tree, "--build", "v1", "--out", out, "--exclude", "*.log", "--json");
    expect(packed).toMatchObject({ code: 0, stderr: "" });
    expect(JSON.parse(packed.stdout)).toMatchObject({ schema: "deployd.pack/1", build: "v1", path: out });
    for (const line of [
      ["pack", `--build=v1`, `--out=${out}`, "--exclude=*.log", "--json", tree],
      ["pack", "--json", tree, `--out=${out}`, "--build", "v1", "--exclude", "*.log"],
      ["--json", "pack", "--build", "v1", tree, "--out", out, "--exclude=*.log"],
      ["--out", out, "--build=v1", "--exclude", "*.log", "pack", tree, "--json"],
      ["pack", "--build=v1", "--out", out, "--exclude", "*.log", "--json", "--", tree],
    ]) {
      const { code, stdout, stderr } = await say(...line);
      expect({ line, code, stdout, stderr }).toEqual({ line, code: 0, stdout: packed.stdout, stderr: "" });
    }

    const config = join(dir.path, "agent.toml");
    await writeFile(config, '[zookeeper]\nservers = "127.0.0.1:1"\n[services.web]\nsession = 1\n');
    const refused = await say("agent", "--check", "--config", config);
    expect(refused.code).toBe(64);
    expect(refused.stderr).toContain('unknown key "services.web.session"');
    for (const line of [
      ["agent", `--config=${config}`, "--check"],
      ["--check", "agent", "--config", config],
    ]) {
      expect((await say(...line)).stderr).toBe(refused.stderr);
    }
  },
  TEST_MS,
);

test("deployd alone says on stderr what there is, and with --help on stdout", async () => {
  const { code, stdout, stderr } = await say();
  expect({ code, stdout }).toEqual({ code: 64, stdout: "" });
  expect(await say("--help")).toMatchObject({ code: 0, stdout: stderr, stderr: "" });
  for (const word of ["version", "--version", "-V"]) {
    expect((await say(word)).stdout).toMatch(/^deployd \d+\.\d+\.\d+\n$/);
  }
});
