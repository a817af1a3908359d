import { expect, test } from "bun:test";
import { chmod, chown, mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { hostDisk } from "../../src/host/disk.ts";
import type { SourceLogins } from "../../src/schema/agent_config.ts";
import { Files } from "../../src/steps/files.ts";
import { loginAt, requireLogins } from "../../src/steps/source_login.ts";
import { systemClock } from "../../src/support/clock.ts";
import { deployErrorOf } from "../fetch/scratch.ts";
import { tempDir } from "../harness/tempdir.ts";

const files = new Files(hostDisk, systemClock);
const isRoot = process.getuid?.() === 0;
const SECRET = "hunter2";

async function secretFile(path: string, text: string, mode = 0o600): Promise<string> {
  await writeFile(path, text);
  await chmod(path, mode);
  return path;
}

function basic(text: string): readonly [string, string] {
  return ["authorization", `Basic ${Buffer.from(text).toString("base64")}`];
}

test("each URL has the credentials of the nearest source above it, and any other has none", async () => {
  await using dir = await tempDir();
  const at = (name: string): string => join(dir.path, name);
  const logins: SourceLogins = {
    "https://builds.example.com": { basic_auth_file: await secretFile(at("all"), `me:${SECRET}:x\n`) },
    "https://builds.example.com/web": {
      headers_file: await secretFile(at("web"), `# of the web team\nX-Token: ${SECRET}\n\nX-Who:  web \n`),
    },
    "https://other.example.com:8443/": { basic_auth_file: await secretFile(at("other"), "other:pass") },
  };
  const ask = (url: string) => loginAt(new URL(url), logins, files, false);
  expect(await ask("https://builds.example.com/api/v1")).toEqual([basic(`me:${SECRET}:x`)]);
  expect(await ask("https://builds.example.com/web/v1")).toEqual([
    ["X-Token", SECRET],
    ["X-Who", "web"],
  ]);
  expect(await ask("https://builds.example.com/website/v1")).toEqual([basic(`me:${SECRET}:x`)]);
  expect(await ask("https://other.example.com:8443/x")).toEqual([basic("other:pass")]);
  for (const url of [
    "http://builds.example.com/web/v1",
    "https://builds.example.com:8443/web/v1",
    "https://evil.builds.example.com/web/v1",
    "https://builds.example.com.evil.example/web/v1",
    "https://builds.example.com@evil.example/web/v1",
    "https://other.example.com/x",
    "file:///web/v1",
  ]) {
    expect({ url, headers: await ask(url) }).toEqual({ url, headers: [] });
  }
  await requireLogins(logins, files, false);
  // As they are changed, without a new start.
  await writeFile(at("all"), "me:new");
  expect(await ask("https://builds.example.com/api/v1")).toEqual([basic("me:new")]);
});

test.each([
  ["basic_auth_file", `me${SECRET}`, "it is not one line of user:password"],
  ["basic_auth_file", `me:${SECRET}\nyou:${SECRET}\n`, "it is not one line of user:password"],
  ["basic_auth_file", "", "it is not one line of user:password"],
  ["headers_file", `X-Token ${SECRET}`, 'line 1 is not a header, as in "Name: value"'],
  ["headers_file", `X-Ok: 1\nX-Token:`, 'line 2 is not a header, as in "Name: value"'],
  ["headers_file", `X-Token: ${SECRET}\u0001`, "line 1 is not a header"],
  ["headers_file", `Host: ${SECRET}`, "line 1 sets Host, which belongs to the download"],
  ["headers_file", `range: ${SECRET}`, "line 1 sets range"],
  ["headers_file", "# nothing\n", "it has no header in it"],
])("a %s with %p is refused without a word of what is in it", async (key, text, problem) => {
  await using dir = await tempDir();
  const path = await secretFile(join(dir.path, "secret"), text);
  const logins: SourceLogins = { "https://b.example": { [key]: path } };
  const error = await deployErrorOf(requireLogins(logins, files, false));
  expect(error).toMatchObject({ code: "config-invalid" });
  expect(error.message).toContain(problem);
  expect(`${error.explained} ${Bun.inspect(error)}`).not.toContain(SECRET);
});

test("an authorization header beside basic auth is refused", async () => {
  await using dir = await tempDir();
  const login = {
    basic_auth_file: await secretFile(join(dir.path, "basic"), "me:word"),
    headers_file: await secretFile(join(dir.path, "headers"), "AUTHORIZATION: Bearer x"),
  };
  const error = await deployErrorOf(requireLogins({ "https://b.example": login }, files, false));
  expect(error.message).toContain("it has an authorization header, and basic_auth_file gives another");
});

test.each([0o644, 0o640, 0o604, 0o620, 0o660])(
  "a file of mode %o is refused: others may read or write it",
  async (mode) => {
    await using dir = await tempDir();
    const path = await secretFile(join(dir.path, "secret"), "me:word", mode);
    const error = await deployErrorOf(requireLogins({ "https://b.example": { basic_auth_file: path } }, files, false));
    expect(error.message).toContain("others than its owner may read or write it");
    expect(error.hint).toContain(`chmod 600 ${path}`);
  },
);

test("what is missing, a directory or a link is refused", async () => {
  await using dir = await tempDir();
  await mkdir(join(dir.path, "directory"));
  await secretFile(join(dir.path, "secret"), "me:word");
  await symlink("secret", join(dir.path, "link"));
  for (const name of ["missing", "directory", "link"]) {
    const logins = { "https://b.example": { basic_auth_file: join(dir.path, name) } };
    expect(await deployErrorOf(requireLogins(logins, files, false))).toMatchObject({ code: "config-invalid" });
  }
});

test.if(isRoot)("root takes only what is root's, in a place that is root's alone", async () => {
  await using dir = await tempDir();
  const path = await secretFile(join(dir.path, "secret"), "me:word");
  const logins = { "https://b.example": { basic_auth_file: path } };
  await requireLogins(logins, files, true);
  await chown(path, 2002, 0);
  expect((await deployErrorOf(requireLogins(logins, files, true))).message).toContain("it belongs to user 2002");
  await chown(path, 0, 0);
  await chmod(dir.path, 0o777);
  expect((await deployErrorOf(requireLogins(logins, files, true))).message).toContain("anybody may write in it");
});
