import { buildCommand } from "@stricli/core";
import { barredOf } from "../../store/bar.ts";
import { abort } from "../../store/change_deploy.ts";
import { nextSteps } from "../../view/deploy_words.ts";
import { changeUsage, endParameters, type MeantFlags } from "../change.ts";
import { changeNewest } from "../change_newest.ts";
import { ctlDescription, ctlVerb } from "../verb.ts";
import { exit } from "../../cli/exit.ts";
import { changedDocument } from "../deploy_document.ts";
import { LastingConnection } from "../../watch/lasting_connection.ts";

export const abortVerb = buildCommand({
  docs: {
    brief: "End the newest deploy where it stands",
    fullDescription: ctlDescription(
      `Ends the newest deploy, or its way back, where it stands: no other host is restarted for it,
those that serve its build keep it, and another build can be deployed. To take the hosts
back, roll back.`,
      'deployd ctl abort web 9b1e0d4 --why "the database is in maintenance"',
    ),
    customUsage: changeUsage,
  },
  parameters: endParameters,
  func: ctlVerb<MeantFlags, [string, string | undefined]>(async (ctl, flags, service, build) => {
    await using connection = new LastingConnection(ctl.connect, ctl.signal, ctl.process.clock);
    const { id, record } = await changeNewest(ctl, connection, service, build, flags, abort);
    ctl.output.answer(changedDocument(service, { id, record }), [
      `Deploy ${id} of ${record.build} to ${service} is aborted: no other host is restarted for it.`,
      ...nextSteps({ service, record, barred: await barredOf(await connection.client(), service, record) }),
    ]);
    return exit.asked;
  }),
});
