import { buildCommand } from "@stricli/core";
import { barredOf } from "../../store/bar.ts";
import { pauseDeploy } from "../../store/stop_and_go.ts";
import { nextSteps } from "../../view/deploy_words.ts";
import { changeUsage, endParameters, type MeantFlags } from "../change.ts";
import { changeNewest } from "../change_newest.ts";
import { ctlDescription, ctlVerb } from "../verb.ts";
import { exit } from "../../cli/exit.ts";
import { changedDocument } from "../deploy_document.ts";
import { LastingConnection } from "../../watch/lasting_connection.ts";

export const pauseVerb = buildCommand({
  docs: {
    brief: "Stop the newest deploy where it is, until it is resumed",
    fullDescription: ctlDescription(
      `Stops the newest deploy, or its way back, where it is: a host that has begun comes through, no
other begins. It goes on with resume.`,
      "deployd ctl pause web",
      'deployd ctl pause web 9b1e0d4 --why "looking at the error rate"',
    ),
    customUsage: changeUsage,
  },
  parameters: endParameters,
  func: ctlVerb<MeantFlags, [string, string | undefined]>(async (ctl, flags, service, build) => {
    await using connection = new LastingConnection(ctl.connect, ctl.signal, ctl.process.clock);
    const { id, record } = await changeNewest(ctl, connection, service, build, flags, pauseDeploy);
    ctl.output.answer(changedDocument(service, { id, record }), [
      `Deploy ${id} of ${record.build} to ${service} is paused: no other host begins.`,
      ...nextSteps({ service, record, barred: await barredOf(await connection.client(), service, record) }),
    ]);
    return exit.asked;
  }),
});
