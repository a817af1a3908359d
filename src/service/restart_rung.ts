import { assertRestartAllowed } from "../core/policy.ts";
import { DEFAULT_DRAIN_MS, type DrainSpec, type ResolvedRecipe, type RestartSpec } from "../core/resolved_recipe.ts";
import type { BatchEnd } from "../core/journal_restart.ts";
import { isBetweenBatches, isRestarted, nextBatch, noCounts, restartAmong } from "../core/restart_progress.ts";
import { forcedByBuild, forcedByHost, type RestartPhase } from "../schema/restart_phases.ts";
import type { RestartCost } from "../schema/journal.ts";
import { driveRestart, type InstanceEffects, type RestartPlan, type RestartEffects } from "../restart/driver.ts";
import type { ProcessFact } from "../machine/processes.ts";
import { supervisorFor } from "../restart/supervisor.ts";
import { dropBallast } from "../steps/ballast.ts";
import { tellApp } from "../restart/tell.ts";
import type { ActivateContext } from "./service_host.ts";
import { logLabel, probeEffectsFor, supervisorEffectsFor, type CommandContext } from "./command_context.ts";
import { faultOf, frontProbe, isHealthy, probeFront, untilHealthy } from "./health.ts";
import type { ServiceHost } from "./service_host.ts";

/** How long other instances may take to become healthy where the build has no check that says it, in milliseconds. */
const DEFAULT_AVAILABLE_MS = 60_000;

/** An instance of the batch, with what its build says about its restart. */
export interface Member {
  readonly command: CommandContext;
  readonly resolvedRecipe: ResolvedRecipe;
  readonly restart: RestartSpec;
  /**
   * How the running process lets its clients go. Its own build says it, since no other build knows which signal or
   * command it understands.
   */
  readonly drain: DrainSpec | null;
}

/**
 * Restarts one batch into what `current` points at. The journal says that it was begun before it is, and what it cost
 * once it has ended, successfully or not.
 */
export async function restartBatch(
  context: ActivateContext,
  step: { readonly back: boolean },
  signal: AbortSignal,
): Promise<void> {
  const { state, host, activation, build } = context;
  const { phase } = activation;
  if (!("restart" in phase)) return;
  const names = host.instances.map(({ name }) => name);
  const before = restartAmong(phase.restart, names);
  if (isRestarted(before) || (await context.resolvedRecipe()).restart === null) {
    return state.journal.record({ kind: "nothing-to-restart" });
  }
  // Where all remaining instances are restarted at once, there is nothing to choose.
  const chooses = isBetweenBatches(before) && before.left.length > host.batch;
  const unwell = chooses ? await unwellAmong(context, before.left, signal) : new Set<string>();
  const batch = nextBatch(before, host.batch, unwell);
  const members = new Map<string, Member>();
  for (const name of batch) {
    const on = host.build(build, activation.deploy, host.instance(name));
    const resolvedRecipe = await on.resolvedRecipe();
    if (resolvedRecipe.restart === null) continue;
    assertRestartAllowed(resolvedRecipe.restart, host.policy);
    members.set(name, {
      command: on.command,
      resolvedRecipe,
      restart: resolvedRecipe.restart,
      drain: await drainOfOld(context, name, step.back),
    });
  }
  await state.journal.record({ kind: "batch-begun", batch, instances: names });
  state.proof = null;
  // There is no other build to go back to: the reserved space is freed for this start.
  if (step.back || activation.previous === null) await dropBallast(host.layout, host.files).catch(() => {});
  for (const { command } of members.values()) {
    await host.files.removeTree(command.layout.log(build, logLabel(command.instance, "restart")));
  }
  const cost = { counts: noCounts, touched: false };
  const effects = restartEffects(context, members, cost);
  const ended = async (how: BatchEnd): Promise<void> => {
    state.restartPhase = null;
    const counts = cost.touched ? cost.counts : { ...cost.counts, instances: 0 };
    state.onRestarted(counts);
    await state.journal.record({ kind: "batch-ended", how, cost: counts });
  };
  try {
    await driveRestart(restartPlan(context, members, step.back), effects, signal);
  } catch (error) {
    const how = cost.touched ? "failed" : await calledOff(context, batch, signal).catch(() => "failed" as const);
    // Where this cannot be written, the restart's own failure says more; the batch then looks as if the agent had died in it.
    await ended(how).catch(() => {});
    throw error;
  }
  await ended("restarted");
}

