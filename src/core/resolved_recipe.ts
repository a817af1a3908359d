import type { forcedByBuild } from "../schema/restart_phases.ts";
import type { CheckSection, DrainSection, InstallSection, Recipe, RestartSection } from "../schema/recipe.ts";
import { DeployError } from "./errors.ts";

/** How a service is brought to run what `current` points at. Times in milliseconds. */
export type RestartSpec =
  | { by: "systemd"; unit: string; action: "restart" | "reload" | "reload-or-restart"; timeoutMs: number }
  | { by: "command"; stop?: string; start?: string; reload?: string; timeoutMs: number }
  | { by: "signal"; signal: string; retire?: string; pidFile: string; timeoutMs: number }
  | { by: "systemd-socket"; socket: string; unit: string; timeoutMs: number }
  | { by: "runit"; service: string; timeoutMs: number }
  | { by: "s6"; service: string; timeoutMs: number }
  | { by: "supervisord"; program: string; timeoutMs: number };

/** One check that a healthy service passes. */
export type ProbeSpec =
  | { kind: "http"; url: string; expectStatus: readonly number[]; expectBody?: string; timeoutMs: number }
  | { kind: "tcp"; host: string; port: number; timeoutMs: number }
  | { kind: "command"; run: string; timeoutMs: number };

export interface CheckSpec {
  readonly probe: ProbeSpec;
  readonly intervalMs: number;
  readonly deadlineMs: number;
  readonly successes: number;
  /** How long the streak of successes must have lasted. */
  readonly minHealthyMs: number;
}

/** The signal or command that makes an instance let go of its clients. */
interface DrainWord {
  readonly signal: string | null;
  readonly url: string | null;
}

/** The longest wait for the last client where the build does not say, in milliseconds. */
export const DEFAULT_DRAIN_MS = 30_000;

export interface DrainSpec {
  readonly tell: DrainWord;
  /** Sent when the drain is called off. */
  readonly resume: DrainWord;
  /** The longest wait for the last client. */
  readonly deadlineMs: number;
  readonly force: readonly (typeof forcedByBuild)[number][];
}

export interface InstallSpec {
  readonly steps: readonly { run: string; timeoutMs: number }[];
  readonly attempts: number;
  readonly shared: readonly string[];
}

/** A recipe made ready for one host and one release: variables filled in, times in milliseconds. */
export interface ResolvedRecipe {
  readonly install: InstallSpec;
  readonly restart: RestartSpec | null;
  readonly drain: DrainSpec | null;
  readonly check: CheckSpec | null;
}

/**
 * Fills in the variables of a recipe.
 *
 * @param variables what `${NAME}` stands for in URLs, addresses, paths and expected bodies. Shell lines are not changed:
 *   their shell finds the same names in its environment.
 * @throws DeployError `recipe-invalid` naming a variable that is not set
 */
export function resolveRecipe(recipe: Recipe, variables: Readonly<Record<string, string>>): ResolvedRecipe {
  return {
    install: installSpec(recipe.install),
    restart: recipe.restart === undefined ? null : restartSpec(recipe.restart, variables),
    drain: recipe.drain === undefined ? null : drainSpec(recipe.drain, variables),
    check: recipe.check === undefined ? null : checkSpec(recipe.check, variables),
  };
}

function installSpec(section: InstallSection): InstallSpec {
  return {
    steps: section.steps.map((step) =>
      typeof step === "string"
        ? { run: step, timeoutMs: section.timeout_s * 1000 }
        : { run: step.run, timeoutMs: (step.timeout_s ?? section.timeout_s) * 1000 },
    ),
    attempts: section.attempts,
    shared: section.shared,
  };
}

