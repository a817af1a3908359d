import { DeployError } from "../core/errors.ts";
import { parseOrThrow } from "../core/parse.ts";
import { agentConfigSchema, type AgentConfig } from "../schema/agent_config.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** Settings that the environment may override: the variable and the setting's place in the file. */
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
      hint: 'It must be TOML: lines of key = "value" below [sections]. Every key: deployd help configuration',
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
    hint: "Every key: deployd help configuration. DEPLOYD_* variables override the file.",
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
 * Requires the settings without which an agent that is root would be unsafe, for each service: the user that runs a
 * build's commands, which would otherwise be root; and where builds may come from, since otherwise whoever can write to
 * ZooKeeper could make root read any file and request any URL.
 *
 * @throws DeployError `config-invalid` listing every problem
 */
export function requireForRoot(config: AgentConfig, isRoot: boolean, path: string): void {
  if (!isRoot) return;
  const services = Object.entries(config.services);
  const lacks = (key: "run_as" | "sources") =>
    services.flatMap(([service, section]) => (section[key] === undefined ? [`services.${service}.${key}`] : []));
  const [users, sources] = [lacks("run_as"), lacks("sources")];
  const missing = [...users, ...sources];
  if (missing.length === 0) return;
  const hints = [
    ...(users.length === 0
      ? []
      : [
          'Name the user that the build\'s commands run as, preferably one of its own; run_as = "root" if it must be root.',
        ]),
    ...(sources.length === 0
      ? []
      : [
          'Name the URLs that builds are fetched from or below, as in sources = ["https://builds.example.com/web/"], ' +
            'or sources = ["file:///mnt/builds/"] for files of this host.',
        ]),
  ];
  throw new DeployError(
    `Cannot use ${path}: the agent runs as root and ${missing.join(", ")} ${missing.length === 1 ? "is" : "are"} not set.`,
    { code: "config-invalid", hint: hints.join(" ") },
  );
}
