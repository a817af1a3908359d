import type { Recipe, RestartSpec } from "../core/recipe.ts";
import { defaultUnits, type RestartPolicy } from "../core/policy.ts";
import type { Activation } from "../core/types.ts";
import type { AgentConfig, ServiceConfig } from "../schema/agent_config.ts";
import { observe, readCurrent, type Observation } from "../host/observe.ts";
import { stepFiles } from "../host/step_files.ts";
import { mainPids } from "../restart/supervisor.ts";
import { layoutOf, type Layout } from "../steps/layout.ts";
import { readRecipe } from "../steps/manifest.ts";
import type { HostUser } from "../support/command.ts";
import type { ActivateContext } from "./activate.ts";
import { supervisorPortsFor, variablesOf, type CommandContext } from "./commands.ts";
import type { ServiceState } from "./service_state.ts";

export interface ServiceHostOptions {
  readonly config: AgentConfig & { host: string };
  readonly section: ServiceConfig;
  readonly root: string;
  readonly user: HostUser | undefined;
  readonly state: ServiceState;
}

/** A build as this host would run it. */
export interface BuildOnHost {
  readonly command: CommandContext;
  readonly recipe: () => Promise<Recipe>;
}

/** One service on this host: what lies on its disk, what runs, and how each of its builds is run here. */
export class ServiceHost {
  readonly layout: Layout;
  readonly config: AgentConfig & { host: string };
  readonly section: ServiceConfig;
  readonly policy: RestartPolicy;
  readonly #user: HostUser | undefined;
  readonly #state: ServiceState;

  constructor({ config, section, root, user, state }: ServiceHostOptions) {
    this.layout = layoutOf(root);
    this.config = config;
    this.section = section;
    this.policy = { units: section.units ?? defaultUnits(state.service), pidFiles: section.pid_files, root };
    this.#user = user;
    this.#state = state;
  }

  async observe(): Promise<Observation> {
    const state = this.#state;
    const { target, build: record } = state.snapshot;
    const observation = await observe({
      layout: this.layout,
      journal: state.journal.now,
      wanted: target.kind === "build" ? { build: target.build, record } : null,
      mainPids: () => this.#mainPids(),
      startedBy: async () => ((await this.#restartSpec())?.by === "command" ? "deployd" : "supervisor"),
    });
    state.actual = observation.actual;
    return observation;
  }

  build(build: string, deploy: string): BuildOnHost {
    const current = this.#state.actual?.current;
    const previous = current?.kind === "link" && current.build !== build ? current.build : null;
    const command: CommandContext = {
      host: this.config.host,
      service: this.#state.service,
      build,
      deploy,
      previous: this.#state.journal.now.activation?.previous ?? previous,
      layout: this.layout,
      user: this.#user,
      env: this.section.env,
      maxLogBytes: this.config.limits.log_bytes,
    };
    const recipe = () =>
      readRecipe(this.#state.service, build, this.layout, this.section, variablesOf(command), stepFiles);
    return { command, recipe };
  }

  /** The build that `current` points at, as this host runs it; null where there is none. */
  async current(): Promise<BuildOnHost | null> {
    const link = await readCurrent(this.layout);
    return link.kind === "link" ? this.build(link.build, "") : null;
  }

  /** @param build the one to bring to life: the activation's own, or on the way back the previous one */
  activation(activation: Activation, build: string): ActivateContext {
    return {
      state: this.#state,
      activation,
      ...this.build(build, activation.deploy),
      policy: this.policy,
      observe: () => this.observe(),
    };
  }

  /** How the build that `current` points at is restarted; null where there is none or nobody can tell. */
  async #restartSpec(): Promise<RestartSpec | null> {
    try {
      return (await (await this.current())?.recipe())?.restart ?? null;
    } catch {
      return null;
    }
  }

  /** A supervisor is asked about the build that it was started for; one that cannot be asked counts as not knowing. */
  async #mainPids(): Promise<readonly number[] | null> {
    const [current, spec] = [await this.current(), await this.#restartSpec()];
    if (current === null || spec === null || spec.by === "command") return null;
    const ports = supervisorPortsFor(current.command, this.policy.pidFiles);
    return mainPids(spec, ports, AbortSignal.timeout(spec.timeoutMs)).catch(() => null);
  }
}
