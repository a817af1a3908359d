import { realpath } from "node:fs/promises";
import type { ProcessFact, ServiceProcesses, StartedFor } from "../machine/processes.ts";
import type { Clock } from "../support/clock.ts";
import { INSTANCE_VARIABLE, MARKER_PART, STEP_VARIABLE } from "../support/command.ts";
import { killAll } from "../support/kill.ts";
import { signalGroup } from "./process_group.ts";
import {
  allOwners,
  allStats,
  argvOf,
  bootedAtMs,
  environmentOf,
  linkOf,
  liveStat,
  ownerOf,
  runsFileIn,
  startedAtMs,
  type Environment,
  type ProcessOwner,
  type ProcStat,
} from "./scan_proc.ts";

/** A shell command may be long, and its marker comes after it. In bytes. */
const COMMAND_BYTES = 256 * 1024;

/** This variable is in the environment of everything that a service's commands have started. */
const ROOT_VARIABLE = "DEPLOYD_ROOT";
const BUILD_VARIABLE = "DEPLOYD_BUILD";
const DEPLOY_VARIABLE = "DEPLOYD_DEPLOY";

/**
 * The service's processes: those whose program or an argument lies in `<root>/releases/<build>/` or was named through
 * `<root>/current`. The working directory counts too for what deployd has started, for what the supervisor knows, and for
 * a program that runs a file there; a shell that merely has it as working directory is no service. The agent itself and
 * commands of a step (which have the step variable) do not count.
 *
 * The owner of a process is checked first, so that no other user's process is inspected. A process that the agent may not
 * inspect is recognized by its arguments alone: run the agent as root or as the service's user.
 */
export async function processesOf(
  { root, uid, mains }: ServiceProcesses,
  clock: Clock,
  options: { ignoreMarker?: boolean } = {},
): Promise<ProcessFact[]> {
  const prefixes = await prefixesOf(root);
  const bootMs = await bootedAtMs(clock);
  const own = uid ?? process.geteuid?.() ?? 0;
  const owners = await allOwners(clock);
  const known = withDescendants(mains, owners);
  const above = new Set(owners.filter(({ pid }) => mains.includes(pid)).map(({ parent }) => parent));
  const isCandidate = ({ pid, uid, hasProgram }: ProcessOwner): boolean =>
    hasProgram && (uid === own || known.has(pid) || above.has(pid));
  const candidates = owners.filter((each) => each.pid !== process.pid && isCandidate(each));
  const found = await Promise.all(
    candidates.map(async ({ pid, uid }): Promise<ProcessFact | null> => {
      const environment = once(() => environmentOf(pid));
      const release = await releaseOf(pid, prefixes, known.has(pid), environment);
      if (release === "none") return null;
      const variable = await environment();
      const stat = liveStat(pid);
      if (stat === null || (options.ignoreMarker !== true && variable(STEP_VARIABLE) !== null)) return null;
      const { parent, startTicks } = stat;
      return {
        pid,
        parent,
        startedAtMs: startedAtMs(bootMs, startTicks),
        startTicks,
        uid,
        release: release.build,
        instance: variable(INSTANCE_VARIABLE),
        startedFor: startedFor(variable, prefixes),
      };
    }),
  );
  return found.filter((fact) => fact !== null).sort((a, b) => a.startTicks - b.startTicks || a.pid - b.pid);
}

function withDescendants(mains: readonly number[], owners: readonly ProcessOwner[]): ReadonlySet<number> {
  const found = new Set(mains);
  for (let parents = new Set(mains); parents.size > 0;) {
    parents = new Set(owners.filter(({ pid, parent }) => parents.has(parent) && !found.has(pid)).map(({ pid }) => pid));
    for (const pid of parents) found.add(pid);
  }
  return found;
}

/** Facts about one process; null if it is gone (a zombie counts as gone). `cmd` is its command line, for people. */
export async function processFact(
  pid: number,
  clock: Clock,
): Promise<{ startTicks: number; startedAtMs: number; uid: number; cmd: string } | null> {
  const [bootMs, argv] = await Promise.all([bootedAtMs(clock), argvOf(pid)]);
  const stat = liveStat(pid);
  const owner = ownerOf(pid);
  if (stat === null || owner === null) return null;
  const { startTicks } = stat;
  return { startTicks, startedAtMs: startedAtMs(bootMs, startTicks), uid: owner.uid, cmd: argv.join(" ") };
}

/**
 * Ends what a killed agent left running: sends KILL to the groups of all processes that have the marker in their
 * environment, or a marker that extends it; also those that moved to a session of their own. Likewise to the group of a
 * start or reload whose shell still runs, found by the marker in its arguments: it has started only half a service.
 *
 * @param uid the user whose processes to end beside the agent's own user's; null for the latter only
 * @param sinceTicks when the command that may have left them was started, as in `ProcStat`; older processes are not
 *   looked at
 * @returns how many processes were found
 */
export async function killOrphans(marker: string, uid: number | null, clock: Clock, sinceTicks = 0): Promise<number> {
  const kill = ({ pid, processGroup }: { pid: number; processGroup: number }): void => {
    if (processGroup > 1) signalGroup(processGroup, "SIGKILL");
    process.kill(pid, "SIGKILL");
  };
  return killAll(() => markedWith(marker, uid, clock, sinceTicks), kill, clock);
}