async function unwellAmong(
  { host, state }: ActivateContext,
  names: readonly string[],
  signal: AbortSignal,
): Promise<Set<string>> {
  const asked = await Promise.all(
    names.map(async (name) => ({ name, well: await isHealthy(host, state, host.instance(name), signal) })),
  );
  return new Set(asked.filter(({ well }) => !well).map(({ name }) => name));
}

async function drainOfOld(
  { host, state, activation }: ActivateContext,
  name: string,
  back: boolean,
): Promise<DrainSpec | null> {
  const served = state.actual?.instances.find((instance) => instance.name === name)?.served;
  const build = served?.kind === "build" ? served.build : back ? activation.build : activation.previous;
  if (build === null) return null;
  const old = host.build(build, activation.deploy, host.instance(name));
  // The recipe is gone with its release: then the old process is not told to let its clients go.
  return old.resolvedRecipe().then(
    ({ drain }) => drain,
    () => null,
  );
}

/** How a batch ended whose restart was called off before anything was changed. */
async function calledOff(context: ActivateContext, batch: readonly string[], signal: AbortSignal): Promise<BatchEnd> {
  if (signal.aborted) return "stopped";
  const unwell = await unwellAmong(context, batch, signal);
  // An app that was told to let go and has served nobody since was touched after all.
  return unwell.size === 0 ? "untouched" : "failed";
}

function restartPlan({ host }: ActivateContext, members: ReadonlyMap<string, Member>, back: boolean): RestartPlan {
  const { traffic } = host.section;
  const [first] = members.values();
  const { drain, check, restart } = first?.resolvedRecipe ?? { drain: null, check: null, restart: null };
  const handsOver = restart?.by === "systemd-socket" || (restart?.by === "signal" && restart.retire !== undefined);
  // On the way back every wait has an end: two builds on one host are worse than a closed connection.
  const forced: readonly RestartPhase[] = back ? [...forcedByBuild, ...forcedByHost] : [];
  return {
    batch: [...members.keys()],
    all: host.instances.map(({ name }) => name),
    minAvailable: host.minAvailable,
    availableMs: check?.deadlineMs ?? DEFAULT_AVAILABLE_MS,
    idleMs: idleMsOf(host, members),
    provesHealth: host.instances.length > 1 || traffic.by !== "none" || handsOver,
    isWayBack: back,
    force: new Set<RestartPhase>([...(drain?.force ?? []), ...traffic.force, ...forced]),
  };
}

/** How long to wait until nobody is connected any more; null where nobody is made to go. */
export function idleMsOf({ section }: ServiceHost, members: ReadonlyMap<string, Member>): number | null {
  const { traffic } = section;
  // Where nothing keeps new clients away and the old process has no way to let its clients go, they would never all
  // leave.
  const stays = traffic.by === "none" && [...members.values()].every((member) => member.drain === null);
  const [first] = members.values();
  const deadlineMs = first?.resolvedRecipe.drain?.deadlineMs;
  return stays ? null : (deadlineMs ?? (traffic.by === "none" ? null : DEFAULT_DRAIN_MS));
}

