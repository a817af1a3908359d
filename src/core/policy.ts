import { DeployError } from "./errors.ts";
import type { RestartSpec } from "./resolved_recipe.ts";

/** What the host's own file (agent.toml) lets a build restart and signal. */
export interface RestartPolicy {
  readonly service: string;
  /** systemd units, directories of runit and s6, programs of supervisord, `*` standing for anything but a slash. */
  readonly units: readonly string[];
  /** Pid files outside the service's directory. */
  readonly pidFiles: readonly string[];
  readonly root: string;
}

/** Where runit and s6 look for services, on the distributions that have them. */
const SCAN_DIRECTORIES = ["/etc/service", "/service", "/var/service", "/run/service"];

/**
 * What a build of this service may restart when agent.toml does not say: units with the service's name, or with the name
 * of one of its instances. `web-*` is not among them: it would match the service `web-admin` too.
 */
export function defaultUnits(service: string, instances: readonly string[] = []): string[] {
  const names = [service, ...instances.map((instance) => `${service}-${instance}`)];
  return [
    `${service}.service`,
    `${service}@*.service`,
    `${service}.socket`,
    ...SCAN_DIRECTORIES.flatMap((directory) => names.map((name) => `${directory}/${name}`)),
    ...names,
    `${service}:*`,
  ];
}

/**
 * The build says how it is restarted, but the agent does it, often as root. So only what agent.toml allows is touched.
 *
 * @throws DeployError `policy-refused`
 */
export function assertRestartAllowed(spec: RestartSpec, policy: RestartPolicy): void {
  switch (spec.by) {
    case "systemd":
      return assertUnit(spec.unit, policy);
    case "systemd-socket":
      assertUnit(spec.socket, policy);
      return assertUnit(spec.unit.replace("@", "@blue"), policy);
    case "runit":
    case "s6":
      return assertUnit(spec.service, policy);
    case "supervisord":
      return assertUnit(spec.program, policy);
    case "signal":
      if (policy.pidFiles.includes(spec.pidFile) || isBelow(policy.root, spec.pidFile)) return;
      throw new DeployError(`Cannot signal the process in ${spec.pidFile}: the file is outside ${policy.root}.`, {
        code: "policy-refused",
        hint: `Add it to services.${policy.service}.pid_files in the agent's file.`,
      });
    case "command":
      // Commands run as the service's own user, with that user's rights only.
      return;
  }
}

function assertUnit(unit: string, policy: RestartPolicy): void {
  if (policy.units.some((pattern) => matchesUnit(pattern, unit))) return;
  throw new DeployError(`Cannot restart ${unit}: this host lets the build restart only ${policy.units.join(", ")}.`, {
    code: "policy-refused",
    hint: `Add it to services.${policy.service}.units in the agent's file.`,
  });
}

function matchesUnit(pattern: string, unit: string): boolean {
  const parts = pattern.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join("[^/]*")}$`).test(unit);
}

function isBelow(root: string, path: string): boolean {
  return path.startsWith(`${root}/`) && !path.split("/").includes("..");
}
