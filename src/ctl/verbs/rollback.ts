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
bars its build, and follows. A rollback that was halted goes on when it is asked for again.
If nothing was served before the deploy, it is aborted, and its build barred.

Name the build that is to be taken back, or give --deploy, to roll back only what you looked
at. If the build that the hosts would go back to is barred, this is refused.`,
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
