import { buildCommand } from "@stricli/core";
import { forgetHost } from "../../store/host_care.ts";
import { readService } from "../../store/services.ts";
import { hostArgument, serviceArgument } from "../arguments.ts";
import { ctlDescription, ctlVerb } from "../verb.ts";
import { exit } from "../../cli/exit.ts";
import { commonFlags, type CommonFlags } from "../flags.ts";

export const hostsForget = buildCommand({
  docs: {
    brief: "Take a host that is gone for good out of a service",
    fullDescription: ctlDescription(
      `Removes a host and its last status from a service. The capacity that it still held is then
given back by whichever agent conducts. A host whose agent is connected is refused: it would
register itself again.`,
      "deployd ctl hosts forget web web-07",
    ),
  },
  parameters: {
    flags: commonFlags,
    positional: { kind: "tuple", parameters: [serviceArgument, hostArgument] },
  },
  func: ctlVerb<CommonFlags, [string, string]>(async ({ connect, output }, _flags, service, host) => {
    await using zk = await connect();
    await readService(zk, service, () => {});
    await forgetHost(zk, service, host);
    output.answer({ schema: "deployd.ctl.host-forgotten/1", service, host }, [`${host} is forgotten in ${service}.`]);
    return exit.asked;
  }),
});
