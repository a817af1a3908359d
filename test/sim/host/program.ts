import type { CommandRequest } from "../../../src/support/command.ts";
import { installProduct, PROGRAM_FILE } from "./builds.ts";
import type { InstallCharacter } from "./character.ts";
import type { Ground, HostInstance, HostService } from "./ground.ts";
import type { SimProcess } from "./process_table.ts";
import { readRelease, type Release } from "./release.ts";
import type { Services } from "./services.ts";

/** How long its stop command waits after TERM, until it sends KILL. */
const STOP_PATIENCE_MS = 3_000;
const POLL_MS = 50;
const NO_SUCH_PROGRAM = 127;

export interface ProgramRun {
  readonly ground: Ground;
  readonly services: Services;
  readonly process: SimProcess;
  readonly request: CommandRequest;
  /** How often each install step was begun on this host, by its release. */
  readonly tries: Map<string, number>;
  readonly say: (line: string) => void;
}

/** What the shell lines of simulated builds do. Gives the exit code; never settles when the process is ended before. */
export async function runProgram(run: ProgramRun): Promise<number> {
  const { request, process, ground } = run;
  const line = typeof request.run === "string" ? request.run : request.run.join(" ");
  const [program, verb, word] = line.split(" ");
  await process.sleep(1 + ground.chance.random() * 20);
  const release = program === `./${PROGRAM_FILE}` ? readRelease(ground, request.cwd) : null;
  if (release === null) {
    run.say(`sh: ${program}: not found`);
    return NO_SUCH_PROGRAM;
  }
  switch (verb) {
    case "install":
      return install(run, release, Number(word));
    case "start":
      return start(run, release);
    case "stop":
      return stop(run);
    case "check":
      return check(run);
    default:
      run.say(`usage: ${PROGRAM_FILE} install|start|stop|check`);
      return 2;
  }
}

async function install(run: ProgramRun, { program, directory }: Release, step: number): Promise<number> {
  const { ground, process, tries, say } = run;
  const character: InstallCharacter = program.install[step - 1] ?? { kind: "works" };
  const key = `${directory} ${step}`;
  const tried = (tries.get(key) ?? 0) + 1;
  tries.set(key, tried);
  say(`installing ${program.build}, step ${step}`);
  await process.sleep(50 + ground.chance.random() * 500);
  switch (character.kind) {
    case "works":
      break;
    case "fails-first":
      if (tried > character.times) break;
      say(`try ${tried} came to nothing`);
      return 1;
    case "fails":
      // At length, and in letters of three bytes each: more than a status can hold.
      for (let line = 0; line < 12; line += 1) say("何度やっても、うまくいかない。".repeat(6));
      say("it never works");
      return 1;
    case "kills-agent":
      ground.killAgent();
      break;
    case "kills-host":
      ground.powerCut();
      break;
    case "hangs":
      return new Promise(() => {});
  }
  const { name, text } = installProduct(program.build, step);
  return write(run, `${directory}/${name}`, text);
}

function write({ ground: { disk }, say }: ProgramRun, path: string, text: string): number {
  try {
    const file = disk.open(path);
    disk.truncate(file);
    disk.append(file, Buffer.from(text));
    return 0;
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
    return 1;
  }
}

async function start(run: ProgramRun, release: Release): Promise<number> {
  const { services, process, ground, say } = run;
  const { service, instance } = ours(run);
  switch (release.program.character.kind) {
    case "start-fails":
      say("cannot start");
      return 1;
    case "start-hangs":
      return new Promise(() => {});
    default:
      services.start({ service, instance, release, byInit: false, shell: process });
      await process.sleep(ground.chance.random() * 60);
      return 0;
  }
}

async function stop(run: ProgramRun): Promise<number> {
  const { ground, services, process } = run;
  const { service, instance } = ours(run);
  const left = () => services.of(service.root, instance.name);
  const all = (signal: string): void => {
    for (const { process } of left()) ground.processes.signal(process.pid, signal);
  };
  all("SIGTERM");
  for (let waitedMs = 0; left().length > 0; waitedMs += POLL_MS) {
    if (waitedMs >= STOP_PATIENCE_MS) all("SIGKILL");
    await process.sleep(POLL_MS);
  }
  return 0;
}

function check(run: ProgramRun): number {
  const { service, instance } = ours(run);
  return run.services.of(service.root, instance.name).some(({ isWell }) => isWell) ? 0 : 1;
}

/** The instance that the environment names. */
function ours({ ground, request: { env } }: ProgramRun): { service: HostService; instance: HostInstance } {
  const service = ground.services.find(({ root }) => root === env["DEPLOYD_ROOT"]);
  const instance = service?.instances.find(({ name }) => name === env["DEPLOYD_INSTANCE"]);
  if (service === undefined || instance === undefined) {
    throw new Error(`this host has no instance ${env["DEPLOYD_INSTANCE"]} in ${env["DEPLOYD_ROOT"]}`);
  }
  return { service, instance };
}
