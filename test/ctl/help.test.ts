import { describe, expect, test } from "bun:test";
import { expectGolden } from "../harness/golden.ts";
import { ctl, startCtl } from "./terminal.ts";

const routes = [
  "",
  "deploy",
  "stage",
  "restart",
  "promote",
  "rollback",
  "pause",
  "resume",
  "retry",
  "abort",
  "freeze",
  "unfreeze",
  "wait",
  "status",
  "monitor",
  "serve",
  "plan",
  "history",
  "logs",
  "builds",
  "builds add",
  "builds list",
  "builds bar",
  "builds unbar",
  "builds remove",
  "hosts",
  "hosts list",
  "hosts role",
  "hosts hold",
  "hosts release",
  "hosts leave",
  "hosts unlock",
  "hosts forget",
  "services",
  "services set",
  "services list",
  "services show",
  "services accept",
  "services remove",
];

const verbs = routes.filter((route) => !["", "builds", "hosts", "services"].includes(route));

describe("help", () => {
  for (const route of routes) {
    test(`of "deployd ctl ${route}" is what the golden file says`, async () => {
      const run = await ctl([...route.split(" ").filter((word) => word !== ""), "--help"]);
      expect(run).toMatchObject({ code: 0, stderr: "" });
      await expectGolden(`help${route === "" ? "" : "-"}${route.replaceAll(" ", "-")}`, run.stdout);
    });
  }

  test("of every verb shows an example that begins with the verb itself", async () => {
    for (const verb of verbs) {
      const { stdout } = await ctl([...verb.split(" "), "--help"]);
      expect(stdout).toMatch(/^EXAMPLES?$/m);
      expect(stdout).toContain(`\n  deployd ctl ${verb}`);
    }
  });

  test("names the value of every flag that takes one, and its default", async () => {
    for (const verb of verbs) {
      const { stdout } = await ctl([...verb.split(" "), "--help"]);
      const [, flags = ""] = /^FLAGS\n((?:.+\n)+)/m.exec(stdout) ?? [];
      const rows = flags
        .trimEnd()
        .split("\n")
        .filter(
          (line) => !/^ +(?:--(?:json|watch|canary|urgent|detach|keep|new|once|timeline)|-h, --help|--) /.test(line),
        );
      expect(rows.length).toBeGreaterThan(2);
      for (const row of rows)
        expect({ verb, row }).toEqual({
          verb,
          row: expect.stringMatching(/^  --[a-z-]+ <[a-z]+>  .+\(default: .+\)$/),
        });
    }
  });

  test("names every verb that there is", async () => {
    const { stdout } = await ctl([]);
    for (const verb of verbs.filter((name) => !name.includes(" "))) expect(stdout).toContain(`\n  ${verb} `);
  });
});

const wrong: readonly (readonly string[])[] = [
  ["depoly", "web", "9b1e0d4"],
  ["services", "sett"],
  ["deploy"],
  ["deploy", "web"],
  ["deploy", "web", "9b1e0d4", "too-much"],
  ["deploy", "web", "9b1e0d4", "--cannary"],
  ["deploy", "web", "9b1e0d4", "--max"],
  ["deploy", "web", "9b1e0d4", "--max", "0"],
  ["deploy", "web", "9b1e0d4", "--max", "two"],
  ["deploy", "web", "9b1e0d4", "--max", "0%"],
  ["deploy", "web", "9b1e0d4", "--max", "10%,5"],
  ["deploy", "web", "9b1e0d4", "--max", "101%"],
  ["deploy", "web", "9b1e0d4", "--max-per-zone", "0"],
  ["deploy", "web", "9b1e0d4", "--budget", "-1"],
  ["deploy", "web", "9b1e0d4", "--soak-s", "-1"],
  ["deploy", "web", "9b1e0d4", "--progress-s", "soon"],
  ["deploy", "web", "9b1e0d4", "--progress-s", "0.5"],
  ["deploy", "web", "9b1e0d4", "--stages", ""],
  ["deploy", "web", "9b1e0d4", "--stages", "canery"],
  ["deploy", "web", "9b1e0d4", "--stages", "10%,canary"],
  ["deploy", "web", "9b1e0d4", "--stages", "50%,10%"],
  ["deploy", "web", "9b1e0d4", "--stages", "10%/soon"],
  ["deploy", "web", "9b1e0d4", "--stages", "100%/5m"],
  ["deploy", "web", "9b1e0d4", "--stages", "100%,50%"],
  ["deploy", "web", "9b1e0d4", "--on-halt", "rolback"],
  ["services", "set", "web", "--max", "0%"],
  ["services", "set", "web", "--notify", "o ps"],
  ["pause"],
  ["resume", "web", "9b1e0d4", "now"],
  ["freeze", "web", "--for", "0"],
  ["freeze", "web", "--for", "0s"],
  ["freeze", "web", "--for", "soon"],
  ["hosts", "hold", "web"],
  ["hosts", "leave", "web"],
  ["deploy", "web", "../../etc"],
  ["deploy", "web\u001b[31m", "9b1e0d4"],
  ["hosts", "role", "web", "web-01", "canry"],
  ["builds", "add", "web", "x.tar.zst", "--digest", "md5:abc"],
  ["status", "web"],
  ["status", "web", "--zookeeper", "zk1:99999"],
  ["status", "web", "--zookeeper", "zk1:2181/deployd"],
  ["status", "web", "--zookeeper", "zk1:2181", "--chroot", "deployd"],
];

