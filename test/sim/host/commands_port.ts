import { DeployError } from "../../../src/core/errors.ts";
import type { Commands } from "../../../src/machine/commands.ts";
import type { Clock } from "../../../src/support/clock.ts";
import type { CommandRequest, CommandResult } from "../../../src/support/command.ts";
import { abortedError, throwIfAborted } from "../../../src/support/abort.ts";
import type { FileNode } from "./file_tree.ts";
import type { Ground } from "./ground.ts";
import type { Life } from "./life.ts";
import type { Ending, SimProcess } from "./process_table.ts";
import { runProgram } from "./program.ts";
import { endMarked } from "./processes_port.ts";
import type { Services } from "./services.ts";

const TAIL_CHARS = 2048;
const KILL_AFTER_MS = 5_000;

export interface CommandGround {
  readonly ground: Ground;
  readonly services: Services;
  readonly tries: Map<string, number>;
  readonly clock: Clock;
  /** The agent's own process. */
  readonly agent: SimProcess;
}

interface Running {
  readonly process: SimProcess;
  tail: string;
}

/** Programs that an agent starts. They are processes of the host: when the agent dies they go on. */
export function commandsOf(life: Life, host: CommandGround): Commands {
  return {
    user: (name) => {
      const user = host.ground.services.find((service) => service.user.name === name)?.user;
      if (user !== undefined) return user;
      throw new DeployError(`Cannot run commands as "${name}": this host has no such user.`, {
        code: "config-invalid",
      });
    },
    usableHome: async () => "/home/of/somebody",
    run: async (request) => {
      const shown = typeof request.run === "string" ? request.run : request.run.join(" ");
      throwIfAborted(request.signal, `run "${shown}"`);
      const running = await life.effect(
        "command",
        `run "${shown}"`,
        () => start(request, host),
        () => openLog(request, host.ground),
      );
      const ending = await endOf(life, host.clock, running.process, request);
      if (ending === "aborted" || ending === "timed-out") {
        await endGroup(life, host, running.process, request.killAfterMs ?? KILL_AFTER_MS);
      }
      if (request.background !== "leave" && request.marker !== undefined) endMarked(life, host.ground, request.marker);
      return life.look(() => resultOf(ending, running, shown, request));
    },
  };
}

function resultOf(
  ending: Ending | "aborted" | "timed-out",
  { tail }: Running,
  shown: string,
  { signal }: CommandRequest,
): CommandResult {
  if (ending === "aborted") throw abortedError(`finish "${shown}"`, signal);
  if (ending === "timed-out") return { kind: "timed-out", tail };
  return { ...ending, tail };
}

function start(request: CommandRequest, host: CommandGround): Running {
  const { ground, services, tries, agent } = host;
  const log = openLog(request, ground);
  const process = ground.processes.start({
    parent: agent.pid,
    uid: request.user?.uid ?? 0,
    root: request.env["DEPLOYD_ROOT"] ?? null,
    instance: request.env["DEPLOYD_INSTANCE"] ?? null,
    startedFor: { build: request.env["DEPLOYD_BUILD"] ?? "", deploy: request.env["DEPLOYD_DEPLOY"] ?? "" },
    marker: request.background === "leave" ? null : (request.marker ?? null),
    ...(request.background === "leave" ? { shellMarker: request.marker } : {}),
  });
  process.release = request.cwd.split("/").at(-1) ?? null;
  const running: Running = { process, tail: "" };
  const say = (line: string): void => {
    running.tail = `${running.tail}${line}\n`.slice(-TAIL_CHARS);
    appendQuietly(ground, log, line);
  };
  // Its end is heard by whoever listens to the process; what a program throws is a mistake of the rehearsal.
  void runProgram({ ground, services, process, request, tries, say }).then((code) =>
    process.end({ kind: "exited", code }),
  );
  return running;
}

/** A full disk does not end a program that writes to it. */
function appendQuietly({ disk }: Ground, log: FileNode | null, line: string): void {
  try {
    if (log !== null) disk.append(log, Buffer.from(`${line}\n`));
  } catch {
    // The line is lost.
  }
}

/** Null where the disk takes no log: the command runs without one. */
function openLog({ logFile, log }: CommandRequest, { disk }: Ground): FileNode | null {
  try {
    disk.makeDirectory(logFile.slice(0, logFile.lastIndexOf("/")));
    const file = disk.open(logFile);
    if (log !== "append") disk.truncate(file);
    return file;
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : null;
    if (code === "ENOSPC" || code === "EROFS") return null;
    throw new DeployError(`Cannot open the log "${logFile}": ${error instanceof Error ? error.message : ""}.`, {
      code: "internal",
      cause: error,
    });
  }
}

async function endOf(
  life: Life,
  clock: Clock,
  process: SimProcess,
  { timeoutMs, signal }: CommandRequest,
): Promise<Ending | "timed-out" | "aborted"> {
  let stopTimer = (): void => {};
  let onAbort = (): void => {};
  const ending = await life.hear<Ending | "timed-out" | "aborted">((tell) => {
    process.onEnd(tell);
    stopTimer = clock.after(timeoutMs, () => tell("timed-out"));
    onAbort = () => tell("aborted");
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
  });
  stopTimer();
  signal.removeEventListener("abort", onAbort);
  return ending;
}

/** TERM, time for it to end, and KILL. */
async function endGroup(life: Life, { ground, clock }: CommandGround, process: SimProcess, killAfterMs: number) {
  const signal = (name: string): void => {
    if (!process.isRunning) return;
    life.act(
      "signal",
      `${name} to process ${process.pid}`,
      () => ground.processes.signal(process.pid, name),
      undefined,
    );
  };
  signal("SIGTERM");
  if (process.isRunning) await clock.sleep(killAfterMs);
  signal("SIGKILL");
}
