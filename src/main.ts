import { hostname } from "node:os";
import { isatty } from "node:tty";
import { exit, exitForSignal, type CalledOff } from "./cli/exit.ts";
import { runVerb } from "./cli/run.ts";
import type { Terminal } from "./support/terminal.ts";
import { StandardStream } from "./host/standard_stream.ts";
import { terminalOf } from "./host/terminal.ts";
import { ownUserName } from "./host/users.ts";
import { systemClock as clock } from "./support/clock.ts";
import { verbsFor, type AnyProcess } from "./verbs.ts";
import { version } from "./version.ts";

/*
 * This is the only file that touches argv, the environment, exit codes and signals. All other code gets them as values.
 */

/** How long a command that was told to stop may still take to write its pending output, in milliseconds. */
const LAST_WORDS_MS = 500;

const stop = new AbortController();
const callOff = (why: CalledOff): void => stop.abort(why);
const stopListeners: (() => void)[] = [];
let isSignalled = false;
for (const name of ["SIGINT", "SIGTERM"] as const) {
  process.on(name, () => {
    isSignalled = true;
    callOff(name);
    for (const listener of stopListeners) listener();
  });
}

// A lost output affects every command alike, so it is handled here and not in the verbs.
const stdout = new StandardStream(1, clock, ({ readerGone }) => callOff(readerGone ? "SIGPIPE" : "output lost"));
const stderrStream = new StandardStream(2, clock);
const stderr = {
  // Without a reader of stdout, SIGPIPE would have ended the process: nothing more is written.
  write: (text: string): void => void (stdout.trouble?.readerGone === true || stderrStream.write(text)),
};

const argv = process.argv.slice(2);
process.exitCode = await ended(await runVerb(await verbsFor(argv), argv, handedIn()));
// Open handles of a finished command (a status port that lingers, a pooled connection) must not keep the process alive.
process.exit();

/** Resolves with the exit code once all output is written, or cannot be. */
async function ended(code: number): Promise<number> {
  const all = await written(stdout);
  const { trouble } = stdout;
  if (trouble !== null && !trouble.readerGone) stderr.write(`deployd: Cannot write to stdout: ${trouble.text}.\n`);
  await written(stderrStream);
  if (trouble?.readerGone === true) return exit.unread;
  if (trouble !== null) return code === exit.asked ? exit.failed : code;
  return all ? code : exitForSignal(stop.signal.reason);
}

/** False if the command was told to stop and the reader takes no output: that must not delay the exit. */
async function written(stream: StandardStream): Promise<boolean> {
  const { promise: over, resolve } = Promise.withResolvers<boolean>();
  const give = (): void => void clock.afterIdly(LAST_WORDS_MS, () => resolve(false));
  if (stop.signal.aborted) give();
  else stop.signal.addEventListener("abort", give, { once: true });
  return Promise.race([stream.flushed().then(() => true), over]);
}

function hungUp(): void {
  callOff("SIGHUP");
}

/** A screen and a keyboard, where there are both. */
function terminal(): Terminal | null {
  if (!isatty(0) || !isatty(1) || process.env["TERM"] === "dumb") return null;
  const own = terminalOf({
    // Not before it is read from: to look at it is to open it.
    get stdin() {
      return process.stdin;
    },
    columns: () => process.stdout.columns || 80,
    rows: () => process.stdout.rows || 24,
    onSignal: (name, listener) => {
      process.on(name, listener);
      return () => void process.off(name, listener);
    },
    // Not before the screen is left, and not by SIGTSTP, which is listened to.
    interruptItself: () => process.kill(process.pid, "SIGINT"),
    stopItself: () => void written(stdout).then(() => process.kill(process.pid, "SIGSTOP")),
  });
  return {
    size: own.size,
    isOurs: own.isOurs,
    open: (events) => {
      // Only now: a command that runs on without its terminal, as under nohup, must not be told that it has gone.
      if (!process.listeners("SIGHUP").includes(hungUp)) process.on("SIGHUP", hungUp);
      return own.open(events);
    },
  };
}

/** What the verbs get of this process. */
function handedIn(): AnyProcess {
  return {
    stdout,
    stderr,
    stdoutIsTerminal: isatty(1),
    // A serial line, or a pseudoterminal made by a program, may report a width of 0, which means unknown.
    columns: () => process.stdout.columns || 80,
    rows: () => process.stdout.rows || Number.POSITIVE_INFINITY,
    terminal: terminal(),
    serve: async (answer, listen) => {
      const { serve } = await import("./host/serve.ts");
      return serve(answer, listen, clock, {
        what: "the page's port",
        hint: "Give a free address of this machine, as in --listen 127.0.0.1:8080.",
      });
    },
    env: process.env,
    signal: stop.signal,
    onSignal: (listener) => {
      stopListeners.push(listener);
      // A signal that came while the verb was being loaded would otherwise be lost.
      if (isSignalled) listener();
    },
    clock,
    now: () => new Date(clock.now()),
    hostName: hostname(),
    get user() {
      return `${ownUserName()}@${hostname()}`;
    },
    version,
    machine: async (onTrouble) => {
      // Services of other users read the files that the agent makes; its commands inherit this umask.
      process.umask(0o022);
      const [{ hostMachine }, { serviceManager }] = await Promise.all([
        import("./host/machine.ts"),
        import("./host/sd_notify.ts"),
      ]);
      return hostMachine(clock, serviceManager(process.env, onTrouble), process.env);
    },
    openLog: async (host, level) => (await import("./host/log.ts")).openLog(host, level),
  };
}
