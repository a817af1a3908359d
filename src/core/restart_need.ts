import type { Actual } from "./situation.ts";
import type { Journal, StepFailure } from "../schema/journal.ts";
import type { Served } from "./served.ts";

/**
 * The instances that do not run `build` yet. Those that are down come first: restarting them takes nobody out of service.
 */
export function toRestart({ instances, ...actual }: Actual, build: string, pointsHere: boolean): string[] {
  return instances
    .filter(({ served }) =>
      pointsHere ? !isLeftAlone(served, actual, build) : served.kind !== "build" || served.build !== build,
    )
    .toSorted((a, b) => Number(b.served.kind === "down") - Number(a.served.kind === "down"))
    .map(({ name }) => name);
}

/**
 * A supervisor's service that is down may have been stopped on purpose, but not before the wish: whoever deploys to a
 * service that is down wants it up.
 */
export function whoStarts(
  { served }: NonNullable<Journal["attempt"]>,
  { startedBy }: Pick<Actual, "startedBy">,
): Actual["startedBy"] {
  return served === true ? startedBy : "deployd";
}

/** Nothing that is observed requires a restart into `build`, to which `current` points. */
export function isLeftAlone(served: Served, { startedBy }: Pick<Actual, "startedBy">, build: string): boolean {
  switch (served.kind) {
    case "build":
      return served.build === build;
    case "unknown":
      return true;
    case "down":
      return startedBy === "supervisor";
  }
}

/**
 * A restart could take nothing out of service here: all instances are down, or those that are down would only be started
 * again under the build that the others serve.
 */
export function nothingToProtect({ current, served, instances }: Actual, build: string): boolean {
  if (current.kind === "absent" || instances.every((each) => each.served.kind === "down")) return true;
  return current.kind === "link" && current.build === build && served.kind === "down";
}

/**
 * How many activations for one wish may pass without the service staying up between them; more would only repeat the
 * same.
 */
const MOST_ACTIVATIONS = 5;

/**
 * Why a wish that was served here is not activated once more; null where it may be. A wish that ended well is not begun
 * again when the service runs another build since: somebody else starts that one, and would do so again. A service that
 * dies is started again, but not for ever.
 */
export function relapse(
  { build, begun, served: wasServed }: NonNullable<Journal["attempt"]>,
  { served }: Pick<Actual, "served">,
): Omit<StepFailure, "atMs"> | null {
  if (wasServed === true && served.kind === "build" && served.build !== build) {
    return {
      code: "check-failed",
      message: `Cannot keep "${build}" in service: it was proven, and the service's processes run "${served.build}" since.`,
      hint: "Find out what else starts or keeps that build (an old process that holds the port, another supervisor), end it, and deploy again.",
      step: "restart",
      log: "",
    };
  }
  if ((begun ?? 0) < MOST_ACTIVATIONS) return null;
  return {
    code: "attempts-exhausted",
    message: `Cannot keep "${build}" in service: it was started ${begun} times for this wish, and never stayed.`,
    hint: "Look at the service's own log, and deploy again when the cause is fixed.",
    step: "restart",
    log: "",
  };
}
