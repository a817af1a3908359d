import { constants } from "node:os";
import { connect } from "node:net";
import { DeployError } from "../core/errors.ts";
import type { Clock } from "../support/clock.ts";
import { abortedError, throwIfAborted } from "../support/abort.ts";
import { withDeadline } from "../support/wait.ts";
import type { ToolResult, TrafficEffects } from "../traffic/effects.ts";
import { readIfThere } from "./read_text.ts";
import { signalGroup } from "./process_group.ts";
import { DEFAULT_PATH, withUsualLimits } from "./processes_env.ts";

/** The most a program may print, in bytes; the rules of a host with thousands of containers are a few megabytes. */
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

/**
 * How long output may still arrive after its program has ended, in milliseconds: a hook may have left a process that
 * keeps the pipe open.
 */
const DRAIN_MS = 200;

/** The traffic effects of this host. */
export function trafficEffects(clock: Clock): TrafficEffects {
  return {
    find: (program) => Bun.which(program, { PATH: DEFAULT_PATH }),
    tool: async (argv, { input, timeoutMs, signal }) => {
      const [name = "", ...rest] = argv;
      const program = Bun.which(name, { PATH: DEFAULT_PATH });
      if (program === null) {
        throw new DeployError(`Cannot run "${name}": there is no such program in ${DEFAULT_PATH}.`, {
          code: "traffic-failed",
          hint: "Install it, or choose another traffic back end in the agent's file.",
        });
      }
      // The output is parsed and compared, so it must not be translated.
      const env = { PATH: DEFAULT_PATH, LANG: "C", LC_ALL: "C" };
      return await run([program, ...rest], { shown: argv.join(" "), env, input, timeoutMs, signal, clock });
    },
    hook: async (line, env, { timeoutMs, signal }) =>
      await run(withUsualLimits(["/bin/sh", "-c", line]), {
        shown: line,
        env: { PATH: DEFAULT_PATH, ...env },
        input: undefined,
        timeoutMs,
        signal,
        clock,
      }),
    ask: (path, text, options) => ask(path, text, { ...options, clock }),
    read: readIfThere,
    clock,
  };
}

interface Run {
  readonly shown: string;
  readonly env: Record<string, string>;
  readonly input: string | undefined;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly clock: Clock;
}

async function run(argv: string[], { shown, env, input, timeoutMs, signal, clock }: Run): Promise<ToolResult> {
  throwIfAborted(signal, `run "${shown}"`);
  // detached: a session of its own, so that it can be killed with everything it started.
  const child = Bun.spawn(argv, {
    cwd: "/",
    env,
    stdin: input === undefined ? "ignore" : new TextEncoder().encode(input),
    stdout: "pipe",
    stderr: "pipe",
    detached: true,
  });
  const stdout = gather(child.stdout);
  const stderr = gather(child.stderr);
  try {
    await withDeadline(
      async () => await Promise.race([child.exited, stdout.tooMuch, stderr.tooMuch]),
      timeoutMs,
      signal,
      clock,
      () =>
        new DeployError(`Cannot run "${shown}": it was not done after ${timeoutMs} ms and was killed.`, {
          code: "traffic-failed",
          hint: "Run it by hand to see what it waits for, or give it more time (traffic.timeout_s in the agent's file).",
          retry: true,
        }),
    );
  } catch (error) {
    signalGroup(child.pid, "SIGKILL");
    await child.exited;
    throw error;
  } finally {
    await Promise.race([Promise.all([stdout.done, stderr.done]), clock.sleep(DRAIN_MS)]);
    stdout.close();
    stderr.close();
  }
  // The exit code that a shell would report.
  const code = child.exitCode ?? 128 + (constants.signals[child.signalCode as NodeJS.Signals] ?? 0);
  return { code, stdout: stdout.text(), stderr: stderr.text() };
}

/** The whole text of a stream, up to a limit; if it is exceeded, `tooMuch` rejects. */
function gather(stream: ReadableStream<Uint8Array>): {
  readonly done: Promise<void>;
  readonly tooMuch: Promise<never>;
  text(): string;
  close(): void;
} {
  const reader = stream.getReader();
  const chunks: Uint8Array[] = [];
  const { promise: tooMuch, reject } = Promise.withResolvers<never>();
  tooMuch.catch(() => {});
  const drain = async (): Promise<void> => {
    for (let total = 0; ;) {
      const { done, value } = await reader.read();
      if (done) return;
      total += value.length;
      if (total <= MAX_OUTPUT_BYTES) chunks.push(value);
      else {
        reject(
          new DeployError(`Cannot read a program's output: it printed more than ${MAX_OUTPUT_BYTES} bytes.`, {
            code: "traffic-failed",
          }),
        );
      }
    }
  };
  return {
    done: drain().catch(() => {}),
    tooMuch,
    text: () => new TextDecoder().decode(Buffer.concat(chunks)),
    close: () => void reader.cancel().catch(() => {}),
  };
}

async function ask(
  path: string,
  text: string,
  options: { timeoutMs: number; signal: AbortSignal; clock: Clock },
): Promise<string> {
  const { timeoutMs, signal, clock } = options;
  const socket = connect({ path });
  const chunks: Buffer[] = [];
  const answer = async (): Promise<string> => {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.once("close", () => resolve(Buffer.concat(chunks).toString("utf8")));
    socket.once("error", (error) => {
      reject(
        new DeployError(`Cannot ask the socket ${path}: ${error.message}.`, {
          code: "traffic-failed",
          hint: "Is the program behind it running, and may the agent's user open it?",
          retry: true,
          cause: error,
        }),
      );
    });
    // The socket is not half-closed after the question: some versions of HAProxy take that for a client that left.
    socket.write(text);
    return await promise;
  };
  try {
    return await withDeadline(answer, timeoutMs, signal, clock, () => {
      const seen = chunks.length === 0 ? "nothing" : "only a part";
      return new DeployError(`Cannot ask the socket ${path}: ${seen} of the answer had come after ${timeoutMs} ms.`, {
        code: "traffic-failed",
        hint: "Does the program behind it still work, and is it the one that was meant?",
        retry: true,
      });
    });
  } catch (error) {
    if (signal.aborted) throw abortedError(`ask the socket ${path}`, signal);
    throw error;
  } finally {
    socket.destroy();
  }
}
