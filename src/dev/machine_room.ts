import { closeSync, openSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DeployError } from "../core/errors.ts";
import { processFact } from "../host/scan.ts";
import { ownUserName } from "../host/users.ts";
import type { Clock } from "../support/clock.ts";
import { startDevServer } from "../zookeeper/server/dev_server.ts";
import { selfCommand, shellWords } from "./self.ts";

export interface DevHost {
  readonly name: string;
  /** The port on which the service answers. */
  readonly port: number;
  readonly root: string;
  readonly agent: Bun.Subprocess;
}

/** Everything that `deployd dev` runs on this machine: a ZooKeeper of its own, and hosts as real agent processes. */
export interface MachineRoom extends AsyncDisposable {
  readonly clock: Clock;
  readonly dir: string;
  readonly connectString: string;
  readonly hosts: readonly DevHost[];
}

const SERVICE = "web";
const STOP_MS = 5_000;

/** @throws DeployError when the directory cannot be used or an agent does not start */
export async function openMachineRoom(
  dir: string,
  hostCount: number,
  zookeeperPort: number,
  clock: Clock,
): Promise<MachineRoom> {
  await mkdir(dir, { recursive: true });
  const server = await startDevServer({ clock, port: zookeeperPort });
  const hosts: DevHost[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(hosts.map((host) => stopHost(host, clock)));
    await server.close();
  };
  try {
    for (let number = 1; number <= hostCount; number++) {
      hosts.push(await startHost(dir, `${SERVICE}-${String(number).padStart(2, "0")}`, server.connectString));
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { clock, dir, connectString: server.connectString, hosts, [Symbol.asyncDispose]: close };
}

async function startHost(dir: string, name: string, zookeeper: string): Promise<DevHost> {
  const root = join(dir, name);
  const port = freePort();
  await mkdir(root, { recursive: true });
  const config = join(root, "agent.toml");
  await writeFile(
    config,
    `host = "${name}"
root = "${root}"

[zookeeper]
servers = "${zookeeper}"
session_timeout_s = 4

[status]
listen = "127.0.0.1:0"

[services.${SERVICE}]
run_as = "${ownUserName()}"
sources = ["file://${dir}/"]

[services.${SERVICE}.env]
PORT = "${port}"
SAMPLE_SERVICE = "${shellWords([...selfCommand(), "sample-service"])}"
`,
  );
  const log = openSync(join(root, "agent.log"), "a");
  const agent = Bun.spawn([...selfCommand(), "agent", "--config", config], {
    cwd: root,
    stdin: "ignore",
    stdout: log,
    stderr: log,
  });
  closeSync(log);
  return { name, port, root: join(root, SERVICE), agent };
}

/** A port that was free a moment ago; if another process takes it first, the service reports that. */
function freePort(): number {
  using listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  return listener.port;
}

async function stopHost(host: DevHost, clock: Clock): Promise<void> {
  host.agent.kill("SIGTERM");
  const ended = await Promise.race([host.agent.exited.then(() => true), clock.sleep(STOP_MS).then(() => false)]);
  if (!ended) host.agent.kill("SIGKILL");
  await stopService(host, clock);
}

/** The service outlives its agent by design, so it is ended by its pid file. */
async function stopService({ root }: DevHost, clock: Clock): Promise<void> {
  const text = await readFile(join(root, "service.pid"), "utf8").catch(() => "");
  const pid = Number(text.trim());
  if (!Number.isInteger(pid) || pid <= 1) return;
  const fact = await processFact(pid, clock);
  // The file may be outdated and the pid somebody else's by now.
  if (fact === null || !fact.cmd.includes("sample-service")) return;
  process.kill(pid, "SIGTERM");
}

/** What a host's service answers over HTTP right now; it is never taken from a status. */
export async function askHost(host: DevHost, clock: Clock): Promise<string> {
  try {
    const response = await fetch(`http://127.0.0.1:${host.port}/`, {
      signal: clock.deadline(2_000),
      keepalive: false,
    });
    return `${response.status} ${(await response.text()).trim()}`;
  } catch (error) {
    return `no answer (${error instanceof Error ? error.message : String(error)})`;
  }
}

/** @throws DeployError naming the host whose agent has ended */
export async function assertAgentsRun(room: MachineRoom): Promise<void> {
  for (const host of room.hosts) {
    if (host.agent.exitCode === null) continue;
    const log = await readFile(join(host.root, "..", "agent.log"), "utf8").catch(() => "");
    throw new DeployError(`Cannot go on: the agent of ${host.name} ended with ${host.agent.exitCode}.`, {
      code: "internal",
      hint: `The end of its log: ${log.split("\n").slice(-3).join(" ")}`,
    });
  }
}
