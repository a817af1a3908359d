import { looksAfterBoot } from "../core/boot.ts";
import { batchSize, minAvailable } from "../core/restart_progress.ts";
import { resolveRecipe, type ResolvedRecipe, type RestartSpec } from "../core/resolved_recipe.ts";
import { defaultUnits, type RestartPolicy } from "../core/policy.ts";
import type { CurrentLink } from "../core/served.ts";
import type { Activation } from "../schema/journal.ts";
import type { AgentConfig, ServiceConfig } from "../schema/agent_config.ts";
import type { Recipe } from "../schema/recipe.ts";
import type { Machine } from "../machine/machine.ts";
import { mainPids, supervisorFor } from "../restart/supervisor.ts";
import type { Files } from "../steps/files.ts";
import { makeHome } from "../steps/home.ts";
import { layoutOf, type Layout } from "../steps/layout.ts";
import { KeptRecipes } from "../steps/kept_recipes.ts";
import { requireTrusted } from "../steps/trusted_place.ts";
import { MARKER_PART, type HostUser } from "../support/command.ts";
import {
  markerOf,
  supervisorEffectsFor,
  variablesOf,
  type CommandContext,
  type HostInstance,
} from "./command_context.ts";
import type { TrafficControl } from "./traffic_control.ts";
import { hostInstances } from "./instances.ts";
import { lookAtRunning, observe, readCurrent, type Observation, type Observed, type Running } from "./observe.ts";
import { Ownership } from "./ownership.ts";
import type { ServiceState } from "./service_state.ts";

export interface ServiceHostOptions {
  readonly machine: Machine;
  readonly files: Files;
  readonly config: AgentConfig & { host: string };
  readonly section: ServiceConfig;
  readonly root: string;
  readonly state: ServiceState;
  readonly trafficControl: TrafficControl;
}

/** A build as this host would run it; for one of its instances, or, without one, for all of them together. */
export interface BuildOnHost {
  readonly command: CommandContext;
  readonly resolvedRecipe: () => Promise<ResolvedRecipe>;
}

/** What an activation works with. */
export interface ActivateContext extends BuildOnHost {
  readonly state: ServiceState;
  readonly host: ServiceHost;
  readonly activation: Activation;
  /** The build that is being started: the new one, or on the way back the previous one. */
  readonly build: string;
}

/** One service on this host: what lies on its disk, what runs, and how each of its builds is run here. */
export class ServiceHost {
  readonly machine: Machine;
  readonly files: Files;
  readonly layout: Layout;
  readonly config: AgentConfig & { host: string };
  readonly section: ServiceConfig;
  readonly policy: RestartPolicy;
  readonly trafficControl: TrafficControl;
  readonly recipes: KeptRecipes;
  readonly ownership: Ownership;
  readonly instances: readonly HostInstance[];
  /** How many instances restart at once, and how many have to stay in service meanwhile. */
  readonly batch: number;
  readonly minAvailable: number;
  /** Changes when agent.toml says something else of what the service's processes get. */
  readonly configDigest: string;
  #user: HostUser | undefined;
  #home: string | null = null;
  readonly #state: ServiceState;
  #commands = 0;
  #running: { readonly seen: Running; readonly atMs: number } | null = null;

  constructor({ machine, files, config, section, root, state, trafficControl }: ServiceHostOptions) {
    const named = (section.instances ?? []).map(({ name }) => name);
    this.machine = machine;
    this.files = files;
    this.layout = layoutOf(root);
    this.config = config;
    this.section = section;
    const units = section.units ?? defaultUnits(state.service, named);
    this.policy = { service: state.service, units, pidFiles: section.pid_files, root };
    this.trafficControl = trafficControl;
    this.instances = hostInstances(section);
    this.batch = batchSize(section.rolling.batch, this.instances.length);
    this.minAvailable = minAvailable(section.rolling.min_available, this.instances.length, this.batch);
    this.#state = state;
    this.configDigest = digestOf({ env: section.env, run_as: section.run_as, instances: section.instances });
    state.configDigest = this.configDigest;
    this.recipes = new KeptRecipes(state.service, this.layout, section, files);
    const onProblem = (problem: string) => void (state.disowned = problem);
    this.ownership = new Ownership({ machine, files, layout: this.layout, onProblem });
  }

