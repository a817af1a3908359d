import { DeployError } from "../core/errors.ts";
import { DEFAULT_DRAIN_MS, type CheckSpec, type ResolvedRecipe } from "../core/resolved_recipe.ts";
import type { Actual } from "../core/situation.ts";
import { probeOnce } from "../probe/probe.ts";
import { SETTLE_MS } from "../restart/steady.ts";
import { together, until } from "../support/wait.ts";
import { isStartedBy, probeEffectsFor, type CommandContext } from "./command_context.ts";
import type { Observation } from "./observe.ts";
import { lastWords, TOLERATED_FAILURES, untilHealthy, untilShown } from "./health.ts";
import type { ActivateContext } from "./service_host.ts";

const LEFTOVER_POLL_MS = 200;

/**
 * Waits until every instance is healthy, and then looks which build their processes run: a healthy answer from the old
 * processes does not prove the new build.
 *
 * @throws DeployError `check-failed`
 */
export async function checkService(context: ActivateContext, signal: AbortSignal): Promise<void> {
  const { state, host, activation, build } = context;
  const { check, restart: spec } = await context.resolvedRecipe();
  await together(
    host.instances.map((instance) => async (signal) => {
      const on = host.build(build, activation.deploy, instance);
      const { check } = await on.resolvedRecipe();
      if (check !== null) await untilHealthy(check, on.command, signal);
    }),
    signal,
  );
  const alone = spec === null ? null : await untilOthersEnded(context, signal);
  // Where a check has passed, its process has shown itself already.
  const names = host.instances.map(({ name }) => name);
  const { actual, processes } =
    alone !== null && check !== null ? alone : await untilShown(host, names, check === null ? SETTLE_MS : 0, signal);
  assertServed(context, actual, { check, restart: spec });
  await state.journal.record({ kind: "checked", build, processes, config: host.configDigest });
  state.proof = { build, attempt: activation.attempt, atMs: host.machine.clock.monotonicMs(), soaked: false };
  state.healthy = true;
}

/**
 * Waits for the processes of other builds to end: workers that still serve their last clients may take as long as a
 * drain. A process that stays may be the one that answered the check.
 *
 * @returns the observation without them; null where they had to be ended
 * @throws DeployError `check-failed`; on the way back the processes of the failed build are ended instead
 */
async function untilOthersEnded(context: ActivateContext, signal: AbortSignal): Promise<Observation | null> {
  const { state, host, activation, build, resolvedRecipe } = context;
  const { clock } = host.machine;
  const deadlineMs = (await resolvedRecipe()).drain?.deadlineMs ?? DEFAULT_DRAIN_MS;
  const look = async (): Promise<Observation> => {
    const seen = await host.observe();
    state.leftovers = seen.leftovers;
    return seen;
  };
  const when = { everyMs: LEFTOVER_POLL_MS, withinMs: deadlineMs };
  try {
    const seen = await until(look, ({ leftovers }) => leftovers.length === 0, when, clock, signal);
    if (seen.leftovers.length === 0) return seen;
    if (activation.phase.kind === "back") {
      await endFailed(context);
      return null;
    }
    const named = state.leftovers.slice(0, 5).map((left) => `process ${left.pid} of "${left.build}"`);
    const more = state.leftovers.length - named.length;
    throw new DeployError(
      `Cannot see "${build}" alone after the restart: ${named.join(", ")}${more > 0 ? ` and ${more} more` : ""} still run${state.leftovers.length === 1 ? "s" : ""} after ${deadlineMs / 1000} s.`,
      {
        code: "check-failed",
        hint: "They may be what answers the check. Make stop end the whole service (a pid file may name a wrapper whose child lives on), or give draining workers more time with drain.deadline_s.",
      },
    );
  } finally {
    state.leftovers = [];
  }
}

/**
 * Ends the processes of the failed build that this deploy has started: none of them may go on serving beside the build
 * before it.
 */
async function endFailed({ host, activation, command }: ActivateContext): Promise<void> {
  const { processes } = host.machine;
  const { build, deploy } = activation;
  const all = await processes.of({ root: host.layout.root, uid: command.user?.uid ?? null, mains: [] });
  for (const process of all) {
    if (!isStartedBy(process, { build, deploy })) continue;
    try {
      processes.kill(process.pid, "SIGKILL");
    } catch {
      // It has ended already.
    }
  }
}

/**
 * @throws DeployError `check-failed` where an instance runs another build, or where no process runs and there is no check
 */
function assertServed(
  { build }: ActivateContext,
  actual: Actual,
  { check, restart }: Pick<ResolvedRecipe, "check" | "restart">,
): void {
  if (restart === null) return;
  for (const { name, served } of actual.instances) {
    // Where a check has passed, a process that shows no release is taken for the service; without a check, a process must
    // be seen.
    const absent = served.kind === "down" && check === null;
    if (!absent && (served.kind !== "build" || served.build === build)) continue;
    const what = actual.instances.length > 1 ? `instance ${name}` : "it";
    const runs = served.kind === "build" ? `its processes still run "${served.build}"` : `nothing of ${what} runs`;
    throw new DeployError(`Cannot see "${build}" running after the restart: ${runs}.`, {
      code: "check-failed",
      hint: "Check that stop and start of the recipe end the old processes and start the service from $DEPLOYD_CURRENT.",
    });
  }
}

/**
 * Watches a proven service for a while; for 0 ms it is checked once.
 *
 * @throws DeployError `check-failed` when it does not stay healthy
 */
export async function soakService(context: ActivateContext, remainingMs: number, signal: AbortSignal): Promise<void> {
  const { state, host, activation, build } = context;
  const endsAt = host.machine.clock.monotonicMs() + remainingMs;
  await together(
    host.instances.map((instance) => async (signal) => {
      const on = host.build(build, activation.deploy, instance);
      await soakInstance((await on.resolvedRecipe()).check, on.command, endsAt, signal);
    }),
    signal,
  );
  assertServed(context, (await host.observe()).actual, await context.resolvedRecipe());
  if (state.proof !== null) state.proof = { ...state.proof, soaked: true };
}

async function soakInstance(
  check: CheckSpec | null,
  command: CommandContext,
  endsAt: number,
  signal: AbortSignal,
): Promise<void> {
  const { clock } = command.machine;
  let failures = 0;
  // Time alone proves nothing: an instance whose last check failed, or that was not checked yet, is checked even after
  // the end.
  for (let asked = 0; ; asked += 1) {
    const leftMs = endsAt - clock.monotonicMs();
    if (leftMs <= 0 && (check === null || (asked > 0 && failures === 0))) return;
    const intervalMs = check?.intervalMs ?? leftMs;
    if (leftMs > 0) await clock.sleep(Math.min(leftMs, intervalMs), signal);
    else if (failures > 0) await clock.sleep(intervalMs, signal);
    if (check === null) continue;
    const result = await probeOnce(check.probe, probeEffectsFor(command), signal);
    failures = result.ok ? 0 : failures + 1;
    if (!result.ok && failures > TOLERATED_FAILURES) {
      throw new DeployError(`Cannot keep "${command.build}": it became unhealthy while it soaked (${result.reason}).`, {
        code: "check-failed",
        hint: "It passed its check at first; look at the service's own log.",
        cause: { tail: await lastWords(result.detail ?? "", command) },
      });
    }
  }
}
