import { DeployError } from "../core/errors.ts";
import type { RestartSpec } from "../core/resolved_recipe.ts";
import type { Supervisor, SupervisorEffects } from "./effects.ts";
import { ASK_TIMEOUT_MS, runOperation, TOOL_SLACK_MS } from "./run.ts";
import { untilSteady } from "./steady.ts";

/** The exit code of s6-svc if what it waited for did not happen in time (s6-svlisten1, exit codes). */
const TIMED_OUT = 99;

/** A service under s6-supervise. With a `notification-fd`, it counts as started once it has reported that it is ready. */
export function s6Supervisor(spec: Extract<RestartSpec, { by: "s6" }>, effects: SupervisorEffects): Supervisor {
  const { service, timeoutMs } = spec;
  const hint =
    `See: s6-svstat ${service}. s6-supervise must watch that directory (s6-svscan watches those linked in its scan ` +
    "directory), and the service must end at its down-signal (TERM).";

  const svc = async (what: string, options: readonly string[], signal: AbortSignal): Promise<void> => {
    await runOperation(
      {
        run: ["s6-svc", ...options, "-T", String(timeoutMs), service],
        background: "kill",
        as: "agent",
        timeoutMs: timeoutMs + TOOL_SLACK_MS,
        what: `${what} ${service}`,
        hint,
        debianPackage: "s6",
        judge: (code) => (code === 0 ? "done" : code === TIMED_OUT ? "timed-out" : "failed"),
        signal,
      },
      effects,
    );
  };

  const asked = (field: string, signal: AbortSignal): Promise<string> =>
    runOperation(
      {
        run: ["s6-svstat", "-o", field, service],
        background: "kill",
        as: "agent",
        timeoutMs: ASK_TIMEOUT_MS,
        what: `ask s6-supervise for ${service}`,
        hint,
        debianPackage: "s6",
        asks: true,
        signal,
      },
      effects,
    );

  const pid = async (signal: AbortSignal): Promise<number | null> => {
    const shown = await asked("pid", signal);
    // -1 means that it is down.
    const found = /^-?\d+$/m.exec(shown)?.[0];
    if (found === undefined) {
      throw new DeployError(`Cannot ask s6-supervise for ${service}: s6-svstat says "${shown.trim()}".`, {
        code: "restart-failed",
      });
    }
    return Number(found) > 0 ? Number(found) : null;
  };

  const steady = async (what: string, signal: AbortSignal): Promise<void> => {
    await untilSteady({ what: `${what} ${service}`, hint, pid }, effects, signal);
  };

  const start = async (signal: AbortSignal): Promise<void> => {
    await svc("start", ["-wU", "-u"], signal);
    await steady("start", signal);
  };

  return {
    restart: async (signal) => {
      // -r has no effect on a service that is down, and -u none on one that is up. Without a notification-fd, -wR waits
      // only for it to be up.
      await svc("restart", ["-wR", "-ru"], signal);
      await steady("restart", signal);
    },
    parts: {
      // -wD instead of -wd: it also waits for ./finish, so that nothing of the old process is left when the next one
      // starts.
      stop: (signal) => svc("stop", ["-wD", "-d"], signal),
      start,
    },
    handover: null,
    revival: {
      // With a file "down" in its directory, s6-supervise leaves the service down after a boot; otherwise it starts it.
      isNeeded: async (signal) => (await pid(signal)) === null && (await asked("wantedup", signal)).trim() === "false",
      start,
    },
    mainPids: async (signal) => {
      const found = await pid(signal);
      return found === null ? [] : [found];
    },
  };
}
