import { buildCommand } from "@stricli/core";
import { retryDeploy } from "../../store/stop_and_go.ts";
import { changeAndWatch, onwardParameters, changeUsage, type OnwardFlags } from "../change.ts";
import { exit } from "../../cli/exit.ts";
import { ctlVerb, followDescription } from "../verb.ts";

export const retryVerb = buildCommand({
  docs: {
    brief: "Have the hosts that failed try the newest deploy once more",
    fullDescription: followDescription(
      {
        [exit.asked]: "done, or waiting for its promotion",
        [exit.failed]: "failed, or aborted",
        [exit.halted]: "halted or paused: a person has to decide",
      },
      `Has the hosts that failed under the newest deploy try it once more, and follows it. What has
failed so far no longer counts against its budget. A deploy that was paused or halted goes on.`,
      "deployd ctl retry web 9b1e0d4",
      'deployd ctl retry web --why "the mirror is back" --detach',
    ),
    customUsage: changeUsage,
  },
  parameters: onwardParameters,
  func: ctlVerb<OnwardFlags, [string, string | undefined]>((ctl, flags, service, build) =>
    changeAndWatch(ctl, service, build, "wait", flags, retryDeploy),
  ),
});