export function restartEffects(
  context: Pick<ActivateContext, "host" | "state">,
  members: ReadonlyMap<string, Member>,
  cost: { counts: RestartCost; touched: boolean },
): RestartEffects {
  const { host, state } = context;
  const { trafficControl, section } = host;
  const { clock } = host.machine;
  const { traffic } = section;
  const [first] = members.values();
  const probe = frontProbe(traffic, first?.resolvedRecipe.check ?? null, first?.command.instance?.port ?? null);
  // The probe that agent.toml itself names may be sent to any host.
  const asking = traffic.probe === undefined ? undefined : ({ hosts: "any", quotesAnswers: false } as const);
  // Made once: a handover remembers which process is the old one.
  const phase = state.journal.now.activation?.phase;
  const isBegunAgain = phase !== undefined && "restart" in phase && phase.restart.begun > 1;
  const instances = new Map(
    [...members].map(([name, member]) => [name, instancePorts(host, name, member, isBegunAgain)]),
  );
  return {
    instance: (name) => {
      const found = instances.get(name);
      if (found === undefined) throw new Error(`instance "${name}" is not of this batch`);
      return found;
    },
    isHealthy: async (name, signal) => {
      const instance = host.instance(name);
      if (members.has(name)) return isHealthy(host, state, instance, signal);
      return (await faultOf(host, state, instance, signal)) === null;
    },
    traffic:
      traffic.by === "none"
        ? null
        : {
            off: (batch, signal) => trafficControl.turnOff(batch, signal),
            on: (batch, signal) => trafficControl.turnOn(batch, signal),
            refused: (signal) => trafficControl.traffic.refused(signal),
          },
    probe:
      probe === null || first === undefined
        ? null
        : (signal) => probeFront(probe, traffic.timeout_s * 1000, probeEffectsFor(first.command, asking), signal),
    clock,
    onPhase: (phase) => {
      state.restartPhase = { phase, batch: [...members.keys()], sinceMs: clock.now() };
    },
    onTouch: () => (cost.touched = true),
    onCounts: (counts) => (cost.counts = counts),
  };
}

function instancePorts(
  host: ServiceHost,
  name: string,
  { command, resolvedRecipe, restart, drain }: Member,
  isBegunAgain: boolean,
): InstanceEffects {
  const { alone, port } = host.instance(name);
  const { processes, probes, traffic } = host.machine;
  const { check } = resolvedRecipe;
  const { by } = restart;
  const effects = supervisorEffectsFor(command, host.policy.pidFiles, isBegunAgain);
  const tell = async (word: DrainSpec["tell"] | undefined, pids: readonly number[], signal: AbortSignal) => {
    if (word === undefined) return;
    const uid = command.user?.uid ?? null;
    const all = async () => processes.of({ root: host.layout.root, uid, mains: [] });
    const told = pids.length > 0 ? pids : leadersOf(await all(), alone ? null : name);
    const post = (url: string, signal: AbortSignal) => probes.post(url, signal, command.asking);
    await tellApp(word, told, { kill: (pid, name) => effects.kill(pid, name), post }, signal);
  };
  return {
    supervisor: host.ownership.before(supervisorFor(restart, effects), by === "command" || by === "signal"),
    untilHealthy: async (signal) => {
      if (check !== null) await untilHealthy(check, command, signal);
    },
    tell: (pids, signal) => tell(drain?.tell, pids, signal),
    resume: (pids, signal) => tell(drain?.resume, pids, signal),
    busy: async (pids, signal) =>
      pids === null
        ? ((await host.trafficControl.traffic.busy(name, signal)) ??
          (port === null ? null : await traffic.openAt(port)))
        : await processes.openConnections(pids),
  };
}

/**
 * The topmost processes of an instance, those whose parent is not one of its own. For a service that a shell line has
 * started, so that no supervisor or pid file names its process.
 *
 * @param instance null for a service that has no other
 */
function leadersOf(all: readonly ProcessFact[], instance: string | null): number[] {
  const own = all.filter((process) => instance === null || process.instance === instance);
  const pids = new Set(own.map(({ pid }) => pid));
  return own.filter(({ parent }) => !pids.has(parent)).map(({ pid }) => pid);
}
