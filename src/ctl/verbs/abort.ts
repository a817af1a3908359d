import { buildCommand } from "@stricli/core";
import { barredOf } from "../../store/bar.ts";
import { abort } from "../../store/change_deploy.ts";
import { changeNewest, changeUsage, endParameters, type MeantFlags } from "../change.ts";
import { command, description } from "../command.ts";
import { nextSteps } from "../deploy_text.ts";
import { exit } from "../exit.ts";
import { Link } from "../link.ts";

export const abortVerb = buildCommand({
  docs: {
    brief: "End the newest deploy where it stands",
    fullDescription: description(
      `Ends the newest deploy, or its way back, where it stands: no other host is restarted for it,
those that serve its build keep it, and another build can be deployed. To take the hosts
back, roll back.`,
      'deployd ctl abort web 9b1e0d4 --why "the database is in maintenance"',
    ),
    customUsage: changeUsage,
  },
  parameters: endParameters,
  func: command<MeantFlags, [string, string | undefined]>(async (ctl, flags, service, build) => {
    await using link = new Link(ctl.connect, ctl.signal, ctl.process.clock);
    const { id, record } = await changeNewest(ctl, link, service, build, flags, abort);
    const document = { schema: "deployd.ctl.deploy/1", service, deploy: id, build: record.build, state: record.state };
    ctl.output.answer(document, [
      `Deploy ${id} of ${record.build} to ${service} is aborted: no other host is restarted for it.`,
      ...nextSteps({ service, record, barred: await barredOf(await link.client(), service, record) }),
    ]);
    return exit.asked;
  }),
});
