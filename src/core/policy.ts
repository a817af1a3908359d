import { DeployError } from "./errors.ts";
import type { RestartSpec } from "./recipe.ts";

/** What the host's own file lets a build act on. */
export interface RestartPolicy {
  /** Unit names, `*` standing for anything. */
  readonly units: readonly string[];
  /** Pid files outside the service's directory. */
  readonly pidFiles: readonly string[];
  readonly root: string;
}

/** The units a build of this service may restart when the host does not say: its own. */
export function defaultUnits(service: string): string[] {
  return [`${service}.service`, `${service}@*.service`];
}

/**
 * A build says how it is restarted, but the agent does it, often as root. Only what the host's file allows is touched.
 *
 * @throws DeployError `policy-refused`
 */
export function assertRestartAllowed(spec: RestartSpec, policy: RestartPolicy): void {
  switch (spec.by) {
    case "systemd":
      if (policy.units.some((pattern) => matchesUnit(pattern, spec.unit))) return;
      throw new DeployError(
        `Cannot restart ${spec.unit}: this host lets the build restart only ${policy.units.join(", ")}.`,
        { code: "policy-refused", hint: "Add the unit to services.<service>.units in the agent's file." },
      );
    case "signal":
      if (policy.pidFiles.includes(spec.pidFile) || isBelow(policy.root, spec.pidFile)) return;
      throw new DeployError(`Cannot signal the process in ${spec.pidFile}: the file is outside ${policy.root}.`, {
        code: "policy-refused",
        hint: "Add it to services.<service>.pid_files in the agent's file.",
      });
    case "command":
      // Commands run as the service's own user, with that user's rights.
      return;
  }
}

function matchesUnit(pattern: string, unit: string): boolean {
  const parts = pattern.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join("[^/]*")}$`).test(unit);
}

function isBelow(root: string, path: string): boolean {
  return path.startsWith(`${root}/`) && !path.split("/").includes("..");
}
