import { join } from "node:path";
import { DeployError } from "../core/errors.ts";
import type { Instance } from "../core/traffic.ts";
import type { Machine } from "../machine/machine.ts";
import type { ProcessFact } from "../machine/processes.ts";
import type { ProbeEffects } from "../probe/probe.ts";
import type { Asking } from "../probe/reach.ts";
import type { SupervisorEffects } from "../restart/effects.ts";
import type { Layout } from "../steps/layout.ts";
import type { Files } from "../steps/files.ts";
import { INSTANCE_VARIABLE, type HostUser, type RunCommand } from "../support/command.ts";

/** One copy of a service as the host's own file has it. */
export interface HostInstance extends Instance {
  readonly env: Readonly<Record<string, string>>;
  /** The service has no other, so its logs and its processes need no name. */
  readonly alone: boolean;
}

/** A command of a build as its words may name it. */
export interface CommandFacts {
  readonly host: string;
  readonly service: string;
  readonly build: string;
  readonly deploy: string;
  readonly previous: string | null;
  /** Null for what concerns all of them: the install steps. */
  readonly instance: HostInstance | null;
  readonly layout: Layout;
  /** The host's own variables for this service. */
  readonly env: Readonly<Record<string, string>>;
}

export interface CommandContext extends CommandFacts {
  readonly machine: Machine;
  readonly files: Files;
  readonly user: HostUser | undefined;
  /** Of that user; null where the host's own variables name it. */
  readonly home: string | null;
  /** Whom the build's checks and drain URLs may ask. */
  readonly asking: Asking;
  readonly supervisordConfig: string | null;
  readonly maxLogBytes: number;
  /** One for each command: when it ends what it left is ended, but not what another one runs at the same time. */
  readonly nextMarker: () => string;
}

/** What commands find in their environment and `${NAME}` stands for in a recipe (docs/recipe.md). */
export function variablesOf(context: CommandFacts): Record<string, string> {
  const { layout, build, instance } = context;
  return {
    ...context.env,
    ...(instance === null ? {} : instanceVariables(instance)),
    DEPLOYD_HOST: context.host,
    DEPLOYD_SERVICE: context.service,
    DEPLOYD_BUILD: build,
    DEPLOYD_DEPLOY: context.deploy,
    DEPLOYD_PREVIOUS: context.previous ?? "",
    DEPLOYD_ROOT: layout.root,
    DEPLOYD_RELEASE: layout.release(build),
    DEPLOYD_CURRENT: layout.current,
    DEPLOYD_SHARED: layout.shared,
  };
}

function instanceVariables({ name, port, env }: HostInstance): Record<string, string> {
  return { ...(port === null ? {} : { PORT: String(port) }), ...env, [INSTANCE_VARIABLE]: name };
}

/** By which leftovers of a killed agent's install and check commands are known again. */
export function markerOf(layout: Layout): string {
  return `step:${layout.root}`;
}

/** Every instance has a log of its own where there are several. */
export function logLabel(instance: HostInstance | null, label: string): string {
  return instance === null || instance.alone ? label : `${label}-${instance.name}`;
}

/** Commands of one build: its own words run as the service's user, the agent's (systemctl) as the agent. */
export function runnerFor(context: CommandContext): RunCommand {
  const { layout, build, instance, machine } = context;
  return (run, { background, timeoutMs, label, as, signal }) =>
    machine.commands.run({
      run,
      // What talks to a supervisor has the agent's rights: nothing of the service's, no PATH and no directory, reaches it.
      cwd: as === "service" ? layout.release(build) : "/",
      env: { LANG: "C.UTF-8", ...(as === "service" ? { ...homeOf(context), ...variablesOf(context) } : {}) },
      user: as === "service" ? context.user : undefined,
      timeoutMs,
      logFile: layout.log(build, logLabel(instance, label)),
      maxLogBytes: context.maxLogBytes,
      // Stop and start are two commands of one restart, and the second must not hide what the first one said.
      log: label === "restart" ? "append" : "replace",
      background,
      marker: context.nextMarker(),
      signal,
    });
}

function homeOf({ home }: CommandContext): Record<string, string> {
  return home === null ? {} : { HOME: home };
}

/** What asking one of its instances needs. @param asking whom; what the host lets a build ask, unless given */
export function probeEffectsFor(context: CommandContext, asking: Asking = context.asking): ProbeEffects {
  const { clock, probes } = context.machine;
  return {
    run: runnerFor(context),
    probes: {
      http: (spec, signal) => probes.http(spec, signal, asking),
      tcp: (spec, signal) => probes.tcp(spec, signal, asking),
    },
    clock,
  };
}

export function supervisorEffectsFor(
  context: CommandContext,
  pidFiles: readonly string[],
  isBegunAgain = false,
): SupervisorEffects {
  const { clock, pid, processes } = context.machine;
  const { instance, layout, user } = context;
  const isOurs = ({ instance: named, uid }: ProcessFact): boolean =>
    (named === null || instance === null || named === instance.name) &&
    (user === undefined || uid === user.uid || uid === 0);
  const all = (target: number): Promise<readonly ProcessFact[]> =>
    processes.of({ root: layout.root, uid: user?.uid ?? null, mains: [target] });
  return {
    run: runnerFor(context),
    clock,
    ownPid: pid,
    processFact: (target) => processes.fact(target),
    isOfService: async (target) => (await all(target)).some((process) => process.pid === target && isOurs(process)),
    kill: (target, signal) => processes.kill(target, signal),
    descendants: (target) => processes.descendants(target),
    listens: (target) => processes.listens(target),
    isBegunAgain,
    startedHere: async () => {
      const shown = await processes.of({ root: layout.root, uid: user?.uid ?? null, mains: [] });
      return shown.filter((process) => isOurs(process) && isStartedBy(process, context));
    },
    supervisordConfig: context.supervisordConfig,
    ...guardedPidFiles(context, pidFiles),
  };
}

export function isStartedBy(
  { startedFor }: Pick<ProcessFact, "startedFor">,
  { build, deploy }: Pick<CommandFacts, "build" | "deploy">,
): boolean {
  return startedFor?.build === build && startedFor.deploy === deploy;
}

/**
 * A pid file inside the service's directory can be written by the service's user. A process of somebody else must not be
 * signalled on its word, so such a file names a process of that user or none.
 */
function guardedPidFiles(
  { files, layout, machine, service, user }: CommandContext,
  pidFiles: readonly string[],
): Pick<SupervisorEffects, "readWithTime"> {
  return {
    readWithTime: async (path) => {
      const file = await files.readWithTime(path);
      if (file === null || user === undefined || pidFiles.includes(path.replace(/\.oldbin$/, ""))) return file;
      if (!path.startsWith(join(layout.root, "/"))) return file;
      const fact = await machine.processes.fact(Number(file.text.trim()));
      if (fact === null || fact.uid === user.uid) return file;
      throw new DeployError(`Cannot signal process ${file.text.trim()} named by ${path}: it is not ${user.name}'s.`, {
        code: "policy-refused",
        hint: `Add the file to services.${service}.pid_files in the agent's file if the process is the right one.`,
      });
    },
  };
}
