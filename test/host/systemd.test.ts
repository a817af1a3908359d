import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmod, copyFile, mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { bootMachine, type BootedMachine, type Ran } from "../harness/booted_machine.ts";
import { eventually } from "../harness/eventually.ts";
import { packDirectory } from "../harness/real_time.ts";

/*
 * install.sh and the agent's unit under a real systemd: one machine, from installation to removal. The tests build on one
 * another, in the order in which they stand.
 */

const repository = join(import.meta.dir, "..", "..");
const binaryName = process.arch === "arm64" ? "deployd-linux-arm64" : "deployd-linux-x64";
const zookeeper = "127.0.0.1:2181";
const LONG_MS = 30_000;

const webUnit = `[Service]
User=www-data
RuntimeDirectory=web
WorkingDirectory=/srv/deployd/web/current
ExecStart=/opt/sample sample-service --port 8080 --release /srv/deployd/web/current --pid-file /run/web/pid
`;

const webRecipe = `[restart]
by = "systemd"
unit = "web.service"

[check]
http = "http://127.0.0.1:8080/health"
interval_s = 0.1
deadline_s = 20
`;

const workerRecipe = `[install]
steps = ["id --user --name > \\"$DEPLOYD_RELEASE/installed-by\\""]
shared = ["run"]

[restart]
by = "command"
stop = "kill $(cat run/pid) 2>/dev/null || true"
start = "/opt/sample sample-service --port 8081 --release . --pid-file run/pid &"

[check]
http = "http://127.0.0.1:8081/health"
interval_s = 0.1
deadline_s = 20
`;

const agentConfig = `host = "box"

[zookeeper]
servers = "${zookeeper}"
session_timeout_s = 4

[services.web]
run_as = "www-data"
sources = ["file:///opt/"]

[services.worker]
run_as = "www-data"
sources = ["file:///opt/"]
`;