function restartSpec(section: RestartSection, variables: Readonly<Record<string, string>>): RestartSpec {
  const timeoutMs = section.timeout_s * 1000;
  switch (section.by) {
    case "systemd":
      return {
        by: "systemd",
        unit: fillIn(section.unit, variables, "restart.unit"),
        action: section.action,
        timeoutMs,
      };
    case "command":
      return {
        by: "command",
        ...(section.stop === undefined ? {} : { stop: section.stop }),
        ...(section.start === undefined ? {} : { start: section.start }),
        ...(section.reload === undefined ? {} : { reload: section.reload }),
        timeoutMs,
      };
    case "signal":
      return {
        by: "signal",
        signal: section.signal,
        ...(section.retire === undefined ? {} : { retire: section.retire }),
        pidFile: fillIn(section.pid_file, variables, "restart.pid_file"),
        timeoutMs,
      };
    case "systemd-socket":
      return { by: "systemd-socket", socket: section.socket, unit: section.unit, timeoutMs };
    case "runit":
    case "s6":
      return { by: section.by, service: fillIn(section.service, variables, "restart.service"), timeoutMs };
    case "supervisord":
      return { by: "supervisord", program: fillIn(section.program, variables, "restart.program"), timeoutMs };
  }
}

function drainSpec(section: DrainSection, variables: Readonly<Record<string, string>>): DrainSpec {
  const url = (text: string | undefined, where: string): string | null =>
    text === undefined ? null : httpUrl(fillIn(text, variables, where), where);
  return {
    tell: { signal: section.signal ?? null, url: url(section.url, "drain.url") },
    resume: { signal: section.resume_signal ?? null, url: url(section.resume_url, "drain.resume_url") },
    deadlineMs: section.deadline_s * 1000,
    force: section.force,
  };
}

function httpUrl(url: string, where: string): string {
  if (URL.canParse(url) && /^https?:/.test(url)) return url;
  throw new DeployError(`Cannot ask "${url}": ${where} is not an http or https URL.`, {
    code: "recipe-invalid",
    hint: "Write it as http://127.0.0.1:8080/path.",
  });
}

function checkSpec(section: CheckSection, variables: Readonly<Record<string, string>>): CheckSpec {
  return {
    probe: probeSpec(section, variables),
    intervalMs: section.interval_s * 1000,
    deadlineMs: section.deadline_s * 1000,
    successes: section.successes,
    minHealthyMs: section.min_healthy_s * 1000,
  };
}

function probeSpec(section: CheckSection, variables: Readonly<Record<string, string>>): ProbeSpec {
  const timeoutMs = section.timeout_s * 1000;
  if ("http" in section) {
    const url = httpUrl(fillIn(section.http, variables, "check.http"), "check.http");
    return {
      kind: "http",
      url,
      expectStatus: typeof section.expect_status === "number" ? [section.expect_status] : section.expect_status,
      ...(section.expect_body === undefined
        ? {}
        : { expectBody: fillIn(section.expect_body, variables, "check.expect_body") }),
      timeoutMs,
    };
  }
  if ("tcp" in section) {
    const address = fillIn(section.tcp, variables, "check.tcp");
    const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(address);
    const port = Number(match?.[3]);
    if (match === null || port < 1 || port > 65_535) {
      throw new DeployError(`Cannot check "${address}": check.tcp is not host:port.`, {
        code: "recipe-invalid",
        hint: "Write it as 127.0.0.1:8080, or [::1]:8080 for IPv6.",
      });
    }
    return { kind: "tcp", host: match[1] ?? match[2] ?? "", port, timeoutMs };
  }
  return { kind: "command", run: section.command, timeoutMs };
}

/** `text` with every `${NAME}` replaced. */
function fillIn(text: string, variables: Readonly<Record<string, string>>, where: string): string {
  return text.replace(/\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g, (_, name: string) => {
    const value = Object.hasOwn(variables, name) ? variables[name] : undefined;
    if (value === undefined) {
      throw new DeployError(`Cannot fill in ${where} "${text}": the variable ${name} is not set.`, {
        code: "recipe-invalid",
        hint: `Set it under [services.<service>.env] in the agent's file. Known here: ${Object.keys(variables).join(", ")}.`,
      });
    }
    return value;
  });
}
