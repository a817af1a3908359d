import { DeployError } from "../core/errors.ts";
import { STEP_VARIABLE, type CommandRequest, type HostUser } from "../support/command.ts";
import { entering } from "./control_group.ts";

export const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/**
 * What belongs to the agent alone. With NOTIFY_SOCKET a command could tell systemd things in the agent's name, with
 * LISTEN_* it would look for sockets that it was not given, and BUN_* changes what a Bun program does.
 */
const OF_THE_AGENT = /^(?:NOTIFY_SOCKET|WATCHDOG_.*|LISTEN_.*|BUN_.*)$/;

export function commandEnvironment(request: CommandRequest): Record<string, string> {
  const user = request.user;
  const env: Record<string, string> = { PATH: DEFAULT_PATH };
  if (user !== undefined) {
    env["USER"] = user.name;
    env["LOGNAME"] = user.name;
    if (user.home !== undefined) env["HOME"] = user.home;
  }
  for (const [name, value] of Object.entries(request.env)) {
    if (!OF_THE_AGENT.test(name) && name !== STEP_VARIABLE) env[name] = value;
  }
  if (request.marker !== undefined && request.background !== "leave") env[STEP_VARIABLE] = request.marker;
  return env;
}

/**
 * How many files a line of shell may have open unless it asks for more, as systemd and the kernel have it by default: the runtime
 * has raised the agent's own number to the most that it may have. Programs that use select(2), or close every number that
 * they could have, do not bear that. Where less is allowed that is what stays.
 */
const OPEN_FILES = 1024;

/**
 * The program and its arguments; before them what changes the user and, for a line of shell, what brings it into its control
 * group and takes back the agent's own limits.
 *
 * @param group its directory; null for none
 * @throws DeployError `config-invalid` when this agent cannot become that user, `internal` when a program is missing
 */
export function commandArgv(request: CommandRequest, env: Record<string, string>, group: string | null): string[] {
  const argv = typeof request.run === "string" ? shellLine(request.run, request) : [...request.run];
  const [name = ""] = argv;
  const program = Bun.which(name, { PATH: env["PATH"] ?? DEFAULT_PATH, cwd: request.cwd });
  if (program === null) throw missing(name, env["PATH"] ?? DEFAULT_PATH);
  argv[0] = program;
  const become = becoming(request.user);
  // Words are the agent's own to a supervisor, which starts nothing below itself.
  if (typeof request.run !== "string") return [...become, ...argv];
  return withUsualLimits([...become, ...argv], group);
}

/** The program, which takes back the agent's own limits before it is run. @param group that it enters before */
export function withUsualLimits(argv: readonly string[], group: string | null = null): string[] {
  return [SHELL, "-c", `${entering(group)}ulimit -Sn ${OPEN_FILES} 2>/dev/null; exec "$@"`, SHELL, ...argv];
}

/** The name that a shell has for itself, and in what it says of mistakes in its line. */
const SHELL = "/bin/sh";

function shellLine(run: string, { background, marker }: CommandRequest): string[] {
  const line = [SHELL, "-c", run];
  return background === "leave" && marker !== undefined ? [...line, SHELL, marker] : line;
}

/** @throws DeployError `config-invalid` when this agent cannot become that user, `internal` without setpriv */
export function becoming(user: HostUser | undefined): string[] {
  if (user === undefined) return [];
  const ownUid = process.getuid?.();
  if (ownUid === user.uid) return [];
  if (ownUid !== 0) {
    throw new DeployError(
      `Cannot run a command as "${user.name}" (uid ${user.uid}): the agent runs as uid ${ownUid}.`,
      {
        code: "config-invalid",
        hint: "Run the agent as root, or name its own user.",
      },
    );
  }
  // Bun's own uid option leaves the supplementary groups of root in place.
  const setpriv = Bun.which("setpriv", { PATH: DEFAULT_PATH });
  if (setpriv === null) throw missing("setpriv", DEFAULT_PATH);
  return [setpriv, `--reuid=${user.uid}`, `--regid=${user.gid}`, "--init-groups", "--"];
}

function missing(program: string, path: string): DeployError {
  return new DeployError(`Cannot run "${program}": no such program in ${path}.`, {
    code: "internal",
    hint: program === "setpriv" ? "Install util-linux, or do not name a user." : "Install it, or correct its name.",
  });
}
