import { hostname } from "node:os";
import { agentConfig } from "../agent/config.ts";
import { DEFAULT_CONFIG } from "../agent/config_file.ts";
import { placeProblem } from "../service/start_check.ts";
import { DeployError } from "../core/errors.ts";
import { hostDisk } from "../host/disk.ts";
import { readIfThere } from "../host/read_text.ts";
import { startAtBoot, AGENT_UNIT, type StartAtBoot } from "../host/own_unit.ts";
import { trafficEffects } from "../host/traffic_effects.ts";
import type { AgentConfig } from "../schema/agent_config.ts";
import type { Clock } from "../support/clock.ts";
import { trafficSupport } from "../traffic/support.ts";
import { supervisorSupport } from "./supervisor_support.ts";

interface Finding {
  readonly strategy: string;
  readonly supported: boolean;
  readonly detail: string;
  readonly missing?: string;
}

interface ServiceFinding {
  readonly service: string;
  readonly traffic: string;
  readonly problem: string | null;
}

/** What this host can do, and what it lacks. */
export interface Examination {
  readonly restart: readonly Finding[];
  readonly traffic: readonly Finding[];
  readonly after_reboot: Omit<Finding, "strategy">;
  readonly services: readonly ServiceFinding[];
}

interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/**
 * @param config the agent's file; by default the one at the usual path, if it exists
 * @returns also whether something is missing that this host's agent needs
 * @throws DeployError `config-invalid`
 */
export async function examine(
  config: string | undefined,
  { env, clock, signal }: Surroundings,
): Promise<{ examination: Examination; lacksSomething: boolean }> {
  const agentsFile = await configOf(config, env);
  const effects = trafficEffects(clock);
  const traffic = await trafficSupport(effects, signal);
  const restart = await supervisorSupport({
    find: (program) => effects.find(program),
    exists: async (path) => (await hostDisk.look(path)) !== null,
  });
  const machine = { disk: hostDisk, clock, isRoot: process.geteuid?.() === 0 };
  const services = agentsFile === null ? [] : await servicesIn(agentsFile, traffic, machine);
  const reboot = rebootFinding(await startAtBoot(AGENT_UNIT));
  return {
    examination: { restart, traffic, after_reboot: reboot, services },
    lacksSomething: (agentsFile !== null && !reboot.supported) || services.some(({ problem }) => problem !== null),
  };
}

/** The examination as lines for people. */
export function examinationLines({ restart, traffic, after_reboot: reboot, services }: Examination): string[] {
  return [...lines(restart, traffic), ...rebootLines(reboot), ...serviceLines(services)];
}

async function servicesIn(
  config: AgentConfig,
  traffic: readonly Finding[],
  machine: Parameters<typeof placeProblem>[2],
): Promise<ServiceFinding[]> {
  return Promise.all(
    Object.entries(config.services).map(async ([service, section]) => {
      const { by } = section.traffic;
      const untrusted = await placeProblem(config, service, machine);
      if (untrusted !== null) return { service, traffic: by, problem: untrusted.explained };
      // The HAProxy program may run elsewhere, but its socket must be on this host.
      if (section.traffic.by === "haproxy") {
        const { socket } = section.traffic;
        const there = (await hostDisk.look(socket)) !== null;
        return { service, traffic: by, problem: there ? null : `there is no socket ${socket}` };
      }
      const found = traffic.find(({ strategy }) => strategy === by);
      return { service, traffic: by, problem: found === undefined || found.supported ? null : told(found) };
    }),
  );
}

function told({ detail, missing }: Finding): string {
  return missing === undefined ? detail : `${detail}; missing: ${missing}`;
}

function lines(restart: readonly Finding[], traffic: readonly Finding[]): string[] {
  const width = Math.max(...[...restart, ...traffic].map(({ strategy }) => strategy.length));
  const row = (finding: Finding): string =>
    `  ${finding.supported ? "✓" : "✗"} ${finding.strategy.padEnd(width)}  ${told(finding)}`;
  return ["restart by", ...restart.map(row), "", "traffic by", ...traffic.map(row)];
}

function rebootFinding(after: StartAtBoot): Omit<Finding, "strategy"> {
  switch (after.kind) {
    case "started":
      return { supported: true, detail: `systemd starts ${AGENT_UNIT}, and the agent what this host served` };
    case "left down":
      return { supported: false, detail: after.why };
    case "unknown":
      return {
        supported: true,
        detail: "the agent starts what this host served; what starts services here has to start the agent",
      };
  }
}

function rebootLines({ supported, detail }: Omit<Finding, "strategy">): string[] {
  return ["", "after a reboot", `  ${supported ? "✓" : "✗"} ${detail}`];
}

function serviceLines(services: readonly ServiceFinding[]): string[] {
  if (services.length === 0) return [];
  return [
    "",
    "services of this host",
    ...services.map(({ service, traffic, problem }) =>
      problem === null ? `  ✓ ${service}: traffic by ${traffic}` : `  ✗ ${service}: traffic by ${traffic}: ${problem}`,
    ),
  ];
}

/** Null if no file was named and there is none at the usual path. */
async function configOf(named: string | undefined, env: Surroundings["env"]): Promise<AgentConfig | null> {
  const path = named ?? DEFAULT_CONFIG;
  const text = await readIfThere(path);
  if (text !== null) return agentConfig(text, path, env, hostname());
  if (named === undefined) return null;
  throw new DeployError(`Cannot check the services of this host: there is no file ${path}.`, {
    code: "config-invalid",
    hint: "Name the agent's own file with --config.",
  });
}
