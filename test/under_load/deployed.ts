import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { deploydBinary } from "../harness/binary.ts";
import { killProcessesOf } from "../harness/fleet_leftovers.ts";
import { appEnvironment, INSTANCES, type AppManners } from "./app.ts";
import { STATUS, ZOOKEEPER, ZOOKEEPER_PROGRAM, type DrivenHost } from "./drive.ts";
import { nodeProgram } from "./load.ts";
import type { Started } from "../harness/netns.ts";
import { startProgram, type Network } from "./network.ts";

const repository = join(import.meta.dir, "..", "..");

export interface DeployedOptions {
  readonly manners: AppManners;
  /** What the copies speak at their port. */
  readonly protocol: "http" | "line";
  /** Lines of [services.web.traffic]. */
  readonly traffic: string;
  /** The build's [drain]; null for none. */
  readonly drain: string | null;
  /** How many of the copies there are; all of them unless given. */
  readonly copies?: number;
}

/** A host with four copies of the service, restarted by commands. */
export interface Deployed extends DrivenHost, AsyncDisposable {
  /** Where the copies write what happens to them. */
  readonly events: string;
  /** The service's directory. */
  readonly root: string;
  /** Starts another agent, after the one before it was killed. */
  startAgent(): Started;
  readonly agent: Started;
}

/** Starts ZooKeeper and the compiled agent on the host of the network; `dir` takes all that they write. */
export async function startDeployed(network: Network, dir: string, options: DeployedOptions): Promise<Deployed> {
  // The service's user must get through.
  await chmod(dir, 0o755);
  const root = join(dir, "srv");
  const builds = join(dir, "builds");
  await mkdir(builds);
  const config = join(dir, "agent.toml");
  await writeFile(config, agentConfig(builds, root, options));
  const argv = [process.execPath, "-e", ZOOKEEPER_PROGRAM];
  startProgram(network.host, argv, { cwd: repository, log: join(dir, "zookeeper.log") });
  const binary = await deploydBinary();
  const startAgent = (): Started =>
    startProgram(network.host, [binary, "agent", "--config", config], { log: join(dir, "agent.log") });
  return {
    root: join(root, "web"),
    startAgent,
    agent: startAgent(),
    ctl: async (...args) => {
      const env = ["env", `DEPLOYD_ZOOKEEPER=${ZOOKEEPER}`, `HOME=${dir}`];
      const { code, stdout, stderr } = await network.host.run([...env, binary, "ctl", ...args]);
      return { code, output: stdout + stderr };
    },
    builds: { here: builds, there: builds },
    recipe: recipe(options),
    status: () => network.host.must(["curl", "-sS", `http://${STATUS}/status?format=json`]),
    account: async () => {
      const logs = ["zookeeper.log", "agent.log", "haproxy.log", "srv/web/shared/run/log"];
      const ends = logs.map(async (name) => {
        const text = await readFile(join(dir, name), "utf8").catch(() => "");
        return `--- ${name}\n${text.trimEnd().split("\n").slice(-25).join("\n")}`;
      });
      return (await Promise.all(ends)).join("\n");
    },
    events: join(root, "web", "shared", "run", "events"),
    // The copies are nobody's children.
    [Symbol.asyncDispose]: () => killProcessesOf(dir),
  };
}

/** The port of a copy's HTTP where its own port speaks lines. */
function httpPort(port: number): number {
  return port + 1_000;
}

function agentConfig(builds: string, root: string, { manners, traffic, copies }: DeployedOptions): string {
  const env = { NODE: nodeProgram(), ...appEnvironment(manners), EVENTS_FILE: join(root, "web/shared/run/events") };
  const lines = Object.entries(env).map(([name, value]) => `${name} = ${JSON.stringify(value)}`);
  const instances = INSTANCES.slice(0, copies).map(
    ({ name, port }) => `[[services.web.instances]]
name = "${name}"
port = ${port}
env = { HTTP_PORT = "${httpPort(port)}" }
`,
  );
  return `host = "box"
root = "${root}"

[zookeeper]
servers = "${ZOOKEEPER}"

[status]
listen = "${STATUS}"

[services.web]
run_as = "nobody"
sources = ["file://${builds}/"]

[services.web.env]
${lines.join("\n")}

${instances.join("\n")}
[services.web.rolling]
batch = 1

[services.web.traffic]
${traffic}
`;
}

function recipe({ protocol, drain }: DeployedOptions): string {
  const ports = protocol === "http" ? "" : 'LINE_PORT="$PORT" PORT="$HTTP_PORT" ';
  return `[install]
shared = ["run"]

[restart]
by = "command"
stop = '''
file=$DEPLOYD_SHARED/run/$DEPLOYD_INSTANCE.pid
pid=$(cat "$file" 2>/dev/null) || exit 0
rm "$file"
kill "$pid" 2>/dev/null || exit 0
# Gone when the kernel has let go of all that it had; its number may stay taken for as long as process 1 likes.
while [ -e "/proc/$pid/cwd" ]; do sleep 0.02; done
'''
start = '''
cd "$DEPLOYD_CURRENT"
file=$DEPLOYD_SHARED/run/$DEPLOYD_INSTANCE.pid
${ports}PID_FILE="$file" "$NODE" app.mjs >> "$DEPLOYD_SHARED/run/log" 2>&1 &
'''
timeout_s = 20

${drain === null ? "" : `[drain]\n${drain}\n`}
[check]
http = "http://127.0.0.1:\${${protocol === "http" ? "PORT" : "HTTP_PORT"}}/health"
interval_s = 0.05
deadline_s = 20
successes = 2
`;
}
