import { hostname } from "node:os";
import { parseArgs } from "node:util";
import { agentConfig } from "../agent/config.ts";
import { placeProblem } from "../service/start_check.ts";
import { DeployError } from "../core/errors.ts";
import { hostDisk } from "../host/disk.ts";
import { readIfThere } from "../host/files.ts";
import { afterBoot, AGENT_UNIT, type AfterBoot } from "../host/own_unit.ts";
import { trafficEffects } from "../host/traffic_effects.ts";
import type { AgentConfig } from "../schema/agent_config.ts";
import type { Clock } from "../support/clock.ts";
import { trafficSupport } from "../traffic/support.ts";
import { supervisorSupport } from "./supervisor_support.ts";

const DEFAULT_CONFIG = "/etc/deployd/agent.toml";

const doctorHelp = `deployd doctor [--config FILE] [--json]

Says in which ways this host can restart services and keep traffic from them meanwhile, and what is missing. It changes
nothing. Run it as the user that the agent runs as.

  --config FILE   the agent's file, whose services are looked at too (default ${DEFAULT_CONFIG}, where there is one)
  --json          print it as JSON

It exits with 1 when a service of that file needs something that this host has not got, or nothing starts the agent after a
reboot.

Example: deployd doctor
`;

export interface DoctorProcess {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: { write(text: string): void };
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

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

/** `deployd doctor`. Returns the exit code. @throws DeployError */
export async function doctorCommand(argv: readonly string[], host: DoctorProcess): Promise<number> {
  const flags = parseFlags(argv);
  if (flags.help) {
    host.stdout.write(doctorHelp);
    return 0;
  }
  const config = await configOf(flags.config, host.env);
  const effects = trafficEffects(host.clock);
  const traffic = await trafficSupport(effects, host.signal);
  const restart = await supervisorSupport({
    find: (program) => effects.find(program),
    exists: async (path) => (await hostDisk.look(path)) !== null,
  });
  const services =
    config === null
      ? []
      : await servicesIn(config, traffic, { disk: hostDisk, clock: host.clock, isRoot: process.geteuid?.() === 0 });
  const reboot = rebootFinding(await afterBoot(AGENT_UNIT));
  if (flags.json) {
    const document = { schema: "deployd.doctor/1", restart, traffic, after_reboot: reboot, services };
    host.stdout.write(`${JSON.stringify(document)}\n`);
  } else
    host.stdout.write(
      `${[...lines(restart, traffic), ...rebootLines(reboot), ...serviceLines(services)].join("\n")}\n`,
    );
  return (config !== null && !reboot.supported) || services.some(({ problem }) => problem !== null) ? 1 : 0;
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
      // The program may be elsewhere; its socket has to be here.
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

function rebootFinding(after: AfterBoot): Omit<Finding, "strategy"> {
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

/** Null where no file was named and there is none at the usual place. */
async function configOf(named: string | undefined, env: DoctorProcess["env"]): Promise<AgentConfig | null> {
  const path = named ?? DEFAULT_CONFIG;
  const text = await readIfThere(path);
  if (text !== null) return agentConfig(text, path, env, hostname());
  if (named === undefined) return null;
  throw new DeployError(`Cannot look at the services of this host: there is no file ${path}.`, {
    code: "config-invalid",
    hint: "Name the agent's own file with --config.",
  });
}

function parseFlags(argv: readonly string[]): { config?: string; json: boolean; help: boolean } {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        config: { type: "string" },
        json: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    return values;
  } catch (error) {
    throw new DeployError(`Cannot look at this host: ${error instanceof Error ? error.message : String(error)}.`, {
      code: "usage",
      hint: "See: deployd doctor --help",
    });
  }
}
