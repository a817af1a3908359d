import { join } from "node:path";
import { readPlain } from "../../src/host/read_text.ts";
import { listens } from "../../src/host/process_sockets.ts";
import type { SupervisorEffects } from "../../src/restart/effects.ts";
import { systemClock } from "../../src/support/clock.ts";
import { descendantsOf, processFact, runCommand } from "../harness/real_time.ts";

/** The real host, with logs and working directory in `dir` and programs looked for there first, and then in `path`. */
export function hostEffects(dir: string, path = "/usr/bin:/bin"): SupervisorEffects {
  return {
    clock: systemClock,
    processFact,
    readWithTime: (path) => readPlain(path, { follow: true }),
    ownPid: process.pid,
    isOfService: async () => false,
    isBegunAgain: false,
    startedHere: async () => [],
    descendants: descendantsOf,
    listens,
    supervisordConfig: null,
    kill: (pid, signal) => {
      process.kill(pid, signal);
    },
    run: (run, options) =>
      runCommand({
        run,
        cwd: dir,
        env: { PATH: `${dir}:${path}` },
        timeoutMs: options.timeoutMs,
        killAfterMs: 200,
        logFile: join(dir, "log", `${options.label}.log`),
        maxLogBytes: 100_000,
        log: "append",
        background: options.background,
        signal: options.signal,
      }),
  };
}
