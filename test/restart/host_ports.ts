import { join } from "node:path";
import { readWithTime } from "../../src/host/files.ts";
import { runCommand } from "../../src/host/processes.ts";
import { processFact } from "../../src/host/scan.ts";
import type { SupervisorPorts } from "../../src/restart/ports.ts";
import { systemClock } from "../../src/support/clock.ts";

/** The real host, with logs and working directory in `dir` and programs looked for there first. */
export function hostPorts(dir: string): SupervisorPorts {
  return {
    clock: systemClock,
    processFact,
    readWithTime,
    kill: (pid, signal) => {
      process.kill(pid, signal);
    },
    run: (run, options) =>
      runCommand({
        run,
        cwd: dir,
        env: { PATH: `${dir}:/usr/bin:/bin` },
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
