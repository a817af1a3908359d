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

/** One instance of a service as agent.toml describes it. */
export interface HostInstance extends Instance {
  readonly env: Readonly<Record<string, string>>;
  /** The service has no other instance, so its logs and processes need not name this one. */
  readonly alone: boolean;
}

/** What a command of a build may refer to by variables. */
export interface CommandFacts {
  readonly host: string;
  readonly service: string;
  readonly build: string;
  readonly deploy: string;
  readonly previous: string | null;
  /** Null for what concerns all instances: the install steps. */
  readonly instance: HostInstance | null;
  readonly layout: Layout;
  /** The variables that agent.toml sets for this service. */
  readonly env: Readonly<Record<string, string>>;
}

export interface CommandContext extends CommandFacts {
  readonly machine: Machine;
  readonly files: Files;
  readonly user: HostUser | undefined;
  /** The home of that user; null where agent.toml sets HOME. */
  readonly home: string | null;
  /** The hosts that the build's checks and drain URLs may send requests to. */
  readonly asking: Asking;
  readonly supervisordConfig: string | null;
  readonly maxLogBytes: number;
  /**
   * A new marker for each command: when a command ends, the processes that it left are ended, but not those of another
   * one that runs at the same time.
   */
  readonly nextMarker: () => string;
}

/**
 * The variables that commands find in their environment, and that `${NAME}` in a recipe is replaced by (docs/recipe.md).
 */
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

/** The marker by which leftovers of a killed agent's install and check commands are recognised. */
export function markerOf(layout: Layout): string {
  return `step:${layout.root}`;
}

/** The name of a log; each instance has its own where there are several. */
export function logLabel(instance: HostInstance | null, label: string): string {
  return instance === null || instance.alone ? label : `${label}-${instance.name}`;
}

/**
 * Runs the commands of one build: those that the recipe writes run as the service's user, the agent's own (systemctl) as
 * the agent.
 */
export function runnerFor(context: CommandContext): RunCommand {
  const { layout, build, instance, machine } = context;
  return (run, { background, timeoutMs, label, as, signal }) =>
    machine.commands.run({
      run,
      // A command that talks to a supervisor has the agent's rights, so nothing of the service's, neither PATH nor
      // directory, reaches it.
      cwd: as === "service" ? layout.release(build) : "/",
      env: { LANG: "C.UTF-8", ...(as === "service" ? { ...homeOf(context), ...variablesOf(context) } : {}) },
      user: as === "service" ? context.user : undefined,
      timeoutMs,
      logFile: layout.log(build, logLabel(instance, label)),
      maxLogBytes: context.maxLogBytes,
      // Stop and start are two commands of one restart, and the output of the second must not replace that of the first.
      log: label === "restart" ? "append" : "replace",
      background,
      marker: context.nextMarker(),
      signal,
    });
}

function homeOf({ home }: CommandContext): Record<string, string> {
  return home === null ? {} : { HOME: home };
}

/**
 * What a probe of an instance needs.
 *
 * @param asking the hosts it may ask; unless given, those that agent.toml lets a build ask
 */
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
 * The service's user can write a pid file inside the service's directory. Such a file must not make the agent signal
 * somebody else's process, so it is obeyed only where it names a process of that user.
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
