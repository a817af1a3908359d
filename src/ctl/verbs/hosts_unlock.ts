import { buildCommand } from "@stricli/core";
import { unlockHost } from "../../store/host_care.ts";
import { readService } from "../../store/services.ts";
import { hostArgument, serviceArgument } from "../arguments.ts";
import { ctlDescription, ctlVerb } from "../verb.ts";
import { exit } from "../../cli/exit.ts";
import { commonFlags, type CommonFlags } from "../flags.ts";

export const hostsUnlock = buildCommand({
  docs: {
    brief: "Give back the capacity that a failed or lost host holds",
    fullDescription: ctlDescription(
      `A host that failed and is not healthy, or was lost while it was restarted, keeps its share
of --max until it is healthy again, so that a bad build cannot eat up a fleet. This gives it
back because you say so. The failure still counts against the deploy's budget.`,
      "deployd ctl hosts unlock web web-07",
    ),
  },
  parameters: {
    flags: commonFlags,
    positional: { kind: "tuple", parameters: [serviceArgument, hostArgument] },
  },
  func: ctlVerb<CommonFlags, [string, string]>(async ({ connect, output, process }, _flags, service, host) => {
    await using zk = await connect();
    await readService(zk, service, () => {});
    const deploys = await unlockHost(zk, service, host, process.clock);
    output.answer({ schema: "deployd.ctl.host-unlocked/1", service, host, deploys }, [
      deploys.length === 0
        ? `${host} held no capacity in ${service}.`
        : `${host} no longer holds capacity in ${service} (deploy ${deploys.join(", ")}).`,
    ]);
    return exit.asked;
  }),
});
