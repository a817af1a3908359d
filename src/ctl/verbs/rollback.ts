import { buildCommand } from "@stricli/core";
import { rollBack } from "../../store/roll_back.ts";
import { changeAndWatch, changeParameters, changeUsage, type ChangeFlags } from "../change.ts";
import { command, description } from "../verb.ts";

export const rollbackVerb = buildCommand({
  docs: {
    brief: "Go back to the build before the newest deploy",
    fullDescription: description(
      `Takes the hosts of the newest deploy back to the build before it, whatever state it is in,
bars its build, and follows. A way back that was halted goes on when it is asked for again.
A deploy before which nothing was served is aborted, and its build barred.

With the build that is to be taken back, or with --deploy, nothing else is rolled back than
what was looked at. Exits with 0 when it is rolled back, 3 when that halted, 75 when the
build that it leads to is barred.`,
      'deployd ctl rollback web 9b1e0d4 --why "checkout fails"',
    ),
    customUsage: changeUsage,
  },
  parameters: changeParameters,
  func: command<ChangeFlags, [string, string | undefined]>((ctl, flags, service, build) =>
    changeAndWatch(ctl, service, build, "rollback", flags, rollBack),
  ),
});
