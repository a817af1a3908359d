import type { RestartSpec } from "../../src/core/resolved_recipe.ts";
import { isDeployError } from "../../src/core/errors.ts";
import { mainPids, supervisorFor } from "../../src/restart/supervisor.ts";
import { hostEffects } from "./host_effects.ts";

/*
 * A program that does things with a supervisor, one after the other, and then ends as an agent does that is killed. It
 * prints what came of it as JSON: what was done, and the failure that ended it.
 */

export type Deed =
  "restart" | "stop" | "start" | "begin" | "abandon" | "oldPids" | "finish" | "mainPids" | "isStopped" | "revive";

export interface Done {
  readonly done: readonly { deed: Deed; pids?: number[]; is?: boolean }[];
  readonly failed: { code: string; message: string; hint: string } | null;
}

async function main(spec: RestartSpec, deeds: readonly Deed[]): Promise<Done> {
  const effects = hostEffects("/opt", "/usr/bin:/bin");
  const { signal } = new AbortController();
  const supervisor = supervisorFor(spec, effects);
  const done: { deed: Deed; pids?: number[]; is?: boolean }[] = [];
  try {
    for (const deed of deeds) {
      switch (deed) {
        case "restart":
          await supervisor.restart(signal);
          done.push({ deed });
          break;
        case "stop":
        case "start":
          await supervisor.parts?.[deed](signal);
          done.push({ deed });
          break;
        case "begin":
        case "abandon":
        case "finish":
          await supervisor.handover?.[deed](signal);
          done.push({ deed });
          break;
        case "isStopped":
          done.push({ deed, is: (await supervisor.revival?.isNeeded(signal)) ?? false });
          break;
        case "revive":
          await supervisor.revival?.start(signal);
          done.push({ deed });
          break;
        case "oldPids":
          done.push({ deed, pids: (await supervisor.handover?.oldPids(signal)) ?? [] });
          break;
        case "mainPids":
          done.push({ deed, pids: await mainPids(spec, effects, signal) });
          break;
      }
    }
    return { done, failed: null };
  } catch (error) {
    if (!isDeployError(error)) throw error;
    const { code, message, hint } = error;
    return { done, failed: { code, message, hint } };
  }
}

if (import.meta.main) {
  const [, , spec = "", ...deeds] = Bun.argv;
  console.log(JSON.stringify(await main(JSON.parse(spec) as RestartSpec, deeds as Deed[])));
}
