import { expect, test } from "bun:test";
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { agentConfig } from "../../src/agent/config.ts";
import { notifyTarget, requireTargets } from "../../src/agent/notify_target.ts";
import type { DeployError } from "../../src/core/errors.ts";
import { hostDisk } from "../../src/host/disk.ts";
import { Files } from "../../src/steps/files.ts";
import { systemClock } from "../../src/support/clock.ts";
import { deployErrorOf } from "../fetch/scratch.ts";
import { tempDir } from "../harness/tempdir.ts";

const files = new Files(hostDisk, systemClock);
const SECRET_URL = "https://hooks.example.com/services/T0/B0/not-a-real-one";

const configured = (text: string) =>
  agentConfig(`[zookeeper]\nservers = "zk:2181"\n[services.web]\n${text}`, "agent.toml", {}, "box").notify;

/** A target whose files hold this. */
async function target(
  directory: string,
  { url = SECRET_URL, key = "sixteen characters and more", extra = {}, mode = 0o600 } = {},
) {
  const [url_file, key_file] = [join(directory, "url"), join(directory, "key")];
  await writeFile(url_file, `${url}\n`);
  await writeFile(key_file, `${key}\n`);
  await chmod(url_file, mode);
  await chmod(key_file, 0o600);
  return { ops: { url_file, key_file, format: "json" as const, allow_http: false, ...extra } };
}

test("agent.toml names a target's files, and only Slack goes without a key", () => {
  expect(configured('[notify.ops]\nurl_file = "/e/url"\nkey_file = "/e/key"')).toEqual({
    ops: { url_file: "/e/url", key_file: "/e/key", format: "json", allow_http: false },
  });
  expect(configured('[notify.chat]\nurl_file = "/e/url"\nformat = "slack"')["chat"]).not.toHaveProperty("key_file");
  for (const [text, problem] of [
    ['[notify.ops]\nurl_file = "/e/url"', "key_file is required"],
    ['[notify.ops]\nurl = "https://a.example"', 'unknown key "notify.ops.url"'],
    ['[notify.ops]\nurl_file = "url"\nformat = "slack"', '"notify.ops.url_file"'],
    ['[notify.ops]\nurl_file = "/e/url"\nformat = "teams"', '"notify.ops.format"'],
    ['[notify."o p"]\nurl_file = "/e/url"\nformat = "slack"', "notify"],
  ] as const)
    expect(() => configured(text)).toThrow(problem);
});

test("a target is what its files say at that moment", async () => {
  await using directory = await tempDir();
  const targets = await target(directory.path);
  const found = await notifyTarget("ops", targets, files, false);
  expect(found).toEqual({ url: new URL(SECRET_URL), key: "sixteen characters and more", format: "json" });
  await writeFile(targets.ops.key_file, "another key, which is long enough");
  expect((await notifyTarget("ops", targets, files, false)).key).toBe("another key, which is long enough");
  await requireTargets(targets, files, false);
});

test.each([
  ["others may read it", { mode: 0o640 }, "others than its owner may read or write it"],
  ["it is http to another host", { url: "http://hooks.example.com/x" }, "allow_http = true allows it"],
  ["it is no URL", { url: "hooks.example.com/x" }, "it is not one line with an https URL"],
  ["it is another scheme", { url: "file:///etc/shadow" }, "it is not one line with an https URL"],
  ["there are two", { url: `${SECRET_URL}\n${SECRET_URL}` }, "it is not one line with an https URL"],
  ["the key is short", { key: "short" }, "a key has at least 16 characters"],
])("a file is refused where %s, and nothing of it is told", async (_, wrong, why) => {
  await using directory = await tempDir();
  const targets = await target(directory.path, wrong);
  const error: DeployError = await deployErrorOf(notifyTarget("ops", targets, files, false));
  expect(error.code).toBe("config-invalid");
  expect(error.message).toContain(why);
  expect(error.explained).not.toMatch(/hooks\.example|shadow|short/);
});

test("http is for this host alone, unless the target says otherwise", async () => {
  await using directory = await tempDir();
  for (const url of ["http://127.0.0.1:8080/x", "http://[::1]/x", "http://localhost/x"]) {
    const targets = await target(directory.path, { url });
    expect((await notifyTarget("ops", targets, files, false)).url.href).toBe(new URL(url).href);
  }
  const allowed = await target(directory.path, { url: "http://10.0.0.7/x", extra: { allow_http: true } });
  expect((await notifyTarget("ops", allowed, files, false)).url.hostname).toBe("10.0.0.7");
});

test("a target that is not there is told by its name, and where it belongs", async () => {
  const error = await deployErrorOf(notifyTarget("ops", {}, files, false));
  expect(error.message).toBe('Cannot tell "ops" anything: agent.toml of this host has no [notify.ops].');
  expect(error.hint).toContain("every host that may");
});
