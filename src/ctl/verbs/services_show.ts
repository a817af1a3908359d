import { buildCommand } from "@stricli/core";
import { readService } from "../../store/services.ts";
import { serviceArgument } from "../arguments.ts";
import { ctlDescription, ctlVerb } from "../verb.ts";
import { exit } from "../../cli/exit.ts";
import { commonFlags, type CommonFlags } from "../flags.ts";
import { serviceDocument, serviceLines } from "../service_text.ts";

export const servicesShow = buildCommand({
  docs: {
    brief: "Show the limits of a service",
    fullDescription: ctlDescription(
      "Shows the limits that a deploy of the service is started with.",
      "deployd ctl services show web",
    ),
  },
  parameters: { flags: commonFlags, positional: { kind: "tuple", parameters: [serviceArgument] } },
  func: ctlVerb<CommonFlags, [string]>(async ({ connect, output }, _flags, service) => {
    await using zk = await connect();
    const settings = await readService(zk, service);
    output.answer(serviceDocument(service, settings), serviceLines(service, settings));
    return exit.asked;
  }),
});
