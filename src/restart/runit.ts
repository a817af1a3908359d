import { DeployError } from "../core/errors.ts";
import type { RestartSpec } from "../core/resolved_recipe.ts";
import { untilByPauses } from "../support/wait.ts";
import type { Supervisor, SupervisorEffects } from "./effects.ts";
import { ASK_TIMEOUT_MS, runOperation, TOOL_SLACK_MS } from "./run.ts";
import { untilSteady } from "./steady.ts";

const POLL_MS = 200;

/** A service under runsv, controlled by sv(8). sv runs a `./check` in the service's directory to tell when it is ready. */
export function runitSupervisor(spec: Extract<RestartSpec, { by: "runit" }>, effects: SupervisorEffects): Supervisor {
  const { service, timeoutMs } = spec;
  const hint =
    `See: sv status ${service}. runsv must watch that directory (runsvdir watches those linked in /etc/service), ` +
    "and the service must end at TERM.";

  // `service` is an absolute path, as the recipe requires: sv looks for any other name in /etc/service.
  const sv = async (verb: "up" | "down" | "restart", signal: AbortSignal): Promise<void> => {
    await runOperation(
      {
        run: ["sv", "-w", String(Math.ceil(timeoutMs / 1000)), verb, service],
        background: "kill",
        as: "agent",
        timeoutMs: timeoutMs + TOOL_SLACK_MS,
        what: `${WORDS[verb]} ${service}`,
        hint,
        debianPackage: "runit",
        // A service that ends at once is soon down again, and sv waits for it to come up until its timeout.
        judge: (code, text) => (code === 0 ? "done" : /^timeout: run: /m.test(text) ? "timed-out" : "failed"),
        signal,
      },
      effects,
    );
  };

  const status = (signal: AbortSignal): Promise<string> =>
    runOperation(
      {
        run: ["sv", "status", service],
        background: "kill",
        as: "agent",
        timeoutMs: ASK_TIMEOUT_MS,
        what: `ask runsv for ${service}`,
        hint,
        debianPackage: "runit",
        asks: true,
        signal,
      },
      effects,
    );

  const pid = async (signal: AbortSignal): Promise<number | null> => pidIn(await status(signal), service);

  const steady = async (what: string, signal: AbortSignal): Promise<void> => {
    await untilSteady({ what: `${what} ${service}`, hint, pid }, effects, signal);
  };

  /**
   * sv recognizes a restart by its start time in seconds, so it takes an old process started in the same second for the
   * new one.
   */
  const untilReplaced = async (old: number, signal: AbortSignal): Promise<void> => {
    const isReplaced = (now: number | null): boolean => now !== null && now !== old;
    const when = { everyMs: POLL_MS, withinMs: timeoutMs };
    const now = await untilByPauses(() => pid(signal), isReplaced, when, effects.clock, signal);
    if (isReplaced(now)) return;
    throw new DeployError(
      `Cannot restart ${service}: after ${timeoutMs} ms process ${old} ${now === old ? "still ran" : "had no successor"}.`,
      { code: now === old ? "restart-timeout" : "restart-failed", hint },
    );
  };

  const start = async (signal: AbortSignal): Promise<void> => {
    await sv("up", signal);
    await steady("start", signal);
  };

  return {
    restart: async (signal) => {
      const old = await pid(signal);
      await sv("restart", signal);
      if (old !== null) await untilReplaced(old, signal);
      await steady("restart", signal);
    },
    parts: {
      stop: (signal) => sv("down", signal),
      start,
    },
    handover: null,
    revival: {
      // With a file "down" in its directory, runsv leaves the service down after a boot; otherwise it starts it.
      isNeeded: async (signal) => /^down: (?![^;]*want up)/m.test(await status(signal)),
      start,
    },
    mainPids: async (signal) => {
      const found = await pid(signal);
      return found === null ? [] : [found];
    },
  };
}

const WORDS = { up: "start", down: "stop", restart: "restart" } as const;

/**
 * Parses `run: /etc/service/web: (pid 4711) 5s; run: log: (pid 4710) 9s`, or `down: …`, or `finish: …`, whose process is
 * the cleanup script.
 */
function pidIn(shown: string, service: string): number | null {
  const [, state, rest = ""] = /^(run|down|finish): ([^;]*)/m.exec(shown) ?? [];
  if (state === undefined) {
    throw new DeployError(`Cannot ask runsv for ${service}: sv says "${shown.trim()}".`, { code: "restart-failed" });
  }
  const pid = /: \(pid (\d+)\)/.exec(rest)?.[1];
  return state === "run" && pid !== undefined ? Number(pid) : null;
}
