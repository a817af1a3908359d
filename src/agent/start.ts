import { parseArgs } from "node:util";
import { DeployError } from "../core/errors.ts";
import type { Machine } from "../machine/machine.ts";
import type { AgentConfig } from "../schema/agent_config.ts";
import { Files } from "../steps/files.ts";
import { runAgent } from "./agent.ts";
import type { AgentLog } from "./open_service.ts";
import { agentConfig, requireForRoot } from "./config.ts";
import { requireServiceable } from "../service/start_check.ts";

const DEFAULT_CONFIG = "/etc/deployd/agent.toml";

/** How long a restart that is under way may go on after the first signal to stop. */
const GRACE_MS = 60_000;

const agentHelp = `deployd agent [--config FILE]

Follows this host's wish in ZooKeeper and brings its services there. One runs on every host.

  --config FILE   the host's own settings (default ${DEFAULT_CONFIG}); DEPLOYD_* variables override them
  --check         read the file, say what is wrong with it, and stop

Example: deployd agent --config ${DEFAULT_CONFIG}
`;

export interface AgentProcess {
  readonly env: Record<string, string | undefined>;
  readonly version: string;
  readonly hostName: string;
  /** @param onTrouble told what the service manager could not be told */
  readonly machine: (onTrouble: (error: DeployError) => void) => Machine;
  readonly stdout: { write(text: string): void };
  /** Where the agent tells what it does, from this level on. */
  readonly openLog: (host: string, level: AgentConfig["log_level"]) => AgentLog;
  /** Calls back on SIGTERM and SIGINT. */
  onSignal(listener: () => void): void;
}

/** `deployd agent`. Returns the exit code; throws DeployError when the agent cannot start. */
export async function agentCommand(argv: readonly string[], host: AgentProcess): Promise<number> {
  const flags = parseFlags(argv);
  if (flags.help) {
    host.stdout.write(agentHelp);
    return 0;
  }
  let log: AgentLog = () => {};
  const machine = host.machine((error) => log("warn", error.explained, {}));
  const text = await new Files(machine.disk, machine.clock).readIfThere(flags.config);
  if (text === null) {
    throw new DeployError(`Cannot start the agent: there is no file ${flags.config}.`, {
      code: "config-invalid",
      hint: "Name one with --config, or begin with the sample that install.sh puts in /etc/deployd.",
    });
  }
  const config = agentConfig(text, flags.config, host.env, host.hostName);
  requireForRoot(config, machine.isRoot, flags.config);
  if (flags.check) {
    await requireServiceable(config, flags.config, machine);
    host.stdout.write(
      `${flags.config} is valid: host ${config.host}, services ${Object.keys(config.services).join(", ")}\n`,
    );
    return 0;
  }

  log = host.openLog(config.host, config.log_level);
  const soon = new AbortController();
  const now = new AbortController();
  host.onSignal(() => {
    if (soon.signal.aborted) return now.abort(new Error("told to stop twice"));
    log("info", "the agent is told to stop", {});
    soon.abort(new Error("the agent stops"));
    machine.clock.afterIdly(GRACE_MS, () => now.abort(new Error("the agent stops")));
  });
  await runAgent({ config, version: host.version, machine, log, stop: { soon: soon.signal, now: now.signal } });
  return 0;
}

function parseFlags(argv: readonly string[]): { config: string; check: boolean; help: boolean } {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        config: { type: "string", default: DEFAULT_CONFIG },
        check: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    return values;
  } catch (error) {
    throw new DeployError(`Cannot start the agent: ${error instanceof Error ? error.message : String(error)}.`, {
      code: "usage",
      hint: "See: deployd agent --help",
    });
  }
}
