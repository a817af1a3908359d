import type { Rung } from "../core/step.ts";
import type { ErrorCode } from "../schema/error_code.ts";

type Reason = ErrorCode | "other";

const everywhere = ["disk-full", "internal", "other"] as const;
const asked = ["check-failed", "policy-refused", "recipe-invalid", "config-invalid"] as const;

/**
 * The reasons for which each step can fail, so that each series exists, with 0, before the first failure: a counter that
 * begins with its first failure shows no increase. A code that is not expected of a step counts as `other`; the status
 * shows it.
 */
export const stepReasons: Readonly<Record<Rung, readonly Reason[]>> = {
  fetch: ["fetch-failed", "build-unknown", "policy-refused", "config-invalid", "digest-mismatch", ...everywhere],
  verify: ["digest-mismatch", "fetch-failed", "build-unknown", ...everywhere],
  extract: [
    "archive-invalid",
    "archive-hostile",
    "recipe-invalid",
    "digest-mismatch",
    "build-unknown",
    "build-exists",
    ...everywhere,
  ],
  install: [
    "install-failed",
    "install-timeout",
    "recipe-invalid",
    "policy-refused",
    "config-invalid",
    "build-unknown",
    ...everywhere,
  ],
  flip: ["current-not-a-link", "policy-refused", "recipe-invalid", ...everywhere],
  restart: [
    "restart-failed",
    "restart-timeout",
    "instances-unavailable",
    "drain-timeout",
    "traffic-failed",
    ...asked,
    ...everywhere,
  ],
  check: [...asked, ...everywhere],
  soak: [...asked, ...everywhere],
};

export function reasonOfStep(step: Rung, code: string): Reason {
  return stepReasons[step].find((known) => known === code) ?? "other";
}
