import { buildCommand } from "@stricli/core";
import { rollBack } from "../../store/roll_back.ts";
import { changeAndWatch, changeParameters, changeUsage, type ChangeFlags } from "../change.ts";
import { exit } from "../../cli/exit.ts";
import { description } from "../../cli/help.ts";
import { ctlExits, ctlVerb } from "../verb.ts";

export const rollbackVerb = buildCommand({
  docs: {
    brief: "Go back to the build before the newest deploy",
    fullDescription: description({
      what: `Takes the hosts of the newest deploy back to the build before it, whatever state it is in,
bars its build, and follows. A way back that was halted goes on when it is asked for again.
A deploy before which nothing was served is aborted, and its build barred.

With the build that is to be taken back, or with --deploy, nothing else is rolled back than
what was looked at. Where the build that it leads to is barred, this is refused.`,
      examples: ['deployd ctl rollback web 9b1e0d4 --why "checkout fails"'],
      exits: {
        ...ctlExits,
        [exit.asked]: "rolled back",
        [exit.halted]: "the way back halted: a person has to decide",
        [exit.timedOut]: true,
      },
    }),
    customUsage: changeUsage,
  },
  parameters: changeParameters,
  func: ctlVerb<ChangeFlags, [string, string | undefined]>((ctl, flags, service, build) =>
    changeAndWatch(ctl, service, build, "rollback", flags, rollBack),
  ),
});
