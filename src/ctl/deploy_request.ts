import { newDeployId } from "../core/deploy_id.ts";
import { canariesFirst } from "../core/stages.ts";
import type { Stage } from "../schema/stages.ts";
import type { DeployRequest } from "../store/start_deploy.ts";
import { isGiven } from "../cli/flags.ts";
import { parseDeployId } from "./arguments.ts";
import { commonFlags, limitFlags, limitsIn, sharedFlags, type CommonFlags, type LimitFlags } from "./flags.ts";
import type { Ctl } from "./verb.ts";

/** The flags by which a deploy is described, to be started or to be planned. */
export interface DeployFlags extends CommonFlags, LimitFlags {
  readonly canary: boolean | undefined;
  readonly urgent: boolean | undefined;
  readonly override: string | undefined;
  readonly why: string | undefined;
  readonly detach: boolean | undefined;
  readonly timeoutS: number | undefined;
  readonly id: string | undefined;
}

export const deployFlags = {
  canary: isGiven("To the canary hosts first; the fleet follows when it is promoted"),
  urgent: isGiven("It ends the deploy that is under way, if there is one, and takes its place"),
  override: sharedFlags.override,
  why: sharedFlags.why,
  ...limitFlags,
  detach: sharedFlags.detach,
  timeoutS: sharedFlags.timeoutS,
  id: {
    kind: "parsed",
    parse: parseDeployId,
    brief: "Id of the deploy: repeating the command under the same id starts nothing twice (default: a new one)",
    placeholder: "id",
    optional: true,
  },
  ...commonFlags,
} as const;

/** The deploy that was asked for. */
export function deployRequest({ process }: Ctl, flags: DeployFlags, service: string, build: string): DeployRequest {
  const now = process.now();
  return {
    id: flags.id ?? newDeployId(now, process.clock.random),
    service,
    build,
    stages: flags.canary === true ? withCanaries(flags.stages) : flags.stages,
    onHalt: flags.onHalt,
    who: process.user,
    why: flags.why ?? "",
    urgent: flags.urgent,
    override: flags.override,
    limits: limitsIn(flags),
    now,
  };
}

/** Canary hosts first, whatever comes after them. */
function withCanaries(stages: readonly Stage[] | undefined): readonly Stage[] {
  if (stages === undefined) return canariesFirst;
  return stages[0]?.hosts === "canary" ? stages : [...canariesFirst.slice(0, 1), ...stages];
}
