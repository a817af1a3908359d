import { DeployError } from "../core/errors.ts";
import { parseOrThrow } from "../core/parse.ts";
import { agentConfigSchema, type AgentConfig } from "../schema/agent_config.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** Settings that the environment may override: its variable and the place in the file. */
const overrides: readonly { variable: string; path: readonly string[] }[] = [
  { variable: "DEPLOYD_HOST", path: ["host"] },
  { variable: "DEPLOYD_ZONE", path: ["zone"] },
  { variable: "DEPLOYD_ROOT", path: ["root"] },
  { variable: "DEPLOYD_ZOOKEEPER", path: ["zookeeper", "servers"] },
  { variable: "DEPLOYD_CHROOT", path: ["zookeeper", "chroot"] },
  { variable: "DEPLOYD_ZOOKEEPER_DIGEST", path: ["zookeeper", "digest"] },
  { variable: "DEPLOYD_STATUS_LISTEN", path: ["status", "listen"] },
  { variable: "DEPLOYD_LOG_LEVEL", path: ["log_level"] },
];

/**
 * The agent's configuration from the text of its file and the environment.
 *
 * @param path only for messages
 * @param hostName the machine's own name, when neither file nor environment gives one
 * @throws DeployError `config-invalid` listing every problem
 */
export function agentConfig(
  text: string,
  path: string,
  env: Environment,
  hostName: string,
): AgentConfig & { host: string } {
  let input: unknown;
  try {
    input = Bun.TOML.parse(text);
  } catch (error) {
    throw new DeployError(`Cannot read ${path}: ${error instanceof Error ? error.message : String(error)}.`, {
      code: "config-invalid",
      hint: "It must be TOML; docs/configuration.md shows every key.",
      cause: error,
    });
  }
  const merged = structuredClone(input) as Record<string, unknown>;
  for (const { variable, path: place } of overrides) {
    const value = env[variable];
    if (value !== undefined && value !== "") put(merged, place, value);
  }
  const config = parseOrThrow(agentConfigSchema, merged, path, {
    code: "config-invalid",
    hint: "docs/configuration.md lists every key; DEPLOYD_* variables override the file.",
  });
  return { ...config, host: config.host ?? hostName };
}

function put(into: Record<string, unknown>, [head, ...rest]: readonly string[], value: string): void {
  if (head === undefined) return;
  if (rest.length === 0) {
    into[head] = value;
    return;
  }
  const below = into[head];
  const next = typeof below === "object" && below !== null ? (below as Record<string, unknown>) : {};
  into[head] = next;
  put(next, rest, value);
}

/**
 * Who runs a service's commands. An agent that is root must be told: it would otherwise run a build's code as root by
 * default.
 */
export function requireRunAs(config: AgentConfig, isRoot: boolean, path: string): void {
  if (!isRoot) return;
  for (const [service, section] of Object.entries(config.services)) {
    if (section.run_as !== undefined) continue;
    throw new DeployError(`Cannot use ${path}: the agent runs as root and services.${service}.run_as is not set.`, {
      code: "config-invalid",
      hint: 'Name the user that the build\'s commands run as, best one of its own; run_as = "root" if it must be.',
    });
  }
}