test("flags may stand before the verb, and before that of a group", async () => {
  const at = ["--zookeeper", "127.0.0.1:1", "--connect-timeout-s", "0.1"];
  const same = await ctl(["status", "--json", ...at]);
  expect(same).toMatchObject({ code: 69, stdout: expect.stringContaining("zookeeper-unreachable") });
  expect(await ctl(["--json", ...at, "status"])).toEqual(same);
  expect(await ctl([...at, "status", "--json"])).toEqual(same);
  expect(await ctl(["--zookeeper=127.0.0.1:1", "--json", "--connect-timeout-s=0.1", "status"])).toEqual(same);
  const listed = await ctl(["builds", "list", "web", ...at]);
  expect(listed.code).toBe(69);
  expect(await ctl(["builds", ...at, "list", "web"])).toEqual(listed);
  expect(await ctl([...at, "builds", "list", "web"])).toEqual(listed);
  expect(await ctl(["--json", "--help"])).toMatchObject({ code: 0 });
  expect(await ctl(["--max", "two", "deploy", "web", "b1"])).toMatchObject({
    code: 64,
    stderr: expect.stringContaining("deployd ctl deploy --help"),
  });
  // A flag that this verb does not have is told as that verb's.
  expect(await ctl(["--canary", "status"])).toMatchObject({ code: 64, stderr: expect.stringContaining("--canary") });
});

describe("wrong usage", () => {
  test("is explained, points to the help, and exits with 64", async () => {
    const said: string[] = [];
    for (const argv of wrong) {
      const run = await ctl(argv);
      expect({ argv, code: run.code, stdout: run.stdout }).toEqual({ argv, code: 64, stdout: "" });
      said.push(`$ deployd ctl ${argv.map((word) => JSON.stringify(word).slice(1, -1)).join(" ")}\n${run.stderr}`);
    }
    await expectGolden("usage-errors", said.join("\n"));
  });

  test("is a JSON document on stdout with --json, wherever the flag stands", async () => {
    for (const argv of [
      ["deploy", "web", "--json"],
      ["depoly", "--json"],
      ["status", "web", "--json"],
    ]) {
      const run = await ctl(argv);
      expect(run.code).toBe(64);
      expect(JSON.parse(run.stdout)).toEqual({
        error: { code: "usage", message: expect.any(String), hint: expect.any(String) },
      });
      expect(run.stderr).toStartWith("deployd: ");
    }
  });

  test("of DEPLOYD_ZOOKEEPER_DIGEST does not print the secret", async () => {
    const env = { DEPLOYD_ZOOKEEPER: "zk1:2181", DEPLOYD_ZOOKEEPER_DIGEST: "hunter2-without-a-user" };
    const run = await ctl(["status"], { env });
    expect(run.code).toBe(64);
    expect(run.stderr).toContain("DEPLOYD_ZOOKEEPER_DIGEST");
    expect(run.stderr).not.toContain("hunter2");
  });
});

test("ZooKeeper that cannot be reached is 69 and says what each server did", async () => {
  const servers = "127.0.0.1:1,no-such-host.invalid:2181";
  const run = await ctl(["status", "--zookeeper", servers, "--connect-timeout-s", "0.3"]);
  expect(run.code).toBe(69);
  expect(run.stderr).toContain("127.0.0.1:1 refuses connections");
  expect(run.stderr).toContain("no-such-host.invalid:2181 is a name that cannot be resolved");
});

test("a signal while connecting ends the command with its own exit code", async () => {
  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const) {
    const running = startCtl(["status", "--zookeeper", "127.0.0.1:1"]);
    running.signal(signal);
    expect(await running.finished).toEqual({ code, stdout: "", stderr: "" });
  }
});
