import { hostname } from "node:os";
import { isatty } from "node:tty";
import { agentCommand } from "./agent/start.ts";
import { asDeployError, type DeployError } from "./core/errors.ts";
import { runCtl } from "./ctl/group.ts";
import { exit, exitForError, exitForSignal, type CalledOff } from "./cli/exit.ts";
import { doctorCommand } from "./doctor/examine.ts";
import { devCommand } from "./dev/try_out.ts";
import { helpPage, topics } from "./help/pages.ts";
import { openLog } from "./host/log.ts";
import { hostMachine } from "./host/machine.ts";
import { serviceManager } from "./host/sd_notify.ts";
import { StandardStream } from "./host/standard_stream.ts";
import { ownUserName } from "./host/user.ts";
import { packCommand } from "./pack/build.ts";
import { nearest } from "./schema/problems.ts";
import { escaped } from "./support/printable.ts";
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
  deployd help PAGE  a page of the manual: ${topics.join(", ")}

Try it: deployd dev
`;

/** How long what is written already may still take once the command was told to stop. */
const LAST_WORDS_MS = 500;

const stop = new AbortController();
const callOff = (why: CalledOff): void => stop.abort(why);
const stopListeners: (() => void)[] = [];
for (const name of ["SIGINT", "SIGTERM"] as const) {
  process.on(name, () => {
    callOff(name);
    for (const listener of stopListeners) listener();
  });
}

// What is written nowhere is lost for every command alike, so it is dealt with here, and in no verb.
const stdout = new StandardStream(1, clock, ({ readerGone }) => callOff(readerGone ? "SIGPIPE" : "output lost"));
const stderrStream = new StandardStream(2, clock);
const stderr = {
  // SIGPIPE would have ended it: it says nothing more.
  write: (text: string): void => void (stdout.trouble?.readerGone === true || stderrStream.write(text)),
};
const stdoutIsTerminal = isatty(1);

process.exitCode = await ended(await run(process.argv.slice(2)));
// Open handles of a finished command (a status port that lingers, a pooled connection) must not keep it.
process.exit();

/** The exit code, when all that the command has said is written, or cannot be. */
async function ended(code: number): Promise<number> {
  const all = await written(stdout);
  const { trouble } = stdout;
  if (trouble !== null && !trouble.readerGone) stderr.write(`deployd: Cannot write to stdout: ${trouble.text}.\n`);
  await written(stderrStream);
  if (trouble?.readerGone === true) return exit.unread;
  if (trouble !== null) return code === exit.asked ? exit.failed : code;
  return all ? code : exitForSignal(stop.signal.reason);
}

/** False where a command was told to stop and its reader takes nothing: that must not hold it up. */
async function written(stream: StandardStream): Promise<boolean> {
  const { promise: over, resolve } = Promise.withResolvers<boolean>();
  const give = (): void => void clock.afterIdly(LAST_WORDS_MS, () => resolve(false));
  if (stop.signal.aborted) give();
  else stop.signal.addEventListener("abort", give, { once: true });
  return Promise.race([stream.flushed().then(() => true), over]);
}

async function run(argv: readonly string[]): Promise<number> {
  const [command, ...rest] = argv;
  try {
    switch (command) {
      case "agent":
        // What the agent makes is read by services of other users, and its commands inherit this.
        process.umask(0o022);
        return await agentCommand(rest, {
          env: process.env,
          version,
          hostName: hostname(),
          machine: (onTrouble) => hostMachine(clock, serviceManager(process.env, onTrouble), process.env),
          stdout,
          openLog,
          onSignal: (listener) => stopListeners.push(listener),
        });
      case "ctl":
        return await runCtl(rest, {
          stdout,
          stderr,
          stdoutIsTerminal,
          // A serial line, or a terminal that is made by a program, may say 0 of itself: it does not know.
          columns: () => process.stdout.columns || 80,
          rows: () => process.stdout.rows || Number.POSITIVE_INFINITY,
          env: process.env,
          signal: stop.signal,
          clock,
          now: () => new Date(clock.now()),
          user: `${ownUserName()}@${hostname()}`,
          version,
        });
      case "pack":
        return await packCommand(rest, { clock, stdout, signal: stop.signal });
      case "dev":
        return await devCommand(rest, {
          stdout,
          stdoutIsTerminal,
          clock,
          signal: stop.signal,
          onSignal: (listener) => stopListeners.push(listener),
        });
      case "doctor":
        return await doctorCommand(rest, { clock, env: process.env, stdout, signal: stop.signal });
      case "version":
      case "--version":
      case "-V":
        stdout.write(`deployd ${version}\n`);
        return 0;
      case "help":
        return help(rest[0]);
      case "--help":
      case "-h":
        stdout.write(usage);
        return 0;
      case undefined:
        stderr.write(usage);
        return 64;
      default: {
        const near = nearest(command, ["agent", "ctl", "pack", "doctor", "dev", "version", "help"]);
        const hint = near === undefined ? "See: deployd --help" : `Did you mean "${near}"?`;
        stderr.write(`deployd: there is no command "${escaped(command)}". ${hint}\n`);
        return 64;
      }
    }
  } catch (error) {
    if (stop.signal.aborted) return exitForSignal(stop.signal.reason);
    const told = asDeployError(error, `Cannot finish "deployd ${command ?? ""}"`);
    stderr.write(`deployd: ${escaped(told.explained)}\n`);
    if (told.code === "internal") stderr.write(`${stackOf(told)}\n`);
    return exitForError(told.code);
  }
}

function help(topic: string | undefined): number {
  const found = topic === undefined ? { page: usage } : helpPage(topic);
  if ("page" in found) {
    stdout.write(found.page);
    return exit.asked;
  }
  stderr.write(`deployd: ${escaped(found.problem)}\n`);
  return exit.usage;
}

/** Of an error nobody foresaw; who reports it should not have to reproduce it first. */
function stackOf(error: DeployError): string {
  const { cause } = error;
  return (cause instanceof Error ? cause.stack : error.stack) ?? "";
}
