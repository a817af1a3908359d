import { buildCommand } from "@stricli/core";
import { promote } from "../../store/change_deploy.ts";
import { changeAndWatch, changeParameters, changeUsage, type ChangeFlags } from "../change.ts";
import { command, description } from "../verb.ts";

export const promoteVerb = buildCommand({
  docs: {
    brief: "Take a deploy from the canary hosts to the fleet",
    fullDescription: description(
      `Takes the newest deploy, which every canary host serves, to the whole fleet, and follows it.
With the build, or with --deploy, nothing else is promoted than what was looked at: where
somebody has deployed another build since, this is refused. So is a build that was barred.
Exits like deploy.`,
      "deployd ctl promote web 9b1e0d4",
      'deployd ctl promote web 9b1e0d4 --why "error rate is flat" --detach',
    ),
    customUsage: changeUsage,
  },
  parameters: changeParameters,
  func: command<ChangeFlags, [string, string | undefined]>((ctl, flags, service, build) =>
    changeAndWatch(ctl, service, build, "promote", flags, promote),
  ),
});
