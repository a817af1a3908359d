import { buildArgument, parseDeployId, serviceArgument } from "./arguments.ts";
import type { Ctl } from "./verb.ts";
import { exit, type ExitCode } from "../cli/exit.ts";
import { commonFlags, sharedFlags, type CommonFlags } from "./flags.ts";
import { changedDocument } from "./deploy_document.ts";
import { LastingConnection } from "../watch/lasting_connection.ts";
import { changeNewest, type Changing } from "./change_newest.ts";
import { watchDeploy } from "./watch_deploy.ts";

/** The arguments by which a verb that changes the newest deploy learns which deploy is meant, and why it changes. */
export interface MeantFlags extends CommonFlags {
  readonly why: string | undefined;
  readonly deploy: string | undefined;
}

export interface ChangeFlags extends MeantFlags {
  readonly detach: boolean | undefined;
  readonly timeoutS: number | undefined;
}

/** The same of a verb that takes a build to more hosts. */
export interface OnwardFlags extends ChangeFlags {
  readonly override: string | undefined;
}

const meantFlags = {
  why: sharedFlags.why,
  deploy: {
    kind: "parsed",
    parse: parseDeployId,
    brief: "Id of the deploy to change: if a newer one has started since, nothing is changed (default: the newest)",
    placeholder: "id",
    optional: true,
  },
} as const;

const meantBuild = {
  ...buildArgument,
  brief: "The build whose deploy to change: if another build was deployed since, nothing is changed",
  optional: true,
} as const;

/** The parameters of a verb that changes the newest deploy and can follow it. */
export const changeParameters = {
  flags: { ...meantFlags, detach: sharedFlags.detach, timeoutS: sharedFlags.timeoutS, ...commonFlags },
  positional: { kind: "tuple", parameters: [serviceArgument, meantBuild] },
} as const;

/** The same of a verb that takes a build to more hosts. */
export const onwardParameters = {
  flags: { ...changeParameters.flags, override: sharedFlags.override },
  positional: changeParameters.positional,
} as const;

/** The parameters of a verb after which there is nothing to follow. */
export const endParameters = {
  flags: { ...meantFlags, ...commonFlags },
  positional: changeParameters.positional,
} as const;

/** How stricli shows an optional argument, which it leaves out by itself. */
export const changeUsage = ["<service> [<build>]"];

/** Changes the newest deploy and follows it. */
export async function changeAndWatch(
  ctl: Ctl,
  service: string,
  build: string | undefined,
  purpose: "promote" | "rollback" | "wait",
  flags: ChangeFlags & Partial<OnwardFlags>,
  change: Changing,
): Promise<ExitCode> {
  await using connection = new LastingConnection(ctl.connect, ctl.signal, ctl.process.clock);
  const { id, record } = await changeNewest(ctl, connection, service, build, flags, change);
  if (flags.detach !== true) {
    const acts = record.acts.length;
    return await watchDeploy(ctl, connection, { service, id, purpose, acts, timeoutS: flags.timeoutS });
  }
  ctl.output.answer(changedDocument(service, { id, record }), [
    `Deploy ${id} of ${record.build} to ${service} is ${record.state}. Follow it with: deployd ctl wait ${service}`,
  ]);
  return exit.asked;
}
