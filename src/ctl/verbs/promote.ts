import { buildCommand } from "@stricli/core";
import { promote } from "../../store/change_deploy.ts";
import { serviceArgument } from "../arguments.ts";
import { changeAndFollow, changeFlags, type ChangeFlags } from "../change.ts";
import { command, description } from "../command.ts";
import { commonFlags } from "../flags.ts";

export const promoteVerb = buildCommand({
  docs: {
    brief: "Take a deploy from the canary hosts to the fleet",
    fullDescription: description(
      "Takes the newest deploy, which every canary host serves, to the whole fleet, and follows it.\nExits like deploy.",
      "deployd ctl promote web",
      'deployd ctl promote web --why "error rate is flat" --detach',
    ),
  },
  parameters: {
    flags: { ...changeFlags, ...commonFlags },
    positional: { kind: "tuple", parameters: [serviceArgument] },
  },
  func: command<ChangeFlags, [string]>((ctl, flags, service) =>
    changeAndFollow(ctl, service, "promote", flags, promote),
  ),
});
