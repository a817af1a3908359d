import { exit, type ExitCode } from "../cli/exit.ts";
import type { Output } from "../cli/output.ts";
import { DeployError } from "../core/errors.ts";
import type { Machine } from "../machine/machine.ts";
import type { AgentConfig } from "../schema/agent_config.ts";
import { Files } from "../steps/files.ts";
import { runAgent } from "./agent.ts";
import type { AgentLog } from "./open_service.ts";
import { agentConfig, requireForRoot } from "./config.ts";
import { requireTargets } from "./notify_target.ts";
import { requireServiceable } from "../service/start_check.ts";

/** How long a running restart may continue after the first signal to stop. */
const GRACE_MS = 60_000;

export interface AgentFlags {
  readonly config: string;
  /** Only check the file and report what is wrong with it. */
  readonly check: boolean | undefined;
}

/** What the agent needs from the operating system. */
export interface AgentProcess {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly version: string;
  readonly hostName: string;
  /** @param onTrouble called when the service manager could not be notified */
  readonly machine: (onTrouble: (error: DeployError) => void) => Promise<Machine>;
  /** Opens the log, with messages of this level and above. */
  readonly openLog: (host: string, level: AgentConfig["log_level"]) => Promise<AgentLog>;
  /** Calls the listener on SIGTERM and SIGINT. */
  onSignal(listener: () => void): void;
}

/** Runs the agent, from reading its file to its end. @throws DeployError when it cannot start */
export async function startAgent(
  flags: AgentFlags,
  host: AgentProcess,
  output: Pick<Output, "lines">,
): Promise<ExitCode> {
  let log: AgentLog = () => {};
  const machine = await host.machine((error) => log("warn", error.explained, {}));
  const text = await new Files(machine.disk, machine.clock).readIfThere(flags.config);
  if (text === null) {
    throw new DeployError(`Cannot start the agent: there is no file ${flags.config}.`, {
      code: "config-invalid",
      hint: "Name one with --config, or begin with the sample that install.sh puts in /etc/deployd.",
    });
  }
  const config = agentConfig(text, flags.config, host.env, host.hostName);
  requireForRoot(config, machine.isRoot, flags.config);
  if (flags.check === true) {
    await requireServiceable(config, flags.config, machine);
    await requireTargets(config.notify, new Files(machine.disk, machine.clock), machine.isRoot);
    const services = Object.keys(config.services).join(", ");
    output.lines([`${flags.config} is valid: host ${config.host}, services ${services}`]);
    return exit.asked;
  }

  log = await host.openLog(config.host, config.log_level);
  const soon = new AbortController();
  const now = new AbortController();
  host.onSignal(() => {
    if (soon.signal.aborted) return now.abort(new Error("told to stop twice"));
    log("info", "the agent is told to stop", {});
    soon.abort(new Error("the agent stops"));
    machine.clock.afterIdly(GRACE_MS, () => now.abort(new Error("the agent stops")));
  });
  await runAgent({ config, version: host.version, machine, log, stop: { soon: soon.signal, now: now.signal } });
  return exit.asked;
}
