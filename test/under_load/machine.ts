import { chmod, copyFile, mkdir, open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { deploydBinary } from "../harness/binary.ts";
import { bootMachine, type BootedMachine } from "../harness/booted_machine.ts";
import { eventually } from "../harness/eventually.ts";
import type { Started } from "../harness/netns.ts";
import { tempDir } from "../harness/tempdir.ts";
import { appEnvironment, FRONT_PORT, readEvents, type AppManners } from "./app.ts";
import { bringUp, rollUnderLoad, STATUS, ZOOKEEPER, ZOOKEEPER_PROGRAM, type DrivenHost } from "./drive.ts";
import { localTargets, nodeProgram, ORDINARY_CLIENTS, startLoad } from "./load.ts";
import type { Outcome } from "./run_variant.ts";
import type { Variant } from "./variants.ts";

/*
 * A host with a systemd of its own, whose socket outlives the service behind it. The clients are on that host.
 */

const repository = join(import.meta.dir, "..", "..");
const EVENTS = "/opt/events/web";

export async function rollOnMachine(variant: Variant, rolls: number): Promise<Outcome> {
  await using dir = await tempDir();
  await using machine = await bootMachine();
  const host = await startOnMachine(machine, variant);
  try {
    await bringUp(host);
    await using load = await startLoad(beside(machine, dir.path), localTargets(FRONT_PORT), ORDINARY_CLIENTS);
    const rolled = await rollUnderLoad(host, [load], rolls);
    return { rolls: rolled, loads: [await load.stop()], events: await readEvents(machine.outside(EVENTS)) };
  } catch (error) {
    throw new Error(`${String(error)}\n${await host.account()}`, { cause: error });
  }
}

async function startOnMachine(machine: BootedMachine, variant: Variant): Promise<DrivenHost> {
  for (const path of ["/opt/events", "/opt/builds"]) await mkdir(machine.outside(path), { recursive: true });
  await chmod(machine.outside("/opt/events"), 0o777);
  const binary = await deploydBinary();
  await copyFile(binary, machine.outside("/opt/deployd"));
  const takesTurns = variant.strategy === "systemd-socket";
  const unit = takesTurns ? "web@.service" : "web.service";
  await machine.write("/etc/systemd/system/web.socket", socketUnit(takesTurns ? "web@blue.service" : unit));
  await machine.write(`/etc/systemd/system/${unit}`, serviceUnit(variant));
  await machine.write("/etc/deployd/agent.toml", AGENT_CONFIG, 0o600);
  machine.startBeside([process.execPath, "-e", ZOOKEEPER_PROGRAM], repository);
  await machine.run("systemctl", "daemon-reload");
  const agent = ["/opt/deployd", "agent", "--config", "/etc/deployd/agent.toml"];
  const started = await machine.run("systemd-run", "--unit=deployd-agent", ...agent);
  if (started.code !== 0) throw new Error(`systemd-run: ${started.output}`);
  return {
    ctl: (...args) => machine.runBeside([binary, "ctl", ...args], { DEPLOYD_ZOOKEEPER: ZOOKEEPER }),
    builds: { here: machine.outside("/opt/builds"), there: "/opt/builds" },
    recipe: recipe(variant, unit),
    status: async () => (await machine.run("curl", "-sS", `http://${STATUS}/status?format=json`)).output,
    account: async () =>
      (await machine.run("journalctl", "--no-pager", "-n", "40", "-u", "deployd-agent", "-u", "web*")).output,
  };
}

const AGENT_CONFIG = `host = "box"

[zookeeper]
servers = "${ZOOKEEPER}"

[status]
listen = "${STATUS}"

[services.web]
run_as = "nobody"
sources = ["file:///opt/builds/"]
units = ["web.socket", "web.service", "web@*.service"]
`;

function socketUnit(service: string): string {
  return `[Socket]
ListenStream=${FRONT_PORT}
Service=${service}
`;
}

function serviceUnit(manners: AppManners): string {
  const env = { ...appEnvironment(manners), EVENTS_FILE: EVENTS, INSTANCE: "%i" };
  return `[Service]
Type=notify
NotifyAccess=all
Sockets=web.socket
User=nobody
ExecStart=${nodeProgram()} /srv/deployd/web/current/app.mjs
KillMode=mixed
${Object.entries(env)
  .map(([name, value]) => `Environment=${name}=${value}`)
  .join("\n")}
`;
}

function recipe({ strategy, drain }: Variant, unit: string): string {
  const by = strategy === "systemd-socket" ? 'by = "systemd-socket"\nsocket = "web.socket"' : 'by = "systemd"';
  return `[restart]
${by}
unit = "${unit}"
timeout_s = 20

${drain === null ? "" : `[drain]\n${drain}\n`}
[check]
http = "http://127.0.0.1:${FRONT_PORT}/health"
interval_s = 0.05
deadline_s = 20
successes = 2
`;
}

/** Starts programs beside the machine that are talked to by way of files: a machine gives nobody their streams. */
function beside(machine: BootedMachine, dir: string): { start(argv: readonly string[]): Started } {
  return {
    start: (argv) => {
      const [input, output] = [join(dir, "input"), join(dir, "output")];
      Bun.spawnSync(["mkfifo", input]);
      machine.startBeside(["/bin/sh", "-c", 'exec <"$0" >"$1"; shift; exec "$@"', input, output, ...argv], dir);
      // Held open: its end would be the end of the program's input. Opens when the program has opened it too.
      const writer = open(input, "w");
      let taken = 0;
      return {
        pid: 0,
        say: async (text) => {
          await (await writer).write(`${text}\n`);
        },
        line: () =>
          eventually(async () => {
            const lines = (await readFile(output, "utf8")).split("\n").slice(0, -1);
            const line = lines[taken];
            if (line !== undefined) taken += 1;
            return line;
          }),
        [Symbol.asyncDispose]: async () => {
          await (await writer).close();
        },
      };
    },
  };
}