/** The processes of `uid` and of the agent's own user that have the marker and were started at `sinceTicks` or later. */
export async function markedWith(
  marker: string,
  uid: number | null,
  clock: Clock,
  sinceTicks = 0,
): Promise<{ pid: number; processGroup: number }[]> {
  const own = liveStat(process.pid);
  const users = [uid, process.geteuid?.() ?? 0];
  const young = (await allStats(clock)).filter(
    ({ pid, startTicks }) => pid !== process.pid && startTicks >= sinceTicks,
  );
  const candidates = young.filter(({ pid }) => {
    const owner = ownerOf(pid);
    return owner !== null && owner.hasProgram && users.includes(owner.uid);
  });
  const found = await Promise.all(
    candidates.map(async (stat) => {
      const { pid } = stat;
      const words = [(await environmentOf(pid))(STEP_VARIABLE), ...(await shellMarkers(stat))];
      if (!words.some((word) => word === marker || word?.startsWith(`${marker}${MARKER_PART}`) === true)) return null;
      // Killing the agent's own group would kill the agent too.
      return { pid, processGroup: stat.processGroup === own?.processGroup ? 0 : stat.processGroup };
    }),
  );
  return found.filter((row) => row !== null);
}

/** Possible markers of a shell: the last argument of the shell that leads its group, and not of its subshells. */
async function shellMarkers({ pid, processGroup }: ProcStat): Promise<string[]> {
  return pid === processGroup ? (await argvOf(pid, COMMAND_BYTES)).slice(-1) : [];
}

/** How paths below a service's directory begin, both as configured and as the kernel resolves them. */
interface PathPrefixes {
  readonly roots: readonly string[];
  readonly releases: readonly string[];
  readonly currents: readonly string[];
}

async function prefixesOf(root: string): Promise<PathPrefixes> {
  const written = root.replace(/\/+$/, "");
  const resolved = await realpath(written).catch(() => written);
  const roots = [...new Set([written, resolved])];
  return {
    roots,
    releases: roots.map((path) => `${path}/releases/`),
    currents: roots.map((path) => `${path}/current`),
  };
}

/** What the kernel resolved (program, directory) takes precedence over what was merely written (arguments). */
async function releaseOf(
  pid: number,
  prefixes: PathPrefixes,
  isKnown: boolean,
  environment: () => Promise<Environment>,
): Promise<{ build: string | null } | "none"> {
  const exe = linkOf(pid, "exe");
  const program = exe === null ? null : releaseIn(exe, prefixes, 0);
  if (program !== null) return { build: program };
  const cwd = linkOf(pid, "cwd");
  const argv = await argvOf(pid);
  const stands = cwd === null ? null : releaseIn(cwd, prefixes, 0);
  if (stands !== null && (isKnown || isOfRoot(await environment(), prefixes) || (await runsFileIn(pid, argv))))
    return { build: stands };
  for (const word of argv) {
    for (let at = word.indexOf("/"); at !== -1; at = word.indexOf("/", at + 1)) {
      const build = beginsPath(word, at) ? releaseIn(word, prefixes, at) : null;
      if (build !== null) return { build };
    }
  }
  return argv.some((word) => mentionsCurrent(word, prefixes)) ? { build: null } : "none";
}

/** Computes the value when it is first asked for. */
function once<T>(compute: () => T): () => T {
  let made: { readonly value: T } | null = null;
  return () => (made ??= { value: compute() }).value;
}

function isOfRoot(variable: Environment, { roots }: PathPrefixes): boolean {
  const root = variable(ROOT_VARIABLE);
  return root !== null && roots.includes(root.replace(/\/+$/, ""));
}

function startedFor(variable: Environment, prefixes: PathPrefixes): StartedFor | null {
  const build = variable(BUILD_VARIABLE);
  return build === null || !isOfRoot(variable, prefixes) ? null : { build, deploy: variable(DEPLOY_VARIABLE) ?? "" };
}

/** The directory name after `<root>/releases/` in the path that begins at `at`. */
function releaseIn(text: string, prefixes: PathPrefixes, at: number): string | null {
  const prefix = prefixes.releases.find((start) => text.startsWith(start, at));
  if (prefix === undefined) return null;
  const name = /^[^/\s:,;"']+/.exec(text.slice(at + prefix.length));
  return name?.[0] ?? null;
}

function mentionsCurrent(word: string, prefixes: PathPrefixes): boolean {
  return prefixes.currents.some((path) => {
    for (let at = word.indexOf(path); at !== -1; at = word.indexOf(path, at + 1)) {
      const next = word[at + path.length];
      if (beginsPath(word, at) && (next === undefined || /[/\s:,;"']/.test(next))) return true;
    }
    return false;
  });
}

/** Whether a path begins there: in `--config=/srv/a` and `x:/srv/a` one does, in `/backup/srv/a` not. */
function beginsPath(word: string, at: number): boolean {
  return at === 0 || /[=:,;\s"'@]/.test(word[at - 1] ?? "");
}
