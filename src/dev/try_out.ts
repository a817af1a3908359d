import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { DeployError } from "../core/errors.ts";
import { ServiceMirror } from "../store/mirror.ts";
import type { Clock } from "../support/clock.ts";
import { ZooKeeper } from "../zookeeper/client.ts";
import { ctl } from "./ctl.ts";
import { assertAgentsRun, openMachineRoom, type MachineRoom } from "./machine_room.ts";
import { packSample, sampleBuilds } from "./sample_builds.ts";
import { sampleService } from "./sample_service.ts";
import { selfCommand } from "./self.ts";
import { playStory } from "./story.ts";

const devHelp = `deployd dev [--hosts N] [--story] [--zookeeper-port PORT]

The whole thing on this machine: a ZooKeeper in memory, N hosts as real agent processes with directories of their own, and
a sample HTTP service with three builds. Piped, it plays a story from first deploy to rollback and exits 0 or 1; on a
terminal it stays open and says which commands to try from a second one. For trying out only, never for production.

  --hosts N               how many hosts (default 8; the first one is the canary)
  --story                 play the story on a terminal too
  --zookeeper-port PORT   where the ZooKeeper listens on loopback (default: a free port)

Example: deployd dev --hosts 3
`;

const REGISTER_MS = 60_000;

export interface DevProcess {
  readonly stdout: { write(text: string): void };
  readonly stdoutIsTerminal: boolean;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  onSignal(listener: () => void): void;
}

/** `deployd dev`. Returns the exit code; throws DeployError when something cannot be started. */
export async function devCommand(argv: readonly string[], host: DevProcess): Promise<number> {
  if (argv[0] === "sample-service") return sampleService(argv.slice(1), (listener) => host.onSignal(listener));
  const flags = parseFlags(argv);
  if (flags.help) {
    host.stdout.write(devHelp);
    return 0;
  }
  const print = (line: string): void => host.stdout.write(`${line}\n`);
  const dir = await mkdtemp(join(tmpdir(), "deployd-dev-"));
  try {
    print("deployd dev: a ZooKeeper in memory and everything on this machine. NOT FOR PRODUCTION.");
    await using room = await openMachineRoom(dir, flags.hosts, flags.zookeeperPort, host.clock);
    print(`ZooKeeper on ${room.connectString}, ${room.hosts.length} hosts under ${dir}`);
    await furnish(room, host.clock, host.signal);
    if (flags.story || !host.stdoutIsTerminal) return await playStory(room, { print, signal: host.signal });
    await stayOpen(room, print, host.signal);
    return 0;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** The service, its builds, and who is canary; done with ctl, as a person would. */
async function furnish(room: MachineRoom, clock: Clock, signal: AbortSignal): Promise<void> {
  const say = async (...args: string[]): Promise<void> => {
    const code = await ctl(room.connectString, args, "ignore", signal);
    if (code !== 0) {
      throw new DeployError(`Cannot set the sample up: "deployd ctl ${args.join(" ")}" ended with ${code}.`, {
        code: "internal",
        hint: "What it printed stands above.",
      });
    }
  };
  await say("services", "set", "web", "--max", "2", "--soak-s", "0.3");
  for (const build of sampleBuilds) {
    const packed = await packSample(build, room.dir, clock);
    await say("builds", "add", "web", packed.path, "--build", build.id);
  }
  await registered(room, clock, signal);
  const canary = room.hosts[0];
  if (canary !== undefined) await say("hosts", "role", "web", canary.name, "canary");
}

/** Agents register their hosts by themselves, a moment after the service exists. */
async function registered(room: MachineRoom, clock: Clock, signal: AbortSignal): Promise<void> {
  await using zk = new ZooKeeper({ clock, servers: `${room.connectString}/deployd` });
  const endsAt = clock.monotonicMs() + REGISTER_MS;
  for (;;) {
    signal.throwIfAborted();
    const { hosts: known } = await ServiceMirror.look(zk, "web", ["hosts"]);
    const missing = room.hosts.find((host) => !known.has(host.name));
    if (missing === undefined) return;
    await assertAgentsRun(room);
    if (clock.monotonicMs() > endsAt) {
      throw new DeployError(`Cannot go on: ${missing.name} did not register itself within ${REGISTER_MS / 1000} s.`, {
        code: "internal",
        hint: `Its log is ${join(missing.root, "..", "agent.log")}.`,
      });
    }
    await clock.sleep(50, signal);
  }
}

async function stayOpen(room: MachineRoom, print: (line: string) => void, signal: AbortSignal): Promise<void> {
  const deployd = selfCommand().join(" ");
  print("");
  print("From a second terminal:");
  print(`  export DEPLOYD_ZOOKEEPER=${room.connectString}`);
  for (const line of [
    "status web --watch",
    "deploy web v1",
    "deploy web v2 --canary",
    "promote web",
    "deploy web v3 --canary      # broken: watch the canary host take itself back",
    "rollback web",
    "history web",
  ]) {
    print(`  ${deployd} ctl ${line}`);
  }
  print("");
  print("What the services answer:");
  for (const host of room.hosts) print(`  curl http://127.0.0.1:${host.port}/      # ${host.name}`);
  print("");
  print("Ctrl-C ends it all.");
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

function parseFlags(argv: readonly string[]): { hosts: number; story: boolean; zookeeperPort: number; help: boolean } {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        hosts: { type: "string", default: "8" },
        story: { type: "boolean", default: false },
        "zookeeper-port": { type: "string", default: "0" },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    const hosts = whole("--hosts", values.hosts, 1, 100);
    const zookeeperPort = whole("--zookeeper-port", values["zookeeper-port"], 0, 65_535);
    return { hosts, story: values.story, zookeeperPort, help: values.help };
  } catch (error) {
    throw new DeployError(
      `Cannot start the development mode: ${error instanceof Error ? error.message : String(error)}.`,
      {
        code: "usage",
        hint: "See: deployd dev --help",
      },
    );
  }
}

function whole(flag: string, text: string, from: number, to: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= from && value <= to) return value;
  throw new Error(`${flag} takes a whole number from ${from} to ${to}, not "${text}"`);
}