  /** With fewer instances in service than this, the host itself counts as out of service. */
  get fewest(): number {
    return Math.max(1, this.minAvailable);
  }

  /**
   * Makes the service's directory ready for work: ends what a killed agent left running, and removes what it left half
   * written.
   *
   * @returns how many processes were ended
   * @throws DeployError `config-invalid` for a user that does not exist, or a directory that others may write to
   */
  async open(): Promise<number> {
    const { root } = this.layout;
    this.#user = userOf(this.section, this.machine);
    if (this.machine.isRoot) await requireTrusted(this.layout, this.files);
    await this.files.makeDirectory(root, 0o755);
    const processes = await this.machine.processes.endMarked(markerOf(this.layout), this.#user?.uid ?? null);
    // Temporary files do no harm, and a read-only disk must not keep the agent from looking after the service.
    await this.files.sweepTemps(root).catch(() => {});
    await this.files.sweepTemps(this.layout.builds).catch(() => {});
    await this.recipes.adopt();
    await this.ownership.look(this.#user);
    // A disk on which no directory can be made now may have room when a build is installed.
    await this.lookForHome().catch(() => {});
    return processes;
  }

  /** Finds the HOME of the service's commands, and makes it where their user has none that it may write to. */
  async lookForHome(): Promise<void> {
    if (this.section.env["HOME"] !== undefined) return;
    const own = await this.machine.commands.usableHome(this.#user);
    this.#home = own ?? this.layout.home;
    if (own === null) await makeHome(this.layout, this.#user, this.files);
  }

  /**
   * @param runningWithinMs how long ago what runs may have been looked at, which costs the most of an observation; by
   *   default it is looked at now
   */
  async observe(runningWithinMs = 0): Promise<Observation> {
    const state = this.#state;
    const { target, build: record } = state.snapshot;
    const current = await readCurrent(this.layout, this.files);
    // The supervisor is asked about the build that it was started for.
    const recipe = current.kind === "link" ? await this.recipes.read(current.build).catch(() => null) : null;
    const specs = new Map(this.instances.map((each) => [each.name, this.#restartSpec(current, recipe, each)]));
    const observed: Observed = {
      files: this.files,
      processes: this.ownership.processes,
      layout: this.layout,
      current,
      journal: state.journal.now,
      wanted: target.kind === "build" ? { build: target.build, record } : null,
      instances: this.instances.map(({ name }) => name),
      uid: this.#user?.uid ?? null,
      mainPids: (name) => this.#mainPids(current, specs.get(name) ?? null, this.instance(name)),
      isStatic: recipe !== null && recipe.restart === undefined,
      startsAnew: [...specs.values()].every(
        (spec) => spec?.by === "command" && spec.start !== undefined && spec.reload === undefined,
      ),
      isStopped: looksAfterBoot(state.journal.now, this.machine.bootId)
        ? (name) => this.#isStopped(current, specs.get(name) ?? null, this.instance(name))
        : async () => false,
      startedBy: [...specs.values()].some((spec) => spec?.by === "command") ? "deployd" : "supervisor",
    };
    const observation = await observe(observed, await this.#runningNow(observed, runningWithinMs));
    state.actual = observation.actual;
    if (observation.actual.instances.every(({ served }) => served.kind !== "down")) state.unstarted = "";
    return observation;
  }

  async #runningNow(observed: Observed, withinMs: number): Promise<Running> {
    const { clock } = this.machine;
    const before = this.#running;
    if (before !== null && clock.monotonicMs() - before.atMs < withinMs) return before.seen;
    const atMs = clock.monotonicMs();
    const seen = await lookAtRunning(observed);
    this.#running = { seen, atMs };
    return seen;
  }

  instance(name: string): HostInstance {
    const found = this.instances.find((instance) => instance.name === name);
    if (found === undefined) throw new Error(`this host has no instance "${name}"`);
    return found;
  }

  build(build: string, deploy: string, instance: HostInstance | null = null): BuildOnHost {
    const current = this.#state.actual?.current;
    const previous = current?.kind === "link" && current.build !== build ? current.build : null;
    const command: CommandContext = {
      machine: this.machine,
      files: this.files,
      host: this.config.host,
      service: this.#state.service,
      build,
      deploy,
      previous: this.#state.journal.now.activation?.previous ?? previous,
      instance,
      layout: this.layout,
      user: this.#user,
      home: this.#home,
      env: this.section.env,
      asking: { hosts: this.section.check_hosts, quotesAnswers: this.section.quote_answers },
      supervisordConfig: this.section.supervisord_config ?? null,
      maxLogBytes: this.config.limits.log_bytes,
      nextMarker: () => `${markerOf(this.layout)}${MARKER_PART}${(this.#commands += 1)}`,
    };
    const resolvedRecipe = async () => resolveRecipe(await this.recipes.read(build), this.#variables(command));
    return { command, resolvedRecipe };
  }

  /** The build that `current` points at, as this host runs it; null where there is none. */
  async current(instance: HostInstance | null = null): Promise<BuildOnHost | null> {
    const link = await readCurrent(this.layout, this.files);
    return link.kind === "link" ? this.build(link.build, "", instance) : null;
  }

  /** @param build the build to start: the activation's own, or on the way back the previous one */
  activation(activation: Activation, build: string): ActivateContext {
    return { state: this.#state, host: this, activation, build, ...this.build(build, activation.deploy) };
  }

  #variables(command: CommandContext): Record<string, string> {
    // The recipe of what concerns all instances may still use their variables; those of any instance will do to read it.
    return variablesOf({ ...command, instance: command.instance ?? this.instances[0] ?? null });
  }

  /** How an instance of the current build is restarted; null where that is not known. */
  #restartSpec(current: CurrentLink, recipe: Recipe | null, instance: HostInstance): RestartSpec | null {
    if (current.kind !== "link" || recipe === null) return null;
    try {
      return resolveRecipe(recipe, this.#variables(this.build(current.build, "", instance).command)).restart;
    } catch {
      return null;
    }
  }

  /** Whether nothing but a start is missing; false where that cannot be found out. */
  async #isStopped(current: CurrentLink, spec: RestartSpec | null, instance: HostInstance): Promise<boolean> {
    if (current.kind !== "link" || spec === null) return false;
    const effects = supervisorEffectsFor(this.build(current.build, "", instance).command, this.policy.pidFiles);
    const { revival } = supervisorFor(spec, effects);
    if (revival === null) return false;
    return revival.isNeeded(this.machine.clock.deadline(spec.timeoutMs)).catch(() => false);
  }

  /** Null where the supervisor does not know, or cannot be asked. */
  async #mainPids(
    current: CurrentLink,
    spec: RestartSpec | null,
    instance: HostInstance,
  ): Promise<readonly number[] | null> {
    if (current.kind !== "link" || spec === null || spec.by === "command") return null;
    const effects = supervisorEffectsFor(this.build(current.build, "", instance).command, this.policy.pidFiles);
    return mainPids(spec, effects, this.machine.clock.deadline(spec.timeoutMs)).catch(() => null);
  }
}

/**
 * The user that a service's commands run as; undefined where the agent cannot become another user, so that they run as
 * its own.
 */
export function userOf(section: ServiceConfig, machine: Machine): HostUser | undefined {
  return machine.isRoot && section.run_as !== undefined ? machine.commands.user(section.run_as) : undefined;
}

/** Short, since it is only compared with itself. */
function digestOf(facts: object): string {
  return new Bun.CryptoHasher("sha256").update(JSON.stringify(facts)).digest("hex").slice(0, 16);
}
