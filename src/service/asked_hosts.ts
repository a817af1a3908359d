import { DeployError } from "../core/errors.ts";
import type { ResolvedRecipe } from "../core/resolved_recipe.ts";
import type { ProbeFailure } from "../probe/result.ts";
import type { CommandContext } from "./command_context.ts";

/**
 * Requires that this host lets a build send its check and drain requests to the hosts that their URLs name. It is found
 * out before the running service is touched, and checked again with each request, since a name may resolve to another
 * address by then.
 *
 * @throws DeployError `policy-refused`
 */
export async function requireAskable({ check, drain }: ResolvedRecipe, command: CommandContext): Promise<void> {
  const hosts = new Set<string>();
  if (check?.probe.kind === "tcp") hosts.add(check.probe.host);
  const urls = [check?.probe.kind === "http" ? check.probe.url : null, drain?.tell.url, drain?.resume.url];
  for (const url of urls) if (typeof url === "string") hosts.add(new URL(url).hostname);
  for (const host of hosts) {
    const failure = await command.machine.probes.mayAsk(host, command.asking);
    if (failure !== null) throw notAskable(failure, command);
  }
}

export function notAskable({ reason, detail }: ProbeFailure, { build, service }: CommandContext): DeployError {
  return new DeployError(`Cannot let "${build}" send its check or drain requests: ${detail ?? reason}`, {
    code: "policy-refused",
    hint: `Let the build's URLs name 127.0.0.1, or list the hosts that they name in services.${service}.check_hosts of the agent's file.`,
  });
}
