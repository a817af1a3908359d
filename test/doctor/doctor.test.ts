import { expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { doctor as doctorVerb } from "../../src/doctor/verb.ts";
import { supervisorSupport } from "../../src/doctor/supervisor_support.ts";
import { tempDir } from "../harness/tempdir.ts";
import { runAlone } from "../harness/verb_run.ts";

const doctor = (...argv: string[]) => runAlone("doctor", doctorVerb, argv);

async function configWith(dir: string, traffic: string): Promise<string> {
  const path = join(dir, "agent.toml");
  await writeFile(
    path,
    `host = "box"
[zookeeper]
servers = "zk1:2181"
[services.web]
run_as = "nobody"
instances = [{ name = "1", port = 8081 }, { name = "2", port = 8082 }]
traffic = ${traffic}
`,
  );
  return path;
}

test("every strategy is named, with what it is or what is missing", async () => {
  await using dir = await tempDir();
  const { stdout } = await doctor(
    "--json",
    "--config",
    await configWith(dir.path, '{ by = "hook", off = "x", on = "x" }'),
  );
  const found = JSON.parse(stdout) as Record<"restart" | "traffic", { strategy: string; detail: string }[]> & object;
  expect(found).toMatchObject({
    schema: "deployd.doctor/1",
    services: [{ service: "web", traffic: "hook", problem: null }],
  });
  expect(found.restart.map(({ strategy }) => strategy).toSorted()).toEqual([
    "command",
    "runit",
    "s6",
    "signal",
    "supervisord",
    "systemd",
    "systemd-socket",
  ]);
  expect(found.traffic.map(({ strategy }) => strategy).toSorted()).toEqual([
    "haproxy",
    "hook",
    "iptables",
    "nft",
    "reject",
  ]);
  for (const { detail } of [...found.restart, ...found.traffic]) expect(detail).not.toBe("");
});

test("a host that has what its services need is told so, line by line", async () => {
  await using dir = await tempDir();
  const { code, stdout } = await doctor("--config", await configWith(dir.path, '{ by = "nft", port = 80 }'));
  expect(stdout).toMatch(/^ {2}✓ nft +nftables v/m);
  expect(stdout).toContain("  ✓ web: traffic by nft\n");
  expect(code).toBe(0);
});

test.each([
  [["--config", "/nowhere/agent.toml"], "there is no file /nowhere/agent.toml"],
  [["--fix"], "There is no flag --fix"],
])("%p is refused", async (argv, message) => {
  expect(await doctor(...argv)).toMatchObject({ code: 64, stdout: "", stderr: expect.stringContaining(message) });
});

test("a supervisor that is not there is missing by the name of its package", async () => {
  const none = await supervisorSupport({ find: () => null, exists: async () => false });
  expect(none.filter(({ supported }) => !supported).map(({ strategy, missing }) => [strategy, missing])).toEqual([
    ["systemd", "systemd"],
    ["systemd-socket", "systemd"],
    ["runit", "runit"],
    ["s6", "s6"],
    ["supervisord", "supervisor"],
  ]);
  const unbooted = await supervisorSupport({ find: () => "/usr/bin/x", exists: async () => false });
  expect(unbooted.find(({ strategy }) => strategy === "systemd")).toMatchObject({
    supported: false,
    detail: "this machine was not booted by systemd",
  });
  const all = await supervisorSupport({ find: () => "/usr/bin/x", exists: async () => true });
  expect(all.every(({ supported }) => supported)).toBe(true);
});
