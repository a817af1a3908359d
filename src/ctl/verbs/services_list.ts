import { buildCommand } from "@stricli/core";
import { amountText } from "../../core/limits.ts";
import { readAllSettings } from "../../store/services.ts";
import { oneLine } from "../../view/words.ts";
import { ctlDescription, ctlVerb } from "../verb.ts";
import { exit } from "../../cli/exit.ts";
import { commonFlags, type CommonFlags } from "../flags.ts";
import { rulesText, settingsFields } from "../service_text.ts";
import { table } from "../../cli/table.ts";

export const servicesList = buildCommand({
  docs: {
    brief: "List the services and their limits",
    fullDescription: ctlDescription("Lists the services and their limits.", "deployd ctl services list"),
  },
  parameters: { flags: commonFlags },
  func: ctlVerb<CommonFlags, []>(async ({ connect, output }) => {
    await using zk = await connect();
    const problems: string[] = [];
    const services = [...(await readAllSettings(zk, (problem) => problems.push(problem)))];
    const rows = services.map(([name, settings]) => [
      oneLine(name),
      amountText(settings.max),
      amountText(settings.budget),
      `${settings.soakMs / 1000}s`,
      rulesText(settings),
    ]);
    output.answer(
      {
        schema: "deployd.ctl.services/1",
        services: services.map(([name, settings]) => ({ service: name, settings: settingsFields(settings) })),
        ...(problems.length === 0 ? {} : { problems }),
      },
      [
        ...(rows.length === 0
          ? ["No services yet. Make one with: deployd ctl services set NAME"]
          : table([["SERVICE", "MAX", "BUDGET", "SOAK", "RULES"].map(output.paint.dim), ...rows])),
        ...problems.map((problem) => `! ${oneLine(problem)}`),
      ],
    );
    return exit.asked;
  }),
});
