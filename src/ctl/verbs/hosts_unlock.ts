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
of --max until it is healthy again, so that a bad build cannot eat up a fleet. This has it
given back because you say so, by whichever agent conducts. The failure still counts against
the deploy's budget.`,
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
    const { deploy, isDone } = await unlockHost(zk, service, host, { who: process.user, clock: process.clock });
    const deploys = deploy === null ? [] : [deploy];
    output.answer({ schema: "deployd.ctl.host-unlocked/1", service, host, deploys, given_back: isDone }, [
      deploy === null ? `${host} held no capacity in ${service}.` : unlockedText(service, host, deploy, isDone),
    ]);
    return exit.asked;
  }),
});

function unlockedText(service: string, host: string, deploy: string, isDone: boolean): string {
  return isDone
    ? `${host} no longer holds capacity in ${service} (deploy ${deploy}).`
    : `${host} gives back its capacity in ${service} (deploy ${deploy}) as soon as an agent conducts; none does now.`;
}
