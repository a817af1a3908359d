import { join } from "node:path";
import { asDeployError, DeployError } from "../core/errors.ts";
import type { Machine } from "../machine/machine.ts";
import type { AgentConfig } from "../schema/agent_config.ts";
import { Files } from "../steps/files.ts";
import { layoutOf } from "../steps/layout.ts";
import { requireLogins } from "../steps/source_login.ts";
import { requireTrusted, requireTrustedWay } from "../steps/trusted_place.ts";
import { userOf } from "./service_host.ts";

/**
 * Finds what would keep an agent with this configuration from looking after its services. It changes nothing.
 *
 * @param path names the file in messages
 * @throws DeployError `config-invalid` listing every problem
 */
export async function requireServiceable(config: AgentConfig, path: string, machine: Machine): Promise<void> {
  const problems: DeployError[] = [];
  const files = new Files(machine.disk, machine.clock);
  const login = await errorOf(
    () => requireLogins(config.sources, files, machine.isRoot),
    "Cannot log in at the sources",
  );
  if (login !== null) problems.push(login);
  if (machine.isRoot) {
    const problem = await errorOf(() => requireTrustedWay(config.root, config.root, files), "Cannot work");
    // A problem above the directories of all services is reported once.
    if (problem !== null) throw problem;
  }
  for (const [service, section] of Object.entries(config.services)) {
    const user = await errorOf(() => userOf(section, machine), `Cannot become the user of "${service}"`);
    const place = await placeProblem(config, service, machine);
    problems.push(...[user, place].filter((problem) => problem !== null));
  }
  if (problems.length === 0) return;
  throw new DeployError(`Cannot use ${path}: ${problems.map(({ message }) => message).join(" ")}`, {
    code: "config-invalid",
    hint: problems.map(({ hint }) => hint).join(" "),
  });
}

/** What would keep such an agent from using the service's directory; null when nothing would. */
export async function placeProblem(
  config: AgentConfig,
  service: string,
  { disk, clock, isRoot }: Pick<Machine, "disk" | "clock" | "isRoot">,
): Promise<DeployError | null> {
  const layout = layoutOf(config.services[service]?.root ?? join(config.root, service));
  if (!isRoot) return null;
  return errorOf(() => requireTrusted(layout, new Files(disk, clock)), `Cannot look at "${layout.root}"`);
}

async function errorOf(attempt: () => unknown, what: string): Promise<DeployError | null> {
  try {
    await attempt();
    return null;
  } catch (error) {
    return asDeployError(error, what);
  }
}
