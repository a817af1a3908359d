import { buildCommand } from "@stricli/core";
import { rollBack } from "../../store/change_deploy.ts";
import { serviceArgument } from "../arguments.ts";
import { changeAndFollow, changeFlags, type ChangeFlags } from "../change.ts";
import { command, description } from "../command.ts";
import { commonFlags } from "../flags.ts";

export const rollbackVerb = buildCommand({
  docs: {
    brief: "Go back to the build before the newest deploy",
    fullDescription: description(
      "Takes the hosts of the newest deploy back to the build before it, whatever state it is in,\nbars its build, and follows. A way back that was halted goes on when it is asked for again.\nExits with 0 when it is rolled back, 3 when that halted.",
      'deployd ctl rollback web --why "checkout fails"',
    ),
  },
  parameters: {
    flags: { ...changeFlags, ...commonFlags },
    positional: { kind: "tuple", parameters: [serviceArgument] },
  },
  func: command<ChangeFlags, [string]>((ctl, flags, service) =>
    changeAndFollow(ctl, service, "rollback", flags, rollBack),
  ),
});
