import { buildCommand } from "@stricli/core";
import { resumeDeploy } from "../../store/stop_and_go.ts";
import { changeAndWatch, onwardParameters, changeUsage, type OnwardFlags } from "../change.ts";
import { exit } from "../../cli/exit.ts";
import { ctlVerb, followDescription } from "../verb.ts";

export const resumeVerb = buildCommand({
  docs: {
    brief: "Let a deploy go on that was paused, or that halted",
    fullDescription: followDescription(
      {
        [exit.asked]: "done, or waiting for its promotion",
        [exit.failed]: "failed, or aborted",
        [exit.halted]: "halted or paused: a person has to decide",
      },
      `Lets the newest deploy go on where it was paused, or where it halted, and follows it. What has
failed so far no longer counts against its budget; the hosts that failed are left as they are.`,
      "deployd ctl resume web 9b1e0d4",
      'deployd ctl resume web 9b1e0d4 --why "the disk of web-07 was full" --detach',
    ),
    customUsage: changeUsage,
  },
  parameters: onwardParameters,
  func: ctlVerb<OnwardFlags, [string, string | undefined]>((ctl, flags, service, build) =>
    changeAndWatch(ctl, service, build, "wait", flags, resumeDeploy),
  ),
});