describe("deployd under systemd", () => {
  let machine: BootedMachine;

  beforeAll(async () => {
    machine = await bootMachine();
    machine.startBeside(
      [
        process.execPath,
        "-e",
        'import { systemClock } from "./src/support/clock.ts"; import { startDevServer } from "./src/zookeeper/server/dev_server.ts"; await startDevServer({ clock: systemClock, port: 2181 });',
      ],
      repository,
    );
    await makeMirror("/opt/mirror", join(repository, "dist", "deployd"));
    await copyFile(join(repository, "install.sh"), machine.outside("/opt/install.sh"));
    await copyFile(join(repository, "dist", "deployd"), machine.outside("/opt/sample"));
    await machine.write("/etc/systemd/system/web.service", webUnit);
  }, 60_000);

  afterAll(async () => {
    await machine?.[Symbol.asyncDispose]();
  }, 60_000);

  async function makeMirror(path: string, binary: string | { script: string }): Promise<void> {
    const directory = machine.outside(path);
    const file = join(directory, binaryName);
    await mkdir(directory, { recursive: true });
    if (typeof binary === "string") await copyFile(binary, file);
    else await writeFile(file, binary.script);
    await chmod(file, 0o755);
    const sum = new Bun.CryptoHasher("sha256").update(await Bun.file(file).bytes()).digest("hex");
    await writeFile(join(directory, "SHA256SUMS"), `${sum}  ${binaryName}\n`);
  }

  const ctl = (...args: string[]): Promise<Ran> =>
    machine.runBeside([join(repository, "dist", "deployd"), "ctl", ...args], { DEPLOYD_ZOOKEEPER: zookeeper });

  async function ok(ran: Promise<Ran>): Promise<string> {
    const { code, output } = await ran;
    if (code !== 0) {
      const journal = await machine.run("journalctl", "--no-pager", "-n", "40", "-u", "deployd-agent");
      throw new Error(`exited with ${code}: ${output}\n--- journal\n${journal.output}`);
    }
    return output;
  }

  const installSh = (...args: string[]): Promise<Ran> => machine.run("sh", "/opt/install.sh", ...args);
  const shown = async (unit: string, property: string): Promise<string> =>
    (await ok(machine.run("systemctl", "show", "--value", `--property=${property}`, unit))).trim();
  const agentPid = (): Promise<string> => shown("deployd-agent", "MainPID");
  const ask = async (port: number): Promise<string> =>
    (await machine.run("curl", "-sS", "--max-time", "2", `http://127.0.0.1:${port}/`)).output.trim();
  const pidOfWorker = async (): Promise<string> =>
    (await readFile(machine.outside("/srv/deployd/worker/shared/run/pid"), "utf8")).trim();
  const agentIsActive = (): Promise<string> =>
    eventually(async () => {
      const pid = await agentPid();
      return pid !== "0" && (await shown("deployd-agent", "ActiveState")) === "active" ? pid : null;
    }, LONG_MS);

  async function addBuild(service: string, recipe: string, build: string): Promise<void> {
    const tree = machine.outside(`/opt/trees/${service}-${build}`);
    await mkdir(tree, { recursive: true });
    await writeFile(join(tree, "deployd.toml"), recipe);
    await writeFile(join(tree, "greeting.txt"), `${service} ${build}\n`);
    await mkdir(machine.outside("/opt/builds"), { recursive: true });
    const path = `/opt/builds/${service}-${build}.tar.zst`;
    await packDirectory({ dir: tree, out: machine.outside(path) });
    await ok(ctl("builds", "add", service, machine.outside(path), "--build", build, "--url", `file://${path}`));
  }

  const deploy = (service: string, build: string): Promise<string> =>
    ok(ctl("deploy", service, build, "--timeout-s", "40", "--why", "a test"));

  test(
    "install.sh puts binary, unit and a sample in place and starts nothing that is not configured",
    async () => {
      const output = await ok(installSh("--base-url", "/opt/mirror"));
      expect(output).toContain("installed /usr/local/bin/deployd");
      expect(output).toContain("start it with: systemctl enable --now deployd-agent.service");
      expect(await shown("deployd-agent", "ActiveState")).toBe("inactive");
      expect((await stat(machine.outside("/etc/deployd/agent.toml"))).mode & 0o777).toBe(0o600);
      expect(await ok(machine.run("systemd-analyze", "verify", "/etc/systemd/system/deployd-agent.service"))).toBe("");
    },
    LONG_MS,
  );

  test(
    "the unit counts as started when the agent says so",
    async () => {
      await machine.write("/etc/deployd/agent.toml", agentConfig, 0o600);
      await ok(machine.run("systemctl", "start", "deployd-agent"));
      expect(await shown("deployd-agent", "ActiveState")).toBe("active");
      expect(await shown("deployd-agent", "Type")).toBe("notify");
    },
    LONG_MS,
  );

  test(
    "a service of systemd goes from one build to the next",
    async () => {
      await ok(ctl("services", "set", "web", "--soak-s", "0.2"));
      await ok(ctl("services", "set", "worker", "--soak-s", "0.2"));
      await eventually(async () => (await ctl("hosts", "list", "web")).output.includes("box"), LONG_MS);
      await addBuild("web", webRecipe, "v1");
      await addBuild("web", webRecipe, "v2");
      const doctor = () => machine.run("sh", "-c", "cd / && exec /usr/local/bin/deployd doctor");
      const advice = "Run: systemctl enable deployd-agent.service";
      expect(await deploy("web", "v1")).toContain(advice);
      expect(await doctor()).toMatchObject({ code: 1, output: expect.stringContaining(advice) });
      expect(await ask(8080)).toBe("web v1");
      await ok(machine.run("systemctl", "enable", "deployd-agent"));
      expect(await doctor()).toMatchObject({
        code: 0,
        output: expect.stringContaining("✓ systemd starts deployd-agent"),
      });
      const before = await shown("web", "MainPID");
      expect(await deploy("web", "v2")).not.toContain("systemctl enable");
      expect(await ask(8080)).toBe("web v2");
      expect(await shown("web", "MainPID")).not.toBe(before);
    },
    2 * LONG_MS,
  );

  test(
    "commands of a build run as the service's user inside the unit's limits",
    async () => {
      await eventually(async () => (await ctl("hosts", "list", "worker")).output.includes("box"), LONG_MS);
      await addBuild("worker", workerRecipe, "v1");
      await deploy("worker", "v1");
      expect(await ask(8081)).toBe("worker v1");
      const installedBy = machine.outside("/srv/deployd/worker/releases/v1/installed-by");
      expect((await readFile(installedBy, "utf8")).trim()).toBe("www-data");
      const status = await ok(machine.run("cat", `/proc/${await pidOfWorker()}/status`));
      expect(status).toMatch(/^NoNewPrivs:\s*1$/m);
      expect(status).toMatch(/^CapEff:\s*0+$/m);
    },
    2 * LONG_MS,
  );

  test(
    "a killed agent is started again, and no service notices",
    async () => {
      const [agent, web, worker] = [await agentPid(), await shown("web", "MainPID"), await pidOfWorker()];
      await ok(machine.run("kill", "-KILL", agent));
      expect(await eventually(async () => (await agentIsActive()) !== agent, LONG_MS)).toBe(true);
      expect(await shown("web", "MainPID")).toBe(web);
      expect(await ask(8080)).toBe("web v2");
      expect(await pidOfWorker()).toBe(worker);
      expect(await ask(8081)).toBe("worker v1");
    },
    LONG_MS,
  );

  test(
    "the agent sees that a process of the service's user is gone, and starts the service again",
    async () => {
      const worker = await pidOfWorker();
      await ok(machine.run("kill", "-KILL", worker));
      await eventually(async () => (await pidOfWorker()) !== worker && (await ask(8081)) === "worker v1", LONG_MS);
    },
    LONG_MS,
  );

  test(
    "an agent that hangs is found by the watchdog and started again",
    async () => {
      await machine.write("/etc/systemd/system/deployd-agent.service.d/test.conf", "[Service]\nWatchdogSec=2\n");
      await ok(machine.run("systemctl", "daemon-reload"));
      await ok(machine.run("systemctl", "restart", "deployd-agent"));
      const agent = await agentIsActive();
      await ok(machine.run("kill", "-STOP", agent));
      const next = await eventually(async () => {
        const pid = await agentIsActive();
        return pid === agent ? null : pid;
      }, LONG_MS);
      expect(next).not.toBe("0");
      expect(await ask(8081)).toBe("worker v1");
    },
    2 * LONG_MS,
  );

  test(
    "after a reboot what the host served serves again, whoever starts it, and what is stopped since then stays so",
    async () => {
      // This machine boots no further than to the basic system.
      await ok(machine.run("systemctl", "add-wants", "basic.target", "deployd-agent.service"));
      expect(await shown("web", "UnitFileState")).toBe("static");
      await machine.reboot();
      await eventually(async () => (await ask(8080)) === "web v2", LONG_MS);
      await eventually(async () => (await ask(8081)) === "worker v1", LONG_MS);
      // The deploys had ended, and nobody was granted anything for it.
      expect(await ok(ctl("status", "web", "--json"))).toContain('"state":"done"');

      const isOver = async (): Promise<boolean> => {
        const journal = JSON.parse(await readFile(machine.outside("/srv/deployd/web/state.json"), "utf8"));
        return journal.boot.over === true && journal.activation === null;
      };
      await eventually(isOver, LONG_MS);
      await ok(machine.run("systemctl", "stop", "web"));
      // The agent has looked since then.
      await eventually(async () => (await ok(ctl("status", "web", "--json"))).includes('"unhealthy"'), LONG_MS);
      expect(await shown("web", "ActiveState")).toBe("inactive");
      const told = await ok(ctl("status"));
      expect(told).toMatch(/✗ +web +unhealthy +v2 .* unhealthy for .*: /);
      // Whoever deploys what is down wants it up.
      expect(await ok(ctl("deploy", "web", "v2"))).toContain("1 of 1 host serves v2");
      expect(await ask(8080)).toBe("web v2");
    },
    3 * LONG_MS,
  );

  test(
    "running install.sh again changes nothing",
    async () => {
      const before = await agentIsActive();
      const output = await ok(installSh("--base-url", "/opt/mirror"));
      expect(output).toContain("nothing to do");
      expect(output).toContain("the agent is active");
      expect(await agentPid()).toBe(before);
      expect(await readFile(machine.outside("/etc/deployd/agent.toml"), "utf8")).toBe(agentConfig);
    },
    LONG_MS,
  );

  test(
    "another binary replaces the old one and the agent is restarted with it",
    async () => {
      const before = await agentIsActive();
      await makeMirror("/opt/newer", { script: '#!/bin/sh\n# newer\nexec /opt/sample "$@"\n' });
      const output = await ok(installSh("--base-url", "file:///opt/newer"));
      expect(output).toContain("replaced /usr/local/bin/deployd");
      expect(await agentIsActive()).not.toBe(before);
      expect(await readFile(machine.outside("/usr/local/bin/deployd"), "utf8")).toContain("# newer");
      expect(await ask(8081)).toBe("worker v1");
    },
    LONG_MS,
  );

  test(
    "a binary whose agent does not start is taken back",
    async () => {
      await makeMirror("/opt/broken", { script: '#!/bin/sh\n[ "$1" = version ] && echo deployd 9 || exit 1\n' });
      const { code, output } = await installSh("--base-url", "/opt/broken");
      expect(code).toBe(1);
      expect(output).toContain("Cannot restart the agent with the new binary and unit");
      expect(await readFile(machine.outside("/usr/local/bin/deployd"), "utf8")).toContain("# newer");
      await agentIsActive();
      expect(await ok(machine.run("ls", "-A", "/usr/local/bin"))).not.toContain(".deployd");
    },
    LONG_MS,
  );

  test(
    "the agent is started at once where its configuration was there first",
    async () => {
      await ok(installSh("--uninstall"));
      const output = await ok(installSh("--base-url", "/opt/mirror"));
      expect(output).toContain("the agent is active");
      expect(await shown("deployd-agent", "UnitFileState")).toBe("enabled");
    },
    LONG_MS,
  );

  test(
    "uninstalling ends the agent and leaves configuration, releases and services alone",
    async () => {
      const output = await ok(installSh("--uninstall"));
      expect(output).toContain("kept: /etc/deployd");
      expect(await shown("deployd-agent", "LoadState")).toMatch(/^(not-found|masked)?$/);
      expect(await Bun.file(machine.outside("/usr/local/bin/deployd")).exists()).toBe(false);
      expect(await Bun.file(machine.outside("/etc/systemd/system/deployd-agent.service")).exists()).toBe(false);
      expect(await readFile(machine.outside("/etc/deployd/agent.toml"), "utf8")).toBe(agentConfig);
      expect(await ask(8080)).toBe("web v2");
      expect(await ask(8081)).toBe("worker v1");
    },
    LONG_MS,
  );
});
