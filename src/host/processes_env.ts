import { DeployError } from "../core/errors.ts";
import { STEP_VARIABLE, type CommandRequest, type HostUser } from "../support/command.ts";
import { entering } from "./control_group.ts";

export const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/**
 * Variables that belong to the agent alone. With NOTIFY_SOCKET a command could tell systemd things in the agent's name,
 * with LISTEN_* it would look for sockets that it was not given, and BUN_* changes the behaviour of a Bun program.
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
 * How many files a shell command may have open unless it asks for more: the default of systemd and the kernel. The
 * runtime has raised the agent's own limit to the maximum, which breaks programs that use select(2) or close every
 * possible descriptor. A lower limit stays as it is.
 */
const OPEN_FILES = 1024;

/**
 * The program and its arguments. Before them come the words that change the user and, for a shell command, those that put
 * it into its control group and restore the usual limits.
 *
 * @param group path of the control group; null for none
 * @throws DeployError `config-invalid` if this agent cannot become that user, `internal` if a program is missing
 */
export function commandArgv(request: CommandRequest, env: Record<string, string>, group: string | null): string[] {
  const argv = typeof request.run === "string" ? shellLine(request.run, request) : [...request.run];
  const [name = ""] = argv;
  const program = Bun.which(name, { PATH: env["PATH"] ?? DEFAULT_PATH, cwd: request.cwd });
  if (program === null) throw missing(name, env["PATH"] ?? DEFAULT_PATH);
  argv[0] = program;
  const become = becoming(request.user);
  // An argument list is the agent's own command to a supervisor, which starts nothing below itself.
  if (typeof request.run !== "string") return [...become, ...argv];
  return withUsualLimits([...become, ...argv], group);
}

/** The program with the usual limits instead of the agent's own. @param group the control group that it enters first */
export function withUsualLimits(argv: readonly string[], group: string | null = null): string[] {
  return [SHELL, "-c", `${entering(group)}ulimit -Sn ${OPEN_FILES} 2>/dev/null; exec "$@"`, SHELL, ...argv];
}

/** The path of the shell, which is also the name that it prints in errors about its command. */
const SHELL = "/bin/sh";

function shellLine(run: string, { background, marker }: CommandRequest): string[] {
  const line = [SHELL, "-c", run];
  return background === "leave" && marker !== undefined ? [...line, SHELL, marker] : line;
}

/** @throws DeployError `config-invalid` if this agent cannot become that user, `internal` without setpriv */
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
  // Bun's own uid option would keep root's supplementary groups.
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
