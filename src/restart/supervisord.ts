import { DeployError } from "../core/errors.ts";
import type { RestartSpec } from "../core/resolved_recipe.ts";
import type { Supervisor, SupervisorEffects } from "./effects.ts";
import { ASK_TIMEOUT_MS, runOperation } from "./run.ts";
import { untilSteady } from "./steady.ts";

/**
 * The usual paths of supervisord's configuration, if the host does not name it. supervisorctl always gets it by -c,
 * because it would otherwise look in the working directory first: that is the build's, and the file may name code that
 * supervisorctl runs as root.
 */
const CONFIGS = ["/etc/supervisor/supervisord.conf", "/etc/supervisord.conf"] as const;

/**
 * What the last line says on success. The exit status does not tell: supervisorctl exits with 0 after some failures, and
 * not always with 0 if nothing had to be done (stopping what is stopped).
 */
const WELL = {
  restart: /: started$/,
  stop: /: stopped$| ERROR \(not running\)$/,
  start: /: started$| ERROR \(already started\)$/,
} as const;

/** `web   STOPPED   Not started`. */
const STATE = /^\S+\s+(STOPPED|STARTING|RUNNING|BACKOFF|STOPPING|EXITED|FATAL|UNKNOWN)\b/m;

/** A program of supervisord, named `web` or, in a group of its own, `web:web_1`. */
export function supervisordSupervisor(
  spec: Extract<RestartSpec, { by: "supervisord" }>,
  effects: SupervisorEffects,
): Supervisor {
  const { program, timeoutMs } = spec;
  const hint =
    `See: supervisorctl status ${program}; supervisorctl tail ${program} stderr. One of several processes is named ` +
    "as in web:web_1.";

  const ctl = async (
    words: readonly string[],
    operation: {
      what: string;
      timeoutMs: number;
      asks?: true;
      judge: (code: number, said: string) => "done" | "failed";
    },
    signal: AbortSignal,
  ): Promise<string> => {
    const run = ["supervisorctl", "-c", await configOf(effects), ...words];
    return await runOperation(
      { run, background: "kill", as: "agent", hint, debianPackage: "supervisor", signal, ...operation },
      effects,
    );
  };

  const operate = async (verb: "restart" | "stop" | "start", signal: AbortSignal): Promise<void> => {
    // supervisorctl takes "all" for every program of the host.
    if (program === "all") {
      throw new DeployError('Cannot restart the program "all": supervisorctl takes that for every program.', {
        code: "restart-failed",
        hint: "Give the program another name.",
      });
    }
    const judge = (_: number, said: string): "done" | "failed" => (WELL[verb].test(said.trim()) ? "done" : "failed");
    await ctl([verb, program], { what: `${verb} ${program}`, timeoutMs, judge }, signal);
    if (verb !== "stop") await untilSteady({ what: `${verb} ${program}`, hint, pid }, effects, signal);
  };

  const pid = async (signal: AbortSignal): Promise<number | null> => {
    // It prints 0 if the program does not run; later versions also exit with an error then.
    const judge = (_: number, said: string): "done" | "failed" => (/^\d+$/m.test(said) ? "done" : "failed");
    const what = `ask supervisord for ${program}`;
    const said = await ctl(["pid", program], { what, timeoutMs: ASK_TIMEOUT_MS, asks: true, judge }, signal);
    const found = Number(/^\d+$/m.exec(said)?.[0]);
    return found > 0 ? found : null;
  };

  return {
    restart: (signal) => operate("restart", signal),
    parts: { stop: (signal) => operate("stop", signal), start: (signal) => operate("start", signal) },
    handover: null,
    revival: {
      isNeeded: async (signal) => {
        // Some versions exit with an error for every program that does not run.
        const judge = (_: number, said: string): "done" | "failed" => (STATE.test(said) ? "done" : "failed");
        const what = `ask supervisord for ${program}`;
        const said = await ctl(["status", program], { what, timeoutMs: ASK_TIMEOUT_MS, asks: true, judge }, signal);
        return /^(?:STOPPED|EXITED|FATAL)$/.test(STATE.exec(said)?.[1] ?? "");
      },
      start: (signal) => operate("start", signal),
    },
    mainPids: async (signal) => {
      const found = await pid(signal);
      return found === null ? [] : [found];
    },
  };
}

async function configOf(effects: SupervisorEffects): Promise<string> {
  if (effects.supervisordConfig !== null) return effects.supervisordConfig;
  for (const path of CONFIGS) if ((await effects.readWithTime(path)) !== null) return path;
  throw new DeployError(`Cannot ask supervisord: there is no ${CONFIGS.join(" and no ")}.`, {
    code: "restart-failed",
    hint:
      "Install it (Debian: apt-get install supervisor), or name its file in services.<service>.supervisord_config of the " +
      "agent's file.",
  });
}
