import { hostname } from "node:os";
import { agentCommand } from "./agent/command.ts";
import { asDeployError, type DeployError } from "./core/errors.ts";
import { runCtl } from "./ctl/run_ctl.ts";
import { exitForError, exitForSignal } from "./ctl/exit.ts";
import { doctorCommand } from "./doctor/command.ts";
import { devCommand } from "./dev/command.ts";
import { openLog } from "./host/log.ts";
import { hostMachine } from "./host/machine.ts";
import { serviceManager } from "./host/sd_notify.ts";
import { ownUserName } from "./host/user.ts";
import { packCommand } from "./pack/command.ts";
import { nearest } from "./schema/problems.ts";
import { systemClock as clock } from "./support/clock.ts";
import { version } from "./version.ts";

/*
 * argv, the environment, exit codes and signals: the only file that touches them. Everything else gets them as values.
 */

const usage = `deployd: canary and fleet deploys straight onto machines, with ZooKeeper and nothing else central

  deployd agent      follow the wish on this host                (deployd agent --help)
  deployd ctl        deploy, promote, roll back, look            (deployd ctl --help)
  deployd pack       make a build of a directory                 (deployd pack --help)
  deployd doctor     what this host can do, and what is missing  (deployd doctor --help)
  deployd dev        the whole thing on this machine, to try it  (deployd dev --help)
  deployd version    print the version

Try it: deployd dev
`;

const stop = new AbortController();
const stopListeners: (() => void)[] = [];
for (const name of ["SIGINT", "SIGTERM"] as const) {
  process.on(name, () => {
    stop.abort(name);
    for (const listener of stopListeners) listener();
  });
}

process.exitCode = await run(process.argv.slice(2));
// Open handles of a finished command (a status port that lingers, a pooled connection) must not keep it.
process.exit();

async function run(argv: readonly string[]): Promise<number> {
  const [command, ...rest] = argv;
  try {
    switch (command) {
      case "agent":
        return await agentCommand(rest, {
          env: process.env,
          version,
          hostName: hostname(),
          machine: (onTrouble) => hostMachine(clock, serviceManager(process.env, onTrouble), process.env),
          stdout: process.stdout,
          openLog,
          onSignal: (listener) => stopListeners.push(listener),
        });
      case "ctl":
        return await runCtl(rest, {
          stdout: process.stdout,
          stderr: process.stderr,
          stdoutIsTerminal: process.stdout.isTTY,
          columns: () => process.stdout.columns ?? 80,
          rows: () => process.stdout.rows ?? Number.POSITIVE_INFINITY,
          env: process.env,
          signal: stop.signal,
          clock,
          now: () => new Date(clock.now()),
          user: `${ownUserName()}@${hostname()}`,
          version,
        });
      case "pack":
        return await packCommand(rest, { clock, stdout: process.stdout, signal: stop.signal });
      case "dev":
        return await devCommand(rest, {
          stdout: process.stdout,
          stdoutIsTerminal: process.stdout.isTTY,
          clock,
          signal: stop.signal,
          onSignal: (listener) => stopListeners.push(listener),
        });
      case "doctor":
        return await doctorCommand(rest, { clock, env: process.env, stdout: process.stdout, signal: stop.signal });
      case "version":
      case "--version":
      case "-V":
        process.stdout.write(`deployd ${version}\n`);
        return 0;
      case "help":
      case "--help":
      case "-h":
        process.stdout.write(usage);
        return 0;
      case undefined:
        process.stderr.write(usage);
        return 64;
      default: {
        const near = nearest(command, ["agent", "ctl", "pack", "doctor", "dev", "version", "help"]);
        const hint = near === undefined ? "See: deployd --help" : `Did you mean "${near}"?`;
        process.stderr.write(`deployd: there is no command "${command}". ${hint}\n`);
        return 64;
      }
    }
  } catch (error) {
    if (stop.signal.aborted) return exitForSignal(stop.signal.reason);
    const told = asDeployError(error, `Cannot finish "deployd ${command ?? ""}"`);
    process.stderr.write(`deployd: ${told.explained}\n`);
    if (told.code === "internal") process.stderr.write(`${stackOf(told)}\n`);
    return exitForError(told.code);
  }
}

/** Of an error nobody foresaw; who reports it should not have to reproduce it first. */
function stackOf(error: DeployError): string {
  const { cause } = error;
  return (cause instanceof Error ? cause.stack : error.stack) ?? "";
}
