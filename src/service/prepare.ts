import { DeployError, isDeployError } from "../core/errors.ts";
import { installsBegun } from "../core/journal.ts";
import type { Actual } from "../core/situation.ts";
import type { Target } from "../core/targets.ts";
import { extractStep } from "../steps/extract.ts";
import { fetchStep } from "../steps/fetch.ts";
import { installStep } from "../steps/install.ts";
import type { BuildWork } from "../steps/effects.ts";
import { verifyStep } from "../steps/verify.ts";
import { requireAskable } from "./asked_hosts.ts";
import { runnerFor } from "./command_context.ts";
import { requireRestartable } from "./activation.ts";
import type { BuildRecord } from "../schema/znodes.ts";
import type { BuildOnHost, ServiceHost } from "./service_host.ts";
import type { ServiceState } from "./service_state.ts";

export interface PrepareContext extends BuildOnHost {
  /** The build's; null where it is not in ZooKeeper. */
  readonly record: BuildRecord | null;
  readonly host: ServiceHost;
  readonly state: ServiceState;
  readonly heavy: <T>(work: () => Promise<T>) => Promise<T>;
  /** Called with the paths of `install.shared` whose content in the build is not used. */
  readonly onGaveWay: (paths: readonly string[]) => void;
}

/** Runs one rung of PREPARE; none of them touches the running service. */
export async function prepareStep(
  step: "fetch" | "verify" | "extract" | "install",
  context: PrepareContext,
  signal: AbortSignal,
): Promise<void> {
  const { state, command } = context;
  const { config, section, files, machine } = context.host;
  const { build, deploy, service, layout } = command;
  const { record } = context;
  if (record === null) {
    throw new DeployError(`Cannot ${step} "${build}": it is not among the builds of "${service}" in ZooKeeper.`, {
      code: "build-unknown",
      hint: `Add it with: deployd ctl builds add ${service} FILE --build ${build}`,
      retry: true,
    });
  }
  const work: BuildWork = { service, build, deploy, layout, record };
  const { archive, network } = machine;
  const effects = { files, archive, network, run: runnerFor(command), signal };
  switch (step) {
    case "fetch":
      state.downloaded = null;
      // A download is not heavy work, and it takes as long as its source likes: other services of the host do not wait
      // for it.
      await fetchStep(
        work,
        {
          sources: section.sources ?? [],
          logins: config.sources,
          isRoot: machine.isRoot,
          onProgress: (bytes) => (state.downloaded = { bytes, of: record.size }),
        },
        effects,
      );
      return;
    case "verify":
      return verifyStep(work, effects);
    case "extract":
      await context.heavy(() =>
        extractStep(
          work,
          {
            limits: { maxBytes: config.limits.unpacked_bytes, maxEntries: config.limits.entries },
            owner: command.user,
            recipes: context.host.recipes,
            onGaveWay: context.onGaveWay,
          },
          effects,
        ),
      );
      return;
    case "install": {
      const { install } = await context.resolvedRecipe();
      for (const instance of context.host.instances) {
        const on = context.host.build(build, deploy, instance);
        const resolvedRecipe = await on.resolvedRecipe();
        requireRestartable(resolvedRecipe.restart, context.host);
        await requireAskable(resolvedRecipe, on.command);
      }
      await context.host.lookForHome();
      await state.journal.record({ kind: "install-begun", deploy, build });
      const begun = installsBegun(state.journal.now, { deploy, build });
      try {
        await installStep(work, install, effects);
      } catch (error) {
        // After the last try, the failure itself says more than that the tries are used up.
        throw begun >= install.attempts && isDeployError(error) ? asFinal(error) : error;
      }
      return;
    }
  }
}

/** How many times the install steps of the target may be begun; looked up only where they are the next step. */
export async function installsAllowed(host: ServiceHost, target: Target, { release }: Actual): Promise<number> {
  if (target.kind !== "build" || release !== "extracted") return 1;
  return installsOf(host.build(target.build, target.deploy));
}

/** How many times the install steps of the build may be begun. */
export async function installsOf({ resolvedRecipe }: BuildOnHost): Promise<number> {
  // A recipe that cannot be read is reported by the install step.
  return resolvedRecipe().then(
    ({ install }) => install.attempts,
    () => Number.POSITIVE_INFINITY,
  );
}

function asFinal(error: DeployError): DeployError {
  const { code, hint, cause } = error;
  return error.retry ? new DeployError(error.message, { code, hint, cause, retry: false }) : error;
}
