import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exit, type ExitCode } from "../cli/exit.ts";
import { DeployError } from "../core/errors.ts";
import { ServiceMirror } from "../store/mirror.ts";
import type { Clock } from "../support/clock.ts";
import { ZooKeeper } from "../zookeeper/client.ts";
import { runOwnCtl } from "./ctl.ts";
import { assertAgentsRun, openMachineRoom, type MachineRoom } from "./machine_room.ts";
import { packSample, sampleBuilds } from "./sample_builds.ts";
import { selfCommand } from "./self.ts";
import { playStory } from "./story.ts";

const REGISTER_MS = 60_000;

export interface DevFlags {
  readonly hosts: number;
  readonly story: boolean | undefined;
  readonly zookeeperPort: number | undefined;
}

interface Surroundings {
  readonly print: (line: string) => void;
  readonly stdoutIsTerminal: boolean;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Runs the demo on this machine until it is told to stop, or its story has ended. @throws DeployError */
export async function tryOut(
  flags: DevFlags,
  { print, stdoutIsTerminal, clock, signal }: Surroundings,
): Promise<ExitCode> {
  const dir = await mkdtemp(join(tmpdir(), "deployd-dev-"));
  try {
    print("deployd dev: a ZooKeeper in memory and everything on this machine. NOT FOR PRODUCTION.");
    await using room = await openMachineRoom(dir, flags.hosts, flags.zookeeperPort ?? 0, clock);
    print(`ZooKeeper on ${room.connectString}, ${room.hosts.length} hosts under ${dir}`);
    await furnish(room, clock, signal);
    if (flags.story === true || !stdoutIsTerminal) return await playStory(room, { print, signal });
    await stayOpen(room, print, signal);
    return exit.asked;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** Creates the service and its builds and chooses the canary, by ctl, as a person would. */
async function furnish(room: MachineRoom, clock: Clock, signal: AbortSignal): Promise<void> {
  const say = async (...args: string[]): Promise<void> => {
    const code = await runOwnCtl(room.connectString, args, "ignore", signal);
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
