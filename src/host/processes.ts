import { DeployError } from "../core/errors.ts";
import type { Clock } from "../support/clock.ts";
import type { CommandRequest, CommandResult } from "../support/command.ts";
import { abortedError, throwIfAborted } from "../support/abort.ts";
import { answerWithin, until } from "../support/wait.ts";
import { endGroup, groupOf, groupsOf, makeGroup, removeEmptyGroups, removeIfEmpty } from "./control_group.ts";
import { commandArgv, commandEnvironment } from "./processes_env.ts";
import { directOutput, pipedOutput } from "./processes_output.ts";
import { signalGroup } from "./process_group.ts";
import { killOrphans, markedWith } from "./scan.ts";
import { startTicksOf } from "./scan_proc.ts";

const KILL_AFTER_MS = 5000;
/** How often to check whether a group has ended, in milliseconds. */
const GROUP_POLL_MS = 20;

/**
 * Runs a command in a session and process group of its own and waits for its end.
 *
 * @throws DeployError `aborted` if the signal was aborted (its group has been killed by then), `config-invalid` for a
 *   user the agent cannot become, `internal` if the log or the program cannot be opened
 */
export async function runCommand(request: CommandRequest, clock: Clock): Promise<CommandResult> {
  const shown = typeof request.run === "string" ? request.run : request.run.join(" ");
  throwIfAborted(request.signal, `run "${shown}"`);
  const env = commandEnvironment(request);
  const group = await groupFor(request, clock);
  const argv = commandArgv(request, env, group);
  await using output = await (request.background === "leave"
    ? directOutput(request, clock)
    : pipedOutput(request, clock));

  const child = spawn(argv, env, request, shown, output.fd);
  // Whatever it leaves behind is younger. It cannot be gone yet: nobody has waited for it.
  const sinceTicks = startTicksOf(child.pid);
  output.started();
  const ending = await firstOf(child.exited, request, clock);
  if (ending !== "exited") await endProcessGroup(child.pid, child.exited, request.killAfterMs ?? KILL_AFTER_MS, clock);
  const hasEndedWell = ending === "exited" && child.exitCode === 0;
  const isService = request.background === "leave";
  if (!isService) signalGroup(child.pid, "SIGKILL");
  // A start that failed half way has left no service.
  if (group !== null) await (isService && hasEndedWell ? removeIfEmpty(group) : endGroup(group, clock));
  // Without a control group: processes that made a session of their own and kept their environment.
  if (!isService && request.marker !== undefined) {
    await killOrphans(request.marker, request.user?.uid ?? null, clock, sinceTicks);
  }
  const { tail: said, lost } = await output.finish();
  // Only if it failed: the output of a successful command may be an answer that is parsed.
  const tail = !hasEndedWell && lost !== null ? `${said}\n${lost.message}\n` : said;

  switch (ending) {
    case "aborted":
      throw abortedError(`finish "${shown}"`, request.signal);
    case "timed-out":
      return { kind: "timed-out", tail };
    case "exited":
      return child.signalCode === null
        ? { kind: "exited", code: child.exitCode ?? 0, tail }
        : { kind: "signalled", signal: String(child.signalCode), tail };
  }
}

/**
 * Ends the processes that a killed agent's commands with this marker left running: all that must end with their step, and
 * a start whose shell still runs, with everything it has started.
 *
 * @param uid the user whose processes to end beside the agent's own user's; null for the latter only
 * @returns how many processes were found
 */
export async function endLeftRunning(marker: string, uid: number | null, clock: Clock): Promise<number> {
  let found = 0;
  for (const path of await groupsOf(marker, "step")) found += await endGroup(path, clock);
  for (const { pid } of await markedWith(marker, uid, clock)) {
    const halfStart = await groupOf(pid, marker, "start");
    if (halfStart !== null) found += await endGroup(halfStart, clock);
  }
  await removeEmptyGroups(marker, "start");
  return found + (await killOrphans(marker, uid, clock));
}

/**
 * Only shell commands, which come from a build or from the host's own file, get a group: what the agent itself asks a
 * supervisor leaves nothing behind.
 */
async function groupFor({ run, marker, background }: CommandRequest, clock: Clock): Promise<string | null> {
  if (typeof run !== "string" || marker === undefined) return null;
  if (background !== "leave") return makeGroup(marker, "step", clock);
  await removeEmptyGroups(marker, "start");
  return makeGroup(marker, "start", clock);
}

function spawn(
  argv: string[],
  env: Record<string, string>,
  request: CommandRequest,
  shown: string,
  outputFd: number,
): Bun.Subprocess<"ignore", number, number> {
  try {
    // detached: setsid, so that the group can be killed as one and no signal reaches it from the agent's terminal.
    return Bun.spawn(argv, {
      cwd: request.cwd,
      env,
      stdin: "ignore",
      stdout: outputFd,
      stderr: outputFd,
      detached: true,
    });
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    throw new DeployError(`Cannot start "${shown}" in ${request.cwd}: ${text}.`, {
      code: "internal",
      hint: "Look whether that directory is there and the host can start processes.",
      cause: error,
    });
  }
}

async function firstOf(
  exited: Promise<unknown>,
  { timeoutMs, signal }: CommandRequest,
  clock: Clock,
): Promise<"exited" | "timed-out" | "aborted"> {
  const ended = async (): Promise<"exited" | "timed-out" | "aborted"> => {
    await exited;
    return "exited";
  };
  return answerWithin(ended, timeoutMs, { late: "timed-out", calledOff: "aborted" }, signal, clock);
}

/** Sends TERM to the whole group, waits for it to end, then sends KILL. */
async function endProcessGroup(
  group: number,
  exited: Promise<unknown>,
  killAfterMs: number,
  clock: Clock,
): Promise<void> {
  signalGroup(group, "SIGTERM");
  // A stopped process handles TERM only once it continues.
  signalGroup(group, "SIGCONT");
  const isGone = async (): Promise<boolean> => !signalGroup(group, 0);
  await until(isGone, (gone) => gone, { everyMs: GROUP_POLL_MS, withinMs: killAfterMs }, clock);
  signalGroup(group, "SIGKILL");
  await exited;
}
