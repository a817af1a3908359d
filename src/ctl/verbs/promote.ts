import { buildCommand } from "@stricli/core";
import { promote } from "../../store/change_deploy.ts";
import { changeAndWatch, onwardParameters, changeUsage, type OnwardFlags } from "../change.ts";
import { exit } from "../../cli/exit.ts";
import { ctlVerb, followDescription } from "../verb.ts";

export const promoteVerb = buildCommand({
  docs: {
    brief: "Take a deploy from the canary hosts to the fleet",
    fullDescription: followDescription(
      { [exit.asked]: "every reachable host serves the build", [exit.failed]: "failed, or aborted" },
      `Takes the newest deploy, which every canary host serves, to the whole fleet, and follows it.
Name the build, or give --deploy, to promote only what you looked at: if somebody has deployed
another build since, this is refused. A barred build is refused too.`,
      "deployd ctl promote web 9b1e0d4",
      'deployd ctl promote web 9b1e0d4 --why "error rate is flat" --detach',
    ),
    customUsage: changeUsage,
  },
  parameters: onwardParameters,
  func: ctlVerb<OnwardFlags, [string, string | undefined]>((ctl, flags, service, build) =>
    changeAndWatch(ctl, service, build, "promote", flags, promote),
  ),
});
